/** Starts a simulator process: many cameras at once, for benchmarks and for tests that count every frame. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type ClipOptions, clipDefaults } from './clip.ts';
import { type CameraStats, cameraPhaseMs, type SimulatorOptions } from './server.ts';

export { judgeFrames } from './frame-number.ts';

export type RunningSimulator = {
  readonly process: ChildProcess;
  url(camera: number): string;
  /** Wall time at which a frame was due. */
  frameWallMs(camera: number, frame: number): number;
  stats(): Promise<readonly CameraStats[]>;
  disconnect(camera: number): void;
  /** From now on a camera stays connected and sends nothing for a while; its clock and frame numbers go on. */
  leaveOut(camera: number, durationMs: number): void;
  close(): Promise<void>;
};

export async function startCameraSimulator(
  options: SimulatorOptions & { readonly clip?: Partial<ClipOptions>; readonly port?: number },
): Promise<RunningSimulator> {
  const child = fork(fileURLToPath(new URL('main.ts', import.meta.url)), [JSON.stringify(options)], { execArgv: [] });
  const exited = once(child, 'exit');
  const [{ port, beginWallMs }] = (await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => Promise.reject(new Error(`the camera simulator ended with code ${code}`))),
  ])) as [{ port: number; beginWallMs: number }];
  const { framesPerSecond } = { ...clipDefaults, ...options.clip };
  return {
    process: child,
    url: (camera) => `rtsp://127.0.0.1:${port}/camera-${camera}`,
    frameWallMs: (camera, frame) =>
      beginWallMs + cameraPhaseMs(camera, framesPerSecond) + (frame * 1000) / framesPerSecond,
    async stats() {
      const answer = once(child, 'message');
      child.send({ kind: 'stats' });
      const [{ stats }] = (await answer) as [{ stats: readonly CameraStats[] }];
      return stats;
    },
    disconnect: (camera) => child.send({ kind: 'disconnect', camera }),
    leaveOut: (camera, durationMs) => child.send({ kind: 'leave-out', camera, durationMs }),
    async close() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
