/** Asks one camera as recording would: connects, describes with its login, and asks its ONVIF service for the time. */

import { type DeviceAddress, OnvifDevice } from '../../gateway/onvif/index.ts';
import { describeSource, parseRtspUrl, SourceFault } from '../../gateway/rtsp/index.ts';
import type { AddressPolicy } from '../../storage/base/address-policy.ts';
import { fractionOf } from '../../storage/base/chance.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import { isPublisher, type PlannedSource } from '../../storage/model/camera.ts';
import type { CameraFacts, CameraState } from './judge-cameras.ts';
import { within } from './within.ts';

export type CameraLookDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly addresses: AddressPolicy;
};

/** A camera that answers no SYN is dead within these; one that wakes for DESCRIBE needs 5 s. */
const describeMs = 8_000;
const onvifMs = 6_000;

export async function lookAtCamera(
  deps: CameraLookDeps,
  options: {
    readonly planned: PlannedSource;
    /** Its ONVIF service; of the main source. */
    readonly device: DeviceAddress | undefined;
    readonly state: CameraState | undefined;
  },
): Promise<CameraFacts> {
  const { planned, device, state } = options;
  const { name, role, source } = planned;
  if (source.kind !== 'rtsp') return { name, role, host: undefined, isExpected: isPublisher(source), state };
  const [told, onvif] = await Promise.all([
    describeSource({ ...deps, random: fractionOf(deps.random) }, source, {
      deadlineMs: describeMs,
      addresses: deps.addresses,
    }).then(
      ({ server, encodings, ...times }) => ({ server, media: encodings.join(', '), ...times }),
      (error: unknown) => ({ fault: faultOf(error) }),
    ),
    device === undefined ? undefined : askDevice(deps, device),
  ]);
  return { name, role, host: hostOf(source.url), state, onvif, ...told };
}

/** The host of a camera's URL; empty of one that is none. */
export function hostOf(url: string): string {
  return parseRtspUrl(url)?.host ?? (URL.canParse(url) ? new URL(url).hostname : '');
}

async function askDevice(deps: CameraLookDeps, address: DeviceAddress): Promise<CameraFacts['onvif']> {
  try {
    const clock = await within(deps.clock, onvifMs, (signal) => new OnvifDevice(deps, address).readClock(signal));
    return { clockOffsetMs: clock?.offsetMs };
  } catch (error) {
    return { error: toAppError(error).message };
  }
}

function faultOf(error: unknown): NonNullable<CameraFacts['fault']> {
  if (error instanceof SourceFault) return { reason: error.reason, message: error.message, hint: error.hint };
  return { reason: 'source-error', message: toAppError(error).message };
}
