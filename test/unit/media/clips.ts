/** Media made by other programs, once per machine and form, and what ffprobe says about files. */

import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { type MatroskaFrame, type MatroskaHead, MatroskaReader, type TagsAt } from '../../../storage/media/index.ts';

const run = promisify(execFile);
const cache = join(tmpdir(), 'weir-test-clips');

/** Two seconds of ffmpeg's test picture, 160x120 at 25 pictures a second, a key frame a second. */
const picture = '-f lavfi -i testsrc2=size=160x120:rate=25:duration=2';
const tone = '-f lavfi -i sine=frequency=440:sample_rate=48000:duration=2';
const x264 = '-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -sc_threshold 0 -threads 1';
const x265 = '-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params keyint=25:log-level=none:pools=1:bframes=2';

/** ffmpeg's arguments for each clip; the name's extension makes the container. */
const ffmpegClips = {
  'baseline.mkv': `${picture} ${x264} -profile:v baseline -bf 0`,
  'bframes.mkv': `${picture} ${x264} -bf 2 -b_strategy 0`,
  'interlaced.mkv': `${picture} ${x264} -flags +ilme+ildct -bf 0 -vf setsar=12/11`,
  'open-gop.mkv': `${picture} ${x264} -bf 2 -b_strategy 0 -x264-params open-gop=1`,
  'hevc.mkv': `${picture} ${x265}`,
  'h264-aac.mkv': `${picture} ${tone} ${x264} -bf 0 -c:a aac -ar 44100`,
  'h264-opus.mkv': `${picture} ${tone} ${x264} -bf 2 -c:a libopus`,
  'h264-alaw.mkv': `${picture} ${tone} ${x264} -bf 0 -c:a pcm_alaw -ar 8000 -ac 1`,
  'mulaw.mkv': `${tone} -c:a pcm_mulaw -ar 8000 -ac 1`,
  'live.mkv': `${picture} ${tone} ${x264} -bf 0 -c:a aac -f matroska -live 1`,
  'vp8-opus.webm': `${picture} ${tone} -c:v libvpx -deadline realtime -threads 1 -g 25 -c:a libopus`,
  'flac.mkv': `${tone} -c:a flac`,
  'baseline.h264': `${picture} ${x264} -profile:v baseline -bf 0 -f h264`,
  'hevc.h265': `${picture} ${x265} -f hevc`,
} as const;

const gstreamerClips = {
  'gstreamer.mkv':
    'videotestsrc num-buffers=50 ! video/x-raw,width=160,height=120,framerate=25/1 ! x264enc key-int-max=25 tune=zerolatency ! h264parse ! mux. ' +
    'audiotestsrc num-buffers=40 ! audio/x-raw,rate=8000,channels=1 ! alawenc ! mux. matroskamux name=mux streamable=true',
  'gstreamer-known.mkv':
    'videotestsrc num-buffers=50 ! video/x-raw,width=160,height=120,framerate=25/1 ! x264enc key-int-max=25 tune=zerolatency ! h264parse ! matroskamux',
} as const;

/** Remuxed by mkvmerge, which puts several frames of sound into one block. */
const laced = { 'laced.mkv': 'h264-aac.mkv' } as const;

export type ClipName = keyof typeof ffmpegClips | keyof typeof gstreamerClips | keyof typeof laced;

/** Path of a clip, which is made at the first call on this machine. */
export async function clipPath(name: ClipName): Promise<string> {
  const [program, ...args] = await recipe(name);
  const key = createHash('sha256').update(args.join(' ')).digest('hex').slice(0, 12);
  const path = join(cache, `${key}-${name}`);
  if (await stat(path).catch(() => undefined)) return path;
  await mkdir(cache, { recursive: true });
  const beside = join(cache, `${randomUUID()}${extname(name)}`);
  await run(program, [...args, program === 'gst-launch-1.0' ? `location=${beside}` : beside]);
  await rename(beside, path);
  return path;
}

/** Program and arguments up to the path that is written. */
async function recipe(name: ClipName): Promise<readonly [string, ...string[]]> {
  if (name in laced) return ['mkvmerge', '-q', await clipPath(laced['laced.mkv']), '-o'];
  if (name in gstreamerClips) {
    const pipeline = gstreamerClips[name as keyof typeof gstreamerClips];
    return ['gst-launch-1.0', '-q', ...pipeline.split(' '), '!', 'filesink'];
  }
  return ['ffmpeg', '-v', 'error', '-y', ...ffmpegClips[name as keyof typeof ffmpegClips].split(' ')];
}

export async function clipBytes(name: ClipName): Promise<Uint8Array> {
  return new Uint8Array(await readFile(await clipPath(name)));
}

export type Packet = {
  readonly stream_index: number;
  readonly pts: number;
  readonly dts: number;
  readonly pts_time: string;
  readonly size: string;
  readonly flags: string;
  readonly duration?: number;
};

/** Packets as ffprobe sees them, in the order of the file; fails when ffprobe says anything at all. */
export async function packetsOf(path: string): Promise<Packet[]> {
  const { stdout, stderr } = await run('ffprobe', ['-v', 'error', '-show_packets', '-of', 'json', path], {
    maxBuffer: 64 * 1024 * 1024,
  });
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout).packets;
}

/** Fields of the streams as ffprobe sees them; fails when it says anything, unless the file is torn on purpose. */
export async function streamsOf(
  path: string,
  { isTorn = false }: { readonly isTorn?: boolean } = {},
): Promise<Record<string, unknown>[]> {
  const { stdout, stderr } = await run('ffprobe', ['-v', 'error', '-show_streams', '-of', 'json', path]);
  if (stderr !== '' && !isTorn) throw new Error(stderr);
  return JSON.parse(stdout).streams;
}

/** Everything ffmpeg decodes from the arguments' inputs, as standard output; fails when it says anything at all. */
export async function decoded(...args: readonly string[]): Promise<Uint8Array> {
  const { stdout, stderr } = await run('ffmpeg', ['-v', 'error', ...args, 'pipe:1'], {
    encoding: 'buffer',
    maxBuffer: 256 * 1024 * 1024,
  });
  if (stderr.length > 0) throw new Error(stderr.toString());
  return stdout;
}

export async function mkvinfo(path: string): Promise<string> {
  return (await run('mkvinfo', ['--all', path])).stdout;
}

/** Calls back with the path of a file that holds the bytes, and removes it. */
export async function withFile<T>(name: string, bytes: Uint8Array, use: (path: string) => Promise<T>): Promise<T> {
  await mkdir(cache, { recursive: true });
  const path = join(cache, `${randomUUID()}-${name}`);
  await writeFile(path, bytes);
  try {
    return await use(path);
  } finally {
    await rm(path, { force: true });
  }
}

/** What a reader told of a file. `calls` are all its calls as text, bytes as hexadecimal. */
export type Told = {
  readonly head: MatroskaHead;
  readonly headBytes: Uint8Array;
  readonly frames: readonly (MatroskaFrame & { readonly cluster: number })[];
  readonly clusters: readonly { offset: number; end: number; timecode: number; bytes: Uint8Array }[];
  readonly tags: readonly TagsAt[];
  readonly calls: readonly string[];
};

/** Reads a file with the incremental reader, in the given pieces. */
export function read(chunks: Iterable<Uint8Array>): Told {
  let head: MatroskaHead | undefined;
  let headBytes = new Uint8Array(0);
  const frames: (MatroskaFrame & { cluster: number })[] = [];
  const clusters: { offset: number; end: number; timecode: number; bytes: Uint8Array }[] = [];
  const tags: TagsAt[] = [];
  const calls: string[] = [];
  let parts: Uint8Array[] = [];
  const note = (name: string, value: unknown) =>
    calls.push(
      `${name} ${JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? Buffer.from(v).toString('hex') : v))}`,
    );
  const reader = new MatroskaReader({
    sink: {
      head(value, bytes) {
        note('head', [value, bytes]);
        head = value;
        headBytes = new Uint8Array(bytes);
      },
      clusterBegin(cluster) {
        note('clusterBegin', cluster);
        clusters.push({ ...cluster, end: 0, bytes: new Uint8Array(0) });
        parts = [];
      },
      clusterBytes(bytes) {
        note('clusterBytes', bytes);
        parts.push(new Uint8Array(bytes));
      },
      frame(frame) {
        note('frame', frame);
        frames.push({ ...frame, bytes: new Uint8Array(frame.bytes), cluster: clusters.length - 1 });
      },
      clusterEnd({ offset, end }) {
        note('clusterEnd', { offset, end });
        const cluster = clusters.at(-1);
        if (cluster?.offset !== offset) throw new Error('clusters are not nested');
        cluster.end = end;
        cluster.bytes = new Uint8Array(Buffer.concat(parts));
      },
      tags(value) {
        note('tags', value);
        tags.push(value);
      },
    },
  });
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  if (head === undefined) throw new Error('no head was told');
  return { head, headBytes, frames, clusters, tags, calls };
}
