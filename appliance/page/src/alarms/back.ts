/**
 * Cameras that were away and are back. Their alarm stands on for a while, since it is over only once a camera was well without a
 * break; meanwhile nothing red belongs over a picture that moves.
 */

import type { Camera, SourceState } from '../api.ts';
import type { Alarm } from './alarms.ts';

type States = Readonly<Record<string, SourceState>>;

const awayCodes: ReadonlySet<string> = new Set(['camera-away', 'camera-silent']);

/** Since when a camera of an alarm is there again with all its pictures; undefined while it is not, or the alarm is about something else. */
export function backSinceMs(alarm: Pick<Alarm, 'code'>, camera: Camera, states: States): number | undefined {
  if (!awayCodes.has(alarm.code)) return undefined;
  const shown = camera.streams.flatMap(({ id, role }) => {
    const { source, state } = role === 'main' ? camera : (camera.sub ?? camera);
    // What a KVS producer sends is never missed.
    return source.kind === 'kvs' ? [] : [states[id] ?? state];
  });
  let sinceMs = 0;
  for (const state of shown) {
    if (state?.state !== 'live') return undefined;
    sinceMs = Math.max(sinceMs, state.sinceMs);
  }
  return shown.length === 0 ? undefined : sinceMs;
}

/** The same of all cameras that an alarm has: since when the last of them is back. */
export function allBackSinceMs(alarm: Alarm, cameras: readonly Camera[], states: States): number | undefined {
  const ill = alarm.subjects.filter(({ clearedMs }) => clearedMs === null);
  let sinceMs: number | undefined;
  for (const { id } of ill) {
    const camera = cameras.find((one) => one.id === id);
    const since = camera === undefined ? undefined : backSinceMs(alarm, camera, states);
    if (since === undefined) return undefined;
    sinceMs = Math.max(sinceMs ?? 0, since);
  }
  return sinceMs;
}
