/**
 * Tries a camera out in a process of its own, which may be killed: what a stranger's camera sends never reaches `serve`, and a
 * hanging decoder is nobody's problem. One question, one answer, then the process ends.
 */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { probe, SourceFault } from '../../gateway/rtsp/index.ts';
import { type Clock, systemClock } from '../../storage/base/clock.ts';
import { appError, toAppError } from '../../storage/base/errors.ts';
import { createLog } from '../../storage/base/log.ts';
import type { RtspSource } from '../../storage/model/camera.ts';
import type { Track } from '../../storage/model/track.ts';
import type { Probe, ProbeResult } from '../admin/index.ts';

type Question = { readonly source: RtspSource; readonly ffmpegPath: string };

/** A camera with a GOP of 10 s shows a picture within; people wait no longer. */
const probeMs = 12_000;
/** One 8K key frame decodes within a second on a busy machine. */
const pictureMs = 8_000;
const childMs = probeMs + pictureMs + 3_000;
const pictureBytesMax = 4 * 1024 * 1024;
/** Enough to recognise what the camera looks at. */
const pictureWidthPixelsMax = 960;

/** Asks a child process; it is killed when the asker goes away or the time is over. */
export function probeInChild(
  deps: { readonly clock: Clock },
  options: { readonly entry: string; readonly ffmpegPath: string },
): Probe {
  return (source, signal) =>
    new Promise<ProbeResult>((resolve, reject) => {
      const child: ChildProcess = fork(options.entry, ['role', 'probe'], {
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
      child.send({ source, ffmpegPath: options.ffmpegPath } satisfies Question);
    });
}

/** The child's side. */
export function runProbeProcess(): void {
  process.once('disconnect', () => process.exit(1));
  process.once('message', (question: Question) => {
    answer(question).then((result) => {
      process.send?.(result, undefined, undefined, () => process.exit(0));
    });
  });
}

async function answer({ source, ffmpegPath }: Question): Promise<ProbeResult> {
  const deps = {
    clock: systemClock,
    log: createLog({ level: 'silent' }),
    random: () => randomBytes(4).readUInt32LE() / 2 ** 32,
  };
  try {
    const { tracks, keyFrame, warnings } = await probe(deps, source, { deadlineMs: probeMs });
    const video = tracks.find((track) => track.kind === 'video');
    const picture =
      video === undefined || keyFrame === undefined ? undefined : await pictureOf(keyFrame, video, ffmpegPath);
    const said = [
      ...warnings,
      ...(video !== undefined && keyFrame === undefined ? ['no key frame came in time for a picture'] : []),
    ];
    return { tracks, picture, warnings: said, fault: undefined };
  } catch (error) {
    const none = { tracks: [], picture: undefined, warnings: [] };
    if (error instanceof SourceFault) {
      return { ...none, fault: { reason: error.reason, message: error.message, hint: error.hint } };
    }
    return { ...none, fault: { reason: 'source-error', message: toAppError(error).message } };
  }
}

/** A JPEG of one key frame, or undefined when this ffmpeg cannot decode it: the test of the camera is none of its own. */
function pictureOf(keyFrame: Uint8Array, track: Track, ffmpegPath: string): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    const format = track.codec === 'h265' ? 'hevc' : 'h264';
    const scale = `scale='min(${pictureWidthPixelsMax},iw)':-2`;
    const child = spawn(
      ffmpegPath,
      [
        '-hide_banner',
        '-loglevel',
        'error',
        '-f',
        format,
        '-i',
        'pipe:0',
        '-frames:v',
        '1',
        '-vf',
        scale,
        '-f',
        'mjpeg',
        'pipe:1',
      ],
      { stdio: ['pipe', 'pipe', 'ignore'] },
    );
    const chunks: Buffer[] = [];
    let bytes = 0;
    const cancel = systemClock.after(pictureMs, () => child.kill('SIGKILL'));
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > pictureBytesMax) child.kill('SIGKILL');
      else chunks.push(chunk);
    });
    child.stdin.on('error', () => {});
    child.once('error', () => resolve(undefined));
    child.once('close', (code) => {
      cancel();
      resolve(code === 0 && bytes > 0 ? Uint8Array.from(Buffer.concat(chunks)) : undefined);
    });
    child.stdin.end(keyFrame);
  });
}
