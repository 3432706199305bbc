/** A device's clock, from its answer. Pure. */

import { childOf, elementAt, numberAt, textAt, type XmlElement } from './xml.ts';

/** A device's clock as it was read. */
export type DeviceClock = {
  /** Its time minus ours, milliseconds. */
  readonly offsetMs: number;
  /** How wrong the offset may be: devices tell whole seconds, and answers take their time. */
  readonly accuracyMs: number;
  /** `NTP` or `Manual`, as the device says. */
  readonly source: string | undefined;
  /** POSIX 1003.1, as the device says. */
  readonly timeZone: string | undefined;
  readonly isDaylightSaving: boolean;
  /** Ours. */
  readonly readMs: number;
};

/** The device tells whole seconds: on average its clock is half a second further, and was read in the middle of the trip. */
export function deviceClockOf(
  answer: XmlElement,
  measured: { readonly nowMs: number; readonly tripMs: number },
): DeviceClock | undefined {
  const told = childOf(answer, 'SystemDateAndTime');
  const time = childOf(told, 'UTCDateTime');
  const part = (...path: string[]) => numberAt(time, ...path);
  const [year, month, day] = [part('Date', 'Year'), part('Date', 'Month'), part('Date', 'Day')];
  const [hour, minute, second] = [part('Time', 'Hour'), part('Time', 'Minute'), part('Time', 'Second')];
  if (year === undefined || month === undefined || day === undefined) return undefined;
  const toldMs = Date.UTC(year, month - 1, day, hour ?? 0, minute ?? 0, second ?? 0);
  if (!Number.isFinite(toldMs)) return undefined;
  return {
    offsetMs: Math.round(toldMs + 500 - (measured.nowMs - measured.tripMs / 2)),
    accuracyMs: Math.ceil(500 + measured.tripMs / 2),
    source: textAt(told, 'DateTimeType'),
    timeZone: textAt(elementAt(told, 'TimeZone'), 'TZ'),
    isDaylightSaving: textAt(told, 'DaylightSavings') === 'true',
    readMs: measured.nowMs,
  };
}
