/** A media plane with the real worker on free ports of loopback. */

import { onTestFinished } from 'vitest';
import { MediaPlane, type MediaPlaneOptions, type PlaneStatus } from '../../../gateway/webrtc/media-plane/index.ts';
import type { RunningWorker } from '../../../gateway/webrtc/media-plane/running-worker.ts';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import { until } from '../../kit/until.ts';

export type RunningPlane = {
  readonly plane: MediaPlane;
  /** All that `onChange` was told. */
  readonly told: PlaneStatus[];
  /** What was logged. */
  readonly lines: string[];
  place(key?: string): RunningWorker;
  untilState(state: PlaneStatus['state']): Promise<PlaneStatus>;
};

export async function startPlane(
  options: Partial<MediaPlaneOptions> & Pick<MediaPlaneOptions, 'workerPath'>,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Promise<RunningPlane> {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) } });
  const plane = new MediaPlane(
    { clock, log, random: () => 0.5 },
    { workers: 1, port: 0, host: '127.0.0.1', announced: [], ...options },
  );
  onTestFinished(() => plane.close());
  const told: PlaneStatus[] = [];
  plane.onChange((status) => told.push(status));
  await plane.start();
  return {
    ...{ plane, told, lines },
    place: (key = 'gate') => plane.place(key) as RunningWorker,
    untilState: (state) =>
      until(`the plane is ${state}`, () => (plane.status().state === state ? plane.status() : undefined)),
  };
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
