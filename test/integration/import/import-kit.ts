/** Imports into an `Ingest` of the test's process whose camera never comes, and what came of them as a player sees it. */

import { createReadStream } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type ImportRequest, type ImportStatus, Imports } from '../../../gateway/import/index.ts';
import { Clips } from '../../../gateway/playback/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { LaneClient } from '../../../storage/lane/index.ts';
import { StreamReader } from '../../../storage/reader/index.ts';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { plannedOf, planOf, startIngest, streamId } from '../ingest/ingest-kit.ts';

/** An hour that lies in the past whenever the test runs. */
export const atMs = Date.UTC(2026, 0, 31, 12);

/** @param options.data  where the ingest keeps everything; a directory of its own otherwise */
export async function setUpImports(options: { readonly data?: string } = {}) {
  const started = await startIngest({ openSource: () => ({ run: untilAborted }), ...options });
  const { ingest, paths } = started;
  await ingest.apply(planOf(plannedOf({ kind: 'rtsp', url: 'rtsp://192.0.2.1/', transport: 'tcp', tls: 'any' })));
  const reader = new StreamReader({ clock: systemClock, log: silentLog, paths, watcher: started.client });
  await reader.start();
  const client = new LaneClient(
    { clock: systemClock, log: silentLog },
    { path: join(paths.run, 'ingest-0.sock'), name: 'imports' },
  );
  const imports = new Imports(
    { clock: systemClock, log: silentLog, footage: reader, ownerOf: () => client },
    { directory: paths.imports, ffmpegPath: 'ffmpeg', ffprobePath: 'ffprobe' },
  );
  await imports.start();
  onTestFinished(async () => {
    await imports.close();
    await client.close();
    await reader.close();
  });
  const directory = await temporaryDirectory();
  const clips = new Clips({ source: reader, log: silentLog });

  const bring = async (path: string, options: Partial<ImportRequest> = {}): Promise<ImportStatus> => {
    const { size } = await stat(path);
    const { importId } = await imports.create({
      ...{ streamId, name: basename(path), at: atMs, onTaken: 'refuse', admit: async () => {} },
      ...{ body: createReadStream(path), byteLength: size },
      ...options,
    });
    return until('the import ends', () => {
      const status = imports.find(importId);
      return status?.endedMs === undefined ? undefined : status;
    });
  };
  /** Frames of an MP4 clip of a span, by ffprobe, all of them decoded. */
  const clipFrames = async (span: { beginMs: number; endMs: number }): Promise<Record<string, number>> => {
    const clip = await clips.open(streamId, span);
    const chunks: Uint8Array[] = [];
    for await (const chunk of clip.read({ begin: 0, end: clip.byteLength })) chunks.push(Uint8Array.from(chunk));
    const path = join(directory, 'clip.mp4');
    await writeFile(path, Buffer.concat(chunks));
    return framesIn(path);
  };
  /** Samples of each track in the fragments of a span. */
  const storedSamples = async (span: { beginMs: number; endMs: number }): Promise<Record<number, number>> => {
    const samples: Record<number, number> = {};
    for (const { fragment } of await reader.fragmentsBetween(streamId, span)) {
      for (const track of fragment.tracks) {
        samples[track.trackNumber] = (samples[track.trackNumber] ?? 0) + track.samples;
      }
    }
    return samples;
  };
  return { ...started, imports, reader, owner: client, directory, bring, clipFrames, storedSamples };
}

/** Makes a file with ffmpeg. */
export async function makeFile(path: string, args: readonly string[]): Promise<string> {
  const { code, err } = await runCommand('ffmpeg', ['-v', 'error', '-y', ...args, path]);
  if (code !== 0) throw new Error(`ffmpeg: ${err}`);
  return path;
}

/** 10 s of counted pictures at 25 a second, and a tone. */
export const picture = ['-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=25:duration=10'];
export const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=10:sample_rate=48000'];
/** B-pictures, a key frame a second. */
export const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '25', '-bf', '3'];

/** Decoded frames by codec. */
export async function framesIn(path: string): Promise<Record<string, number>> {
  const what = ['-count_frames', '-show_entries', 'stream=codec_name,nb_read_frames', '-of', 'csv=p=0'];
  const { out, err } = await runCommand('ffprobe', ['-v', 'error', ...what, path]);
  if (err !== '') throw new Error(`ffprobe: ${err}`);
  const frames: Record<string, number> = {};
  for (const line of out.trim().split('\n')) {
    const [codec = '', count = '0'] = line.split(',');
    frames[codec] = (frames[codec] ?? 0) + Number(count);
  }
  return frames;
}

/** Packets of one stream of a file. */
export async function packetsIn(path: string, stream: string): Promise<number> {
  const what = [
    '-count_packets',
    '-select_streams',
    stream,
    '-show_entries',
    'stream=nb_read_packets',
    '-of',
    'csv=p=0',
  ];
  const { out } = await runCommand('ffprobe', ['-v', 'error', ...what, path]);
  return Number.parseInt(out, 10);
}

function untilAborted(_sink: unknown, signal: AbortSignal) {
  const end = { reason: 'shutdown', message: 'ended', hint: '', isRetryable: true } as const;
  return new Promise<typeof end>((resolve) => signal.addEventListener('abort', () => resolve(end)));
}
