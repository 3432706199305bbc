/** Sets a device's clock by ours, or lets it follow its time server again. */

import type { Clock } from '../../storage/base/clock.ts';
import type { OnvifDevice } from './device.ts';
import type { DeviceClock } from './device-clock.ts';
import { unheard } from './soap-words.ts';
import { escapeXml } from './xml.ts';

/** `ours`: our time, set by hand; a time server that the device followed is then no longer asked. `ntp`: the device's own time server. */
export type ClockSource = 'ours' | 'ntp';

/**
 * Sets the clock and reads it again.
 * The order takes whole seconds, so it is sent just when one begins. Time zone and daylight saving stay as the device has them.
 *
 * @returns the clock afterwards
 * @throws AppError as `OnvifDevice.ask`
 */
export async function setDeviceClock(
  deps: { readonly clock: Clock; readonly device: OnvifDevice },
  options: { readonly source: ClockSource; readonly signal: AbortSignal },
): Promise<DeviceClock | undefined> {
  const { clock, device } = deps;
  const { source, signal } = options;
  const before = await device.readClock(signal);
  if (source === 'ours') await clock.sleep(1_000 - (clock.wallMs() % 1_000), signal);
  await device.ask(
    (client) =>
      client.setSystemDateAndTime(
        {
          dateTimeType: source === 'ntp' ? 'NTP' : 'Manual',
          daylightSavings: before?.isDaylightSaving ?? false,
          ...(before?.timeZone === undefined ? {} : { timezone: escapeXml(before.timeZone) }),
          ...(source === 'ntp' ? {} : { dateTime: new Date(Math.round(clock.wallMs() / 1_000) * 1_000) }),
        },
        unheard,
      ),
    { signal },
  );
  return device.readClock(signal);
}
