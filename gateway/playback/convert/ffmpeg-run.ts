/**
 * One ffmpeg child for one piece of work: bytes in, bytes out, then it is gone. It never outlives its time, its output is
 * bounded, of what it says only the end is kept, and it runs below everything else on the machine: recording comes first.
 */

import { spawn } from 'node:child_process';
import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, appError, isAppError, toAppError } from '../../../storage/base/errors.ts';
import { mediaEnvironment, yieldToCameras } from '../../../storage/base/media-programs.ts';

export type FfmpegDependencies = {
  readonly clock: Clock;
  /** Path of the ffmpeg program. */
  readonly ffmpeg: string;
};

export type FfmpegWork = {
  /** Everything after the general options. It reads `pipe:0` and writes `pipe:1`. */
  readonly arguments: readonly string[];
  readonly input: Uint8Array;
  readonly timeoutMs: number;
  readonly outputBytesMax: number;
  readonly signal: AbortSignal;
};

export type FfmpegResult = {
  readonly output: Uint8Array;
  /** Processor time of the child, all threads; undefined when it did not say. */
  readonly cpuMs: number | undefined;
};

/** Lines of x264's statistics and the end of what goes wrong. */
const spokenBytesMax = 4_096;
/** Nice value: a machine at its limits converts slower and records as before. */
const niceness = 10;

/**
 * Runs a child to its end.
 *
 * @throws AppError deadline_exceeded    it took too long, and was killed
 * @throws AppError data_loss            it failed, or crashed
 * @throws AppError resource_exhausted   its output is too long
 * @throws AppError failed_precondition  ffmpeg is not installed
 * @throws AppError cancelled            the signal was raised
 */
export async function runFfmpeg({ clock, ffmpeg }: FfmpegDependencies, work: FfmpegWork): Promise<FfmpegResult> {
  const general = ['-hide_banner', '-nostats', '-nostdin', '-v', 'level+info', '-benchmark'];
  const child = spawn(ffmpeg, [...general, ...work.arguments], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: mediaEnvironment(),
  });
  const output: Uint8Array[] = [];
  let outputBytes = 0;
  let spoken = '';
  let failure: AppError | undefined;
  const fail = (error: AppError) => {
    failure ??= error;
    child.kill('SIGKILL');
  };
  const cancelTimeout = clock.after(work.timeoutMs, () =>
    fail(appError('deadline_exceeded', 'ffmpeg took too long', { timeoutMs: work.timeoutMs })),
  );
  const onAbort = () => fail(appError('cancelled', 'conversions are closed'));
  work.signal.addEventListener('abort', onAbort);
  if (work.signal.aborted) onAbort();
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => resolve(code));
    child.once('error', (error) => {
      failure ??= startError(error);
      resolve(null);
    });
  });
  // A child that ends early closes its input while we still write; its end is told by 'close'.
  child.stdin.on('error', () => {});
  child.stdout.on('data', (bytes: Buffer) => {
    outputBytes += bytes.length;
    if (outputBytes > work.outputBytesMax)
      fail(appError('resource_exhausted', 'ffmpeg wrote too much', { outputBytes }));
    else output.push(bytes);
  });
  child.stderr.on('data', (bytes: Buffer) => {
    spoken = (spoken + bytes.toString()).slice(-spokenBytesMax);
  });
  yieldToCameras(child.pid, { niceness });
  child.stdin.end(work.input);
  try {
    const code = await ended;
    if (failure !== undefined) throw failure;
    if (code !== 0) throw appError('data_loss', 'ffmpeg failed', { exitCode: code, said: complaintOf(spoken) });
  } finally {
    cancelTimeout();
    work.signal.removeEventListener('abort', onAbort);
  }
  return { output: Buffer.concat(output), cpuMs: cpuMsOf(spoken) };
}

/** What to tell a person about a failed run. */
export function saidBy(error: unknown): string {
  if (!isAppError(error)) return String(error);
  return typeof error.context.said === 'string' && error.context.said !== '' ? error.context.said : error.message;
}

/** The first line that says error: those after it are its consequences. */
function complaintOf(spoken: string): string {
  const line = spoken.split('\n').find((one) => /\[(?:error|fatal|panic)\]/.test(one)) ?? '';
  return line
    .replace(/\[[^\]]*\] ?/g, '')
    .trim()
    .slice(0, 300);
}

function cpuMsOf(spoken: string): number | undefined {
  const [, user, system] = /bench: utime=([\d.]+)s stime=([\d.]+)s/.exec(spoken) ?? [];
  return user === undefined || system === undefined ? undefined : (Number(user) + Number(system)) * 1000;
}

function startError(error: Error): AppError {
  return appError('failed_precondition', 'ffmpeg cannot be started, so nothing is converted', {
    cause: toAppError(error),
    hint: 'install ffmpeg (on Debian and Ubuntu: apt install ffmpeg) and restart',
  });
}
