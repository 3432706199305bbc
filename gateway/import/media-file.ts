/**
 * What a file holds and what becomes of it: ffprobe's answer, and the decision track by track whether it is copied, converted or
 * left out. The parsers of the whole world's files run in that child, never here.
 */

import { spawn } from 'node:child_process';
import { z } from 'zod';
import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import { mediaEnvironment, yieldToCameras } from '../../storage/base/media-programs.ts';
import { limits } from '../../storage/model/limits.ts';

/** Containers that are taken: others may name further files or addresses, which nobody gave us. */
export const formats = 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts';

export type FileTrack = {
  /** Number of the stream in the file. */
  readonly index: number;
  readonly kind: 'video' | 'audio';
  /** As ffmpeg calls it. */
  readonly codec: string;
  readonly how: 'copy' | 'convert';
  /** Bytes of the length before each NAL unit; undefined where they have none, or nobody knows. */
  readonly nalLengthBytes: number | undefined;
};

export type MediaFile = {
  readonly isTransportStream: boolean;
  /** Undefined where the file does not tell. */
  readonly durationMs: number | undefined;
  /** When it was made, by its own account. */
  readonly creationMs: number | undefined;
  readonly tracks: readonly FileTrack[];
  /** What is converted and what is left out, for people. */
  readonly notes: readonly string[];
};

const probeShape = z.object({
  format: z.object({
    format_name: z.string(),
    duration: z.string().optional(),
    tags: z.record(z.string(), z.string()).optional(),
  }),
  streams: z
    .array(
      z.object({
        index: z.number().int().nonnegative(),
        codec_type: z.string().optional(),
        codec_name: z.string().optional(),
        nal_length_size: z.string().optional(),
        width: z.number().optional(),
        height: z.number().optional(),
        disposition: z.record(z.string(), z.number()).optional(),
        tags: z.record(z.string(), z.string()).optional(),
      }),
    )
    .max(1_000),
});

type Probed = z.infer<typeof probeShape>;

/** Codecs that are stored as they are; all others become H.264 or AAC. */
const kept = {
  video: new Set(['h264', 'hevc']),
  audio: new Set(['aac', 'opus', 'pcm_mulaw', 'pcm_alaw']),
};

const answerBytesMax = 4 * 1024 * 1024;
const errorTextMax = 2_000;
/** An index of hours on a busy disk is read in seconds; a probe that takes longer hangs. */
const probeTimeoutMs = 60_000;

/** Nice value of whatever an import computes: the processor is its when nobody else wants it. */
export const importNiceness = 19;

/**
 * Looks into a file.
 *
 * @throws AppError data_loss         it cannot be read, or is of another container
 * @throws AppError invalid_argument  nothing in it can be kept
 * @throws AppError unavailable       there is no ffprobe
 */
export async function probeFile(
  { clock }: { readonly clock: Clock },
  options: { readonly path: string; readonly ffprobePath: string; readonly signal: AbortSignal },
): Promise<MediaFile> {
  const text = await answerOf(clock, options);
  const probed = probeShape.safeParse(parseJson(text));
  if (!probed.success) throw appError('data_loss', 'file cannot be read', { hint: 'is it MP4, MKV or MPEG-TS?' });
  return mediaFileOf(probed.data);
}

/** Decides what becomes of each stream. Pure. @throws AppError invalid_argument  nothing in it can be kept */
export function mediaFileOf({ format, streams }: Probed): MediaFile {
  const notes: string[] = [];
  const tracks: FileTrack[] = [];
  const isFull = (kind: FileTrack['kind']) =>
    kind === 'video' ? tracks.some((track) => track.kind === 'video') : tracks.length >= limits.tracksMax;
  // The picture first, then sound, each the default one first.
  const ordered = streams.toSorted((a, b) => rankOf(a) - rankOf(b) || a.index - b.index);
  for (const stream of ordered) {
    const { codec_type: type, codec_name: codec = 'unknown', index } = stream;
    if ((type !== 'video' && type !== 'audio') || stream.disposition?.attached_pic === 1) {
      notes.push(`stream ${index} (${type ?? 'unknown'}, ${codec}) is left out`);
      continue;
    }
    if (isFull(type)) {
      notes.push(`stream ${index} (${type}, ${codec}) is left out: one picture and ${limits.tracksMax} tracks in all`);
      continue;
    }
    if (type === 'video' && !isPicture(stream)) {
      notes.push(`stream ${index} (${type}, ${codec}) is left out: its pictures cannot be read, or are too large`);
      continue;
    }
    const how = kept[type].has(codec) ? 'copy' : 'convert';
    if (how === 'convert') {
      notes.push(`stream ${index} (${type}) is converted from ${codec} to ${type === 'video' ? 'H.264' : 'AAC'}`);
    }
    const nalLengthBytes = Number(stream.nal_length_size ?? 0) || undefined;
    tracks.push({ index, kind: type, codec, how, nalLengthBytes });
  }
  if (tracks.length === 0) {
    const hint = notes.length === 0 ? undefined : notes.slice(0, 3).join('; ');
    throw appError('invalid_argument', 'the file has neither picture nor sound', hint === undefined ? {} : { hint });
  }
  const seconds = Number(format.duration ?? Number.NaN);
  return {
    isTransportStream: format.format_name === 'mpegts',
    durationMs: Number.isFinite(seconds) && seconds > 0 ? Math.round(seconds * 1_000) : undefined,
    creationMs: creationOf([format.tags, ...streams.map((stream) => stream.tags)]),
    tracks,
    notes,
  };
}

/** `ffprobe` beside `ffmpeg`. */
export function ffprobeBeside(ffmpegPath: string): string {
  return ffmpegPath.replace(/ffmpeg(?=[^/]*$)/, 'ffprobe');
}

function rankOf({ codec_type: type, disposition }: Probed['streams'][number]): number {
  return (type === 'video' ? 0 : 2) + (disposition?.default === 1 ? 0 : 1);
}

/** ffprobe tells no size, or 0, of what it could not decode, which is how it refuses pictures beyond the bound. */
function isPicture({ width = 1, height = 1 }: Probed['streams'][number]): boolean {
  const pixels = width * height;
  return pixels > 0 && pixels <= limits.picturePixelsMax;
}

/** QuickTime's own tag knows the zone; MP4's is UTC, and 1904 when nobody set it. */
function creationOf(tags: readonly (Readonly<Record<string, string>> | undefined)[]): number | undefined {
  for (const name of ['com.apple.quicktime.creationdate', 'creation_time', 'DATE_RECORDED']) {
    for (const each of tags) {
      const ms = Date.parse(each?.[name] ?? '');
      if (Number.isFinite(ms) && ms > 0) return ms;
    }
  }
  return undefined;
}

function answerOf(
  clock: Clock,
  options: { readonly path: string; readonly ffprobePath: string; readonly signal: AbortSignal },
): Promise<string> {
  const { path, ffprobePath, signal } = options;
  const what = ['-show_format', '-show_streams', '-of', 'json'];
  const bounds = [
    '-format_whitelist',
    formats,
    '-protocol_whitelist',
    'file',
    '-max_pixels',
    String(limits.picturePixelsMax),
  ];
  const input = [...bounds, '-i', `file:${path}`];
  return new Promise((resolve, reject) => {
    const child = spawn(ffprobePath, ['-v', 'error', ...what, ...input], {
      ...{ stdio: ['ignore', 'pipe', 'pipe'], env: mediaEnvironment(), signal },
    });
    yieldToCameras(child.pid, { niceness: importNiceness });
    let text = '';
    let errors = '';
    let isTimedOut = false;
    const cancel = clock.after(probeTimeoutMs, () => {
      isTimedOut = true;
      child.kill('SIGKILL');
    });
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.length > answerBytesMax) child.kill('SIGKILL');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-errorTextMax);
    });
    child.once('error', (error) => {
      cancel();
      reject(
        signal.aborted
          ? appError('cancelled', 'import was cancelled')
          : appError('unavailable', `ffprobe cannot be started: ${error.message}`, { cause: error }),
      );
    });
    child.once('close', (code) => {
      cancel();
      if (code === 0) resolve(text);
      else if (isTimedOut) reject(appError('deadline_exceeded', 'the file could not be looked into in time'));
      else {
        reject(
          appError('data_loss', `file cannot be read: ${lastLine(errors, path)}`, {
            hint: 'MP4, MKV and MPEG-TS are taken; an MP4 without its end has no index and cannot be read by anyone',
          }),
        );
      }
    });
  });
}

/** The last thing a child said, without the path that means nothing to the sender. */
export function lastLine(text: string, path: string): string {
  const line = text.trim().split('\n').at(-1) ?? '';
  return line.replaceAll(`file:${path}`, 'the file').replaceAll(path, 'the file').slice(0, 300) || 'no reason given';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
