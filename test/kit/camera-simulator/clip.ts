/**
 * The pictures and sound that simulated cameras send: made once by ffmpeg, cached under the temporary directory, cut into
 * access units. Each access unit later gets an SEI with its frame number, so that stored files can be judged from outside.
 */

import { execFile } from 'node:child_process';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type ClipOptions = {
  readonly codec: 'h264' | 'h265';
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly framesPerSecond: number;
  readonly bitsPerSecond: number;
  readonly gopFrames: number;
  readonly hasAudio: boolean;
};

export type Clip = {
  readonly options: ClipOptions;
  /** NAL units of each access unit without start codes, parameter sets included where the encoder put them. */
  readonly units: readonly (readonly Buffer[])[];
  readonly keyIndexes: readonly number[];
  readonly parameterSets: readonly Buffer[];
  /** Raw AAC frames of 1,024 samples at 48 kHz, mono. */
  readonly audioFrames: readonly Buffer[];
};

export const clipDefaults: ClipOptions = {
  codec: 'h264',
  widthPixels: 1920,
  heightPixels: 1080,
  framesPerSecond: 25,
  bitsPerSecond: 4_000_000,
  gopFrames: 50,
  hasAudio: true,
};

const clipSeconds = 12;

/** Makes or reads the clip. @throws when ffmpeg is missing or lacks the encoder */
export async function loadClip(options: ClipOptions): Promise<Clip> {
  const directory = join(tmpdir(), 'weir-simulator-clips');
  await mkdir(directory, { recursive: true });
  const { codec, widthPixels, heightPixels, framesPerSecond, bitsPerSecond, gopFrames } = options;
  const name = `${codec}-${widthPixels}x${heightPixels}-${framesPerSecond}-${bitsPerSecond}-${gopFrames}`;
  const video = await cached(join(directory, `${name}.${codec}`), (target) => encodeVideo(options, target));
  const audio = options.hasAudio ? await cached(join(directory, 'tone.adts'), encodeAudio) : undefined;
  return { options, ...accessUnits(codec, video), audioFrames: audio === undefined ? [] : adtsFrames(audio) };
}

async function cached(path: string, make: (target: string) => Promise<void>): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch {
    const beside = `${path}.${process.pid}.part`;
    await make(beside);
    await rename(beside, path);
    return readFile(path);
  }
}

async function encodeVideo(options: ClipOptions, target: string): Promise<void> {
  const { codec, widthPixels, heightPixels, framesPerSecond, bitsPerSecond, gopFrames } = options;
  const kilobits = `${Math.round(bitsPerSecond / 1000)}k`;
  const picture = `testsrc2=size=${widthPixels}x${heightPixels}:rate=${framesPerSecond},noise=alls=12:allf=t,format=yuv420p`;
  const encoder =
    codec === 'h264'
      ? ['libx264', '-x264-params', 'nal-hrd=cbr:force-cfr=1:sliced-threads=0:aud=0', '-profile:v', 'main']
      : ['libx265', '-x265-params', 'log-level=error:repeat-headers=1'];
  await run('ffmpeg', [
    ...['-v', 'error', '-y', '-f', 'lavfi', '-i', picture, '-t', String(clipSeconds)],
    ...[
      '-c:v',
      ...encoder,
      '-preset',
      'veryfast',
      '-bf',
      '0',
      '-g',
      String(gopFrames),
      '-keyint_min',
      String(gopFrames),
    ],
    ...['-sc_threshold', '0', '-b:v', kilobits, '-maxrate', kilobits, '-bufsize', kilobits],
    ...['-f', codec === 'h264' ? 'h264' : 'hevc', target],
  ]);
}

async function encodeAudio(target: string): Promise<void> {
  await run('ffmpeg', [
    ...['-v', 'error', '-y', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-t', String(clipSeconds)],
    ...['-ac', '1', '-c:a', 'aac', '-b:a', '64k', '-f', 'adts', target],
  ]);
}

/** One slice a picture, which x264 and x265 give here: every coded slice ends an access unit. */
function accessUnits(codec: 'h264' | 'h265', stream: Buffer): Pick<Clip, 'units' | 'keyIndexes' | 'parameterSets'> {
  const units: Buffer[][] = [];
  const keyIndexes: number[] = [];
  const parameterSets = new Map<number, Buffer>();
  let pending: Buffer[] = [];
  for (const nal of annexBNals(stream)) {
    const type = codec === 'h264' ? (nal[0] ?? 0) & 31 : ((nal[0] ?? 0) >> 1) & 63;
    const isSlice = codec === 'h264' ? type >= 1 && type <= 5 : type < 32;
    const isKey = codec === 'h264' ? type === 5 : type >= 16 && type <= 21;
    const isParameterSet = codec === 'h264' ? type === 7 || type === 8 : type >= 32 && type <= 34;
    if (isParameterSet) parameterSets.set(type, nal);
    // The encoder's own SEI (its settings as text) would be the largest part of small pictures.
    if (codec === 'h264' ? type !== 6 && type !== 9 : type !== 39 && type !== 35) pending.push(nal);
    if (!isSlice) continue;
    if (isKey) keyIndexes.push(units.length);
    units.push(pending);
    pending = [];
  }
  return {
    units,
    keyIndexes,
    parameterSets: [...parameterSets.entries()].sort((a, b) => a[0] - b[0]).map(([, nal]) => nal),
  };
}

function* annexBNals(stream: Buffer): Generator<Buffer> {
  let begin = -1;
  for (let at = stream.indexOf('\0\0\x01', 0, 'latin1'); at >= 0; at = stream.indexOf('\0\0\x01', at + 3, 'latin1')) {
    if (begin >= 0) yield trimmed(stream.subarray(begin, at));
    begin = at + 3;
  }
  if (begin >= 0) yield trimmed(stream.subarray(begin));
}

function trimmed(nal: Buffer): Buffer {
  let end = nal.length;
  while (end > 0 && nal[end - 1] === 0) end--;
  return nal.subarray(0, end);
}

function adtsFrames(stream: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at + 7 <= stream.length; ) {
    const byteLength =
      (((stream[at + 3] ?? 0) & 3) << 11) | ((stream[at + 4] ?? 0) << 3) | ((stream[at + 5] ?? 0) >> 5);
    if (byteLength < 7) break;
    frames.push(stream.subarray(at + 7, at + byteLength));
    at += byteLength;
  }
  return frames;
}
