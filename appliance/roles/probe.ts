/**
 * Tries a camera out in a process of its own, which may be killed: what a stranger's camera sends never reaches `serve`, and a
 * hanging decoder is nobody's problem. One question, one answer, then the process ends.
 */

import { type ChildProcess, fork } from 'node:child_process';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, toAppError } from '../../storage/base/errors.ts';
import type { RtspSource } from '../../storage/model/camera.ts';
import type { Probe, ProbeResult } from '../admin/index.ts';

/** What the child is asked. */
export type ProbeQuestion = ProbeOptions & { readonly source: RtspSource };

type ProbeOptions = {
  readonly ffmpegPath: string;
  /** Networks that a camera may be in; none for any. */
  readonly allowedNetworks: readonly string[];
};

/** A camera with a GOP of 10 s shows a picture within; people wait no longer. */
export const probeMs = 12_000;
/** One 8K key frame decodes within a second on a busy machine. */
export const pictureMs = 8_000;

const childMs = probeMs + pictureMs + 3_000;

/** Asks a child process; it is killed when the asker goes away or the time is over. */
export function probeInChild(
  deps: { readonly clock: Clock },
  { entry, ...options }: ProbeOptions & { readonly entry: string },
): Probe {
  return (source, signal) =>
    new Promise<ProbeResult>((resolve, reject) => {
      const child: ChildProcess = fork(entry, ['role', 'probe'], {
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      const kill = () => child.kill('SIGKILL');
      const cancel = deps.clock.after(childMs, kill);
      signal.addEventListener('abort', kill, { once: true });
      child.once('message', (result: ProbeResult) => resolve(result));
      child.once('error', (error) => reject(toAppError(error)));
      child.once('exit', () => {
        cancel();
        signal.removeEventListener('abort', kill);
        if (signal.aborted) reject(appError('cancelled', 'the test of the camera was given up'));
        else
          reject(
            appError('internal', 'the test of the camera ended without a result', {
              hint: 'look at the log and try again',
            }),
          );
      });
      child.send({ source, ...options } satisfies ProbeQuestion);
    });
}
