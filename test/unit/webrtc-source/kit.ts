/** A receiver that notes what comes out of it, and units to send. */

import type { SourceEnd, SourceSink } from '../../../gateway/rtsp/index.ts';
import { MediaReceiver } from '../../../gateway/webrtc-source/media-receiver.ts';
import { h264Parameters, joinNals, opusTrack, videoTrack } from '../../../storage/media/index.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import type { Track } from '../../../storage/model/track.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { pps, slice, sps } from '../rtsp/packets.ts';

export const video = videoTrack(1, h264Parameters(sps, [pps]));
export const sound = opusTrack(2, { channels: 2 });
export const keyPicture = joinNals([sps, pps, slice({ isKey: true })]);
export const picture = joinNals([slice({ isKey: false })]);

export function unitOf(trackNumber: number, atMs: number, facts: Partial<AccessUnit> = {}): AccessUnit {
  const isKey = facts.isKey ?? trackNumber === 2;
  return {
    trackNumber,
    presentationTimeUs: atMs * 1_000,
    producerTimestampMs: undefined,
    receivedMonotonicMs: 0,
    isKey,
    isAfterLoss: false,
    bytes: trackNumber === 2 ? Uint8Array.of(0xfc, 0xff, 0xfe) : isKey ? keyPicture : picture,
    ...facts,
  };
}

export type NotedReceiver = {
  readonly clock: SimulatedClock;
  readonly receiver: MediaReceiver;
  readonly sessions: { readonly reason: string; readonly tracks: readonly Track[]; readonly at: number }[];
  readonly units: AccessUnit[];
  readonly told: unknown[];
  readonly faults: SourceEnd[];
};

export function notedReceiver(): NotedReceiver {
  const clock = new SimulatedClock();
  const noted: Pick<NotedReceiver, 'sessions' | 'units' | 'told' | 'faults'> = {
    ...{ sessions: [], units: [], told: [], faults: [] },
  };
  const sink: SourceSink = {
    session: (tracks, reason) => noted.sessions.push({ reason, tracks, at: noted.units.length }),
    unit: (unit) => noted.units.push({ ...unit, bytes: Uint8Array.from(unit.bytes) }),
    loss: ({ trackNumber, packets }) => noted.told.push({ trackNumber, packets }),
    clock: (estimate) => noted.told.push(estimate),
    warning: (text) => noted.told.push(text),
  };
  const receiver = new MediaReceiver({ clock, sink, onFault: (end) => noted.faults.push(end) });
  receiver.start();
  return { clock, receiver, ...noted };
}
