/** The process that tries one camera out: asked by `probe.ts`, loaded by nobody else, so that `serve` need not know RTSP. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { probe, SourceFault } from '../../gateway/rtsp/index.ts';
import { AddressPolicy } from '../../storage/base/address-policy.ts';
import { fractionOf } from '../../storage/base/chance.ts';
import { systemClock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import { createLog } from '../../storage/base/log.ts';
import { mediaEnvironment, yieldToCameras } from '../../storage/base/media-programs.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Track } from '../../storage/model/track.ts';
import type { ProbeResult } from '../admin/index.ts';
import { type ProbeQuestion, pictureMs, probeMs } from './probe.ts';

const pictureBytesMax = 4 * 1024 * 1024;
/** Enough to recognise what the camera looks at. */
const pictureWidthPixelsMax = 960;

/** Answers the one question of its parent, then ends. */
export function runProbeProcess(): void {
  process.once('disconnect', () => process.exit(1));
  process.once('message', (question: ProbeQuestion) => {
    answer(question).then((result) => {
      process.send?.(result, undefined, undefined, () => process.exit(0));
    });
  });
}

async function answer({ source, ffmpegPath, allowedNetworks }: ProbeQuestion): Promise<ProbeResult> {
  const deps = {
    clock: systemClock,
    log: createLog({ level: 'silent' }),
    random: fractionOf(randomBytes),
  };
  try {
    const { tracks, keyFrame, warnings } = await probe(deps, source, {
      deadlineMs: probeMs,
      addresses: new AddressPolicy({ networks: allowedNetworks }),
    });
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
        '-nostdin',
        // Ends by itself even if this process was killed before it could end it: seconds of CPU time.
        '-timelimit',
        String(pictureMs / 1000),
        '-max_pixels',
        String(limits.picturePixelsMax),
        '-threads',
        '1',
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
      { stdio: ['pipe', 'pipe', 'ignore'], env: mediaEnvironment() },
    );
    yieldToCameras(child.pid, { niceness: 0 });
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
