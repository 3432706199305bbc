/**
 * A file as a Matroska stream on a pipe: ffmpeg copies what can be kept and converts the rest. It runs at low priority and only as
 * fast as its reader reads.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { mediaEnvironment, yieldToCameras } from '../../storage/base/media-programs.ts';
import { limits } from '../../storage/model/limits.ts';
import { formats, importNiceness, lastLine, type MediaFile } from './media-file.ts';

export type Remux = {
  /** The Matroska stream. */
  readonly output: Readable;
  /**
   * Resolves when all children have ended. `isWhole`: none of them failed. `isKilled`: one was ended from outside, so what came
   * last says nothing of the file.
   */
  readonly ended: Promise<{
    readonly isWhole: boolean;
    readonly isKilled: boolean;
    readonly complaint: string | undefined;
  }>;
  kill(): void;
};

const errorTextMax = 2_000;
const quiet = ['-hide_banner', '-nostdin', '-loglevel', 'error'];
/** A transport stream may begin long before its first key frame: parameters are looked for in 20 s of it. */
const patience = ['-analyzeduration', '20M', '-probesize', '50M'];
const noGiants = ['-max_pixels', String(limits.picturePixelsMax)];
/** Each thread of a decoder or encoder has pictures of its own: memory must not grow with the machine's cores. */
const threads = '2';
const toMatroska = ['-map_metadata', '-1', '-map_chapters', '-1', '-f', 'matroska', 'pipe:1'];
const toFragments = ['-f', 'mp4', '-movflags', 'empty_moov+delay_moov+frag_keyframe+default_base_moof', 'pipe:1'];

/** Begins to remux a file; the caller reads `output` to its end or kills. */
export function remux(file: MediaFile, options: { readonly path: string; readonly ffmpegPath: string }): Remux {
  const { path, ffmpegPath } = options;
  const stages = stagesOf(file, path).map((args) => [...quiet, ...args]);
  let errors = '';
  const children: ChildProcess[] = [];
  const ends: Promise<{ readonly isWhole: boolean; readonly isKilled: boolean }>[] = [];
  let input: Readable | undefined;
  for (const args of stages) {
    const child = spawn(ffmpegPath, args, { stdio: [input ?? 'ignore', 'pipe', 'pipe'], env: mediaEnvironment() });
    yieldToCameras(child.pid, { niceness: importNiceness });
    // The next child has the pipe; ours is only in its way.
    input?.destroy();
    input = child.stdout ?? undefined;
    child.stderr?.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-errorTextMax);
    });
    ends.push(
      new Promise((resolve) => {
        child.once('error', (error) => {
          errors += `${error.message}\n`;
          resolve({ isWhole: false, isKilled: false });
        });
        child.once('close', (code, signal) => resolve({ isWhole: code === 0, isKilled: signal !== null }));
      }),
    );
    children.push(child);
  }
  return {
    output: input as Readable,
    ended: Promise.all(ends).then((all) => ({
      isWhole: all.every(({ isWhole }) => isWhole),
      isKilled: all.some(({ isKilled }) => isKilled),
      complaint: errors.trim() === '' ? undefined : lastLine(errors, path),
    })),
    kill: () => {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

/**
 * One child, or two: Matroska wants the description of AAC before its first frame, which a transport stream tells only with
 * it. Fragmented MP4 can wait for that and goes through a pipe.
 */
export function stagesOf(file: MediaFile, path: string): string[][] {
  const bounds = ['-format_whitelist', formats, '-protocol_whitelist', 'file', ...noGiants, '-threads', threads];
  const input = [...bounds, ...patience, '-i', `file:${path}`];
  const maps = file.tracks.flatMap(({ index }) => ['-map', `0:${index}`]);
  const codecs = file.tracks.flatMap((track, i) => codecArgs(track, i));
  const aac = file.tracks.flatMap(({ codec, how }, i) => (codec === 'aac' && how === 'copy' ? [i] : []));
  if (!file.isTransportStream || aac.length === 0) return [[...input, ...maps, ...codecs, ...toMatroska]];
  const filters = aac.flatMap((i) => [`-bsf:${i}`, 'aac_adtstoasc']);
  return [
    [...input, ...maps, ...codecs, ...filters, ...toFragments],
    [...noGiants, '-threads', threads, '-f', 'mp4', '-i', 'pipe:0', '-map', '0', '-c', 'copy', ...toMatroska],
  ];
}

function codecArgs({ kind, codec, how, nalLengthBytes }: MediaFile['tracks'][number], i: number): string[] {
  if (how === 'copy') {
    // Our NAL units have lengths of four bytes; others are taken apart and put together anew by the muxer.
    const isOdd = codec === 'h264' && nalLengthBytes !== undefined && nalLengthBytes !== 4;
    return [`-c:${i}`, 'copy', ...(isOdd ? [`-bsf:${i}`, 'h264_mp4toannexb'] : [])];
  }
  if (kind === 'audio') return [`-c:${i}`, 'aac', `-b:${i}`, '128k'];
  const keys = [`-force_key_frames:${i}`, 'expr:gte(t,n_forced*2)'];
  const coding = ['-preset', 'veryfast', '-crf', '21', `-threads:${i}`, threads];
  return [`-c:${i}`, 'libx264', ...coding, `-pix_fmt:${i}`, 'yuv420p', ...keys];
}
