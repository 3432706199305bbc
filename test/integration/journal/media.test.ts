/** Segment files as other programs see them: finished, open while they are written, and after recovery of a torn tail. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { appendFile, copyFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLog } from '../../../storage/base/log.ts';
import {
  readSegment,
  recoverOpenDirectory,
  type SegmentWriter,
  verifySegment,
} from '../../../storage/journal/index.ts';
import { type MatroskaHead, MatroskaReader } from '../../../storage/media/index.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { runStartServerMs, startWriter, streamId } from '../../unit/journal/kit.ts';

type Frame = { trackNumber: number; timeMs: number; isKey: boolean; bytes: Uint8Array };

/** Four seconds of ffmpeg's picture and tone, with B-frames, a key frame every second. */
function encode(directory: string): { head: MatroskaHead; frames: Frame[] } {
  const path = join(directory, 'source.mkv');
  const input = ['-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=25', '-f', 'lavfi', '-i', 'sine=frequency=440'];
  const codecs = ['-c:v', 'libx264', '-g', '25', '-bf', '2', '-preset', 'veryfast', '-c:a', 'aac', '-ac', '1'];
  const { status, stderr } = spawnSync('ffmpeg', ['-v', 'error', ...input, '-t', '4', ...codecs, path]);
  expect(status, stderr?.toString()).toBe(0);
  const frames: Frame[] = [];
  let head: MatroskaHead | undefined;
  const nothing = () => {};
  const sink = {
    head: (found: MatroskaHead) => {
      head = found;
    },
    frame: (frame: { trackNumber: number; timecode: number; relative: number; isKey: boolean; bytes: Uint8Array }) => {
      const { trackNumber, isKey } = frame;
      frames.push({ trackNumber, timeMs: frame.timecode + frame.relative, isKey, bytes: new Uint8Array(frame.bytes) });
    },
    clusterBegin: nothing,
    clusterBytes: nothing,
    clusterEnd: nothing,
    tags: nothing,
  };
  const reader = new MatroskaReader({ sink });
  reader.push(readFileSync(path));
  reader.end();
  if (head === undefined) throw new Error('no head');
  return { head, frames };
}

/** One fragment a GOP, as a recorder would cut it; the last GOP is left open when `leaveOpen`. */
function record(writer: SegmentWriter, frames: readonly Frame[], { leaveOpen = false } = {}): void {
  const keys = frames.filter((frame) => frame.trackNumber === 1 && frame.isKey).map((frame) => frame.timeMs);
  for (const [index, beginMs] of keys.entries()) {
    const endMs = keys[index + 1] ?? 4_000;
    const serverTimestampMs = runStartServerMs + beginMs;
    const counter = index + 1;
    const number = fragmentNumber(counter, serverTimestampMs, 0);
    writer.begin({ number, counter, serverTimestampMs, producerTimestampMs: serverTimestampMs, mediaTimeMs: beginMs });
    const first = frames.findIndex((frame) => frame.trackNumber === 1 && frame.timeMs === beginMs);
    const next = frames.findIndex((frame) => frame.trackNumber === 1 && frame.timeMs === endMs);
    const own = frames.slice(first, next === -1 ? undefined : next);
    for (const frame of own) writer.writeBlock(frame.trackNumber, frame.timeMs - beginMs, frame.isKey, frame.bytes);
    if (leaveOpen && index === keys.length - 1) return;
    const tracks = [1, 2].map((trackNumber) => {
      const mine = own.filter((frame) => frame.trackNumber === trackNumber);
      const payloadBytes = mine.reduce((sum, frame) => sum + frame.bytes.byteLength, 0);
      return { trackNumber, samples: mine.length, payloadBytes, beginMediaMs: beginMs, endMediaMs: endMs };
    });
    const tags = [{ name: 'place', value: 'gate' }];
    writer.commit({ durationMs: endMs - beginMs, isKey: true, hasLoss: false, tracks, tags });
  }
}

/** What ffprobe finds in a file; complaints fail the test. */
function probe(path: string): { video: number; audio: number; keyTimes: number[] } {
  const entries = ['-show_entries', 'packet=codec_type,pts_time,flags', '-of', 'csv=p=0'];
  const { stdout, stderr, status } = spawnSync('ffprobe', ['-v', 'warning', ...entries, path], { encoding: 'utf8' });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  const packets = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  const video = packets.filter(([kind]) => kind === 'video');
  const keyTimes = video.filter((packet) => packet[2]?.startsWith('K')).map((packet) => Number(packet[1]));
  return { video: video.length, audio: packets.length - video.length, keyTimes };
}

function mkvinfo(path: string): string {
  const { stdout, status } = spawnSync('mkvinfo', ['--all', path], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  expect(status).toBe(0);
  expect(stdout).not.toMatch(/error|invalid|broken/i);
  return stdout;
}

async function setUp() {
  const root = await temporaryDirectory();
  const { head, frames } = encode(root);
  const started = await startWriter(root, { tracks: head.tracks, timecodeScaleNs: head.timecodeScaleNs });
  const video = frames.filter((frame) => frame.trackNumber === 1).length;
  const keyTimes = frames.filter((f) => f.trackNumber === 1 && f.isKey).map((f) => f.timeMs / 1_000);
  return { root, frames, video, audio: frames.length - video, keyTimes, ...started };
}

test('a finished segment has every frame at its time for ffprobe and mkvinfo', async () => {
  const { writer, frames, finished, video, audio, keyTimes } = await setUp();

  record(writer, frames);
  await writer.end('shutdown');

  const [path = ''] = finished();
  expect(probe(path)).toEqual({ video, audio, keyTimes });
  expect(keyTimes).toHaveLength(4);
  const info = mkvinfo(path);
  for (const name of ['WEIR_SEGMENT', 'WEIR_COMMIT', 'WEIR_TABLE', 'place']) expect(info).toContain(name);
  expect(info).toContain('Cue point');
});

test('a finished segment decodes without a complaint, and seeks by its cues', async () => {
  const { writer, frames, finished } = await setUp();
  record(writer, frames);
  await writer.end('shutdown');

  const decode = (...args: string[]) => {
    const command = ['-v', 'warning', ...args, '-i', finished()[0] ?? '', '-f', 'framemd5', '-map', '0:v', '-'];
    const { stdout, stderr } = spawnSync('ffmpeg', command, { encoding: 'utf8' });
    return { complaints: stderr, frames: stdout.split('\n').filter((line) => /^0,/.test(line)).length };
  };

  expect(decode()).toEqual({ complaints: '', frames: 100 });
  expect(decode('-ss', '2')).toEqual({ complaints: '', frames: 50 });
});

test('an open segment plays up to what is in the file', async () => {
  const { writer, frames, keyTimes } = await setUp();

  record(writer, frames, { leaveOpen: true });
  await until('three fragments are readable', () => (writer.lastReadable?.mediaTimeMs ?? 0) >= 2_000);

  const path = writer.snapshot()[0]?.path ?? '';
  expect(probe(path).keyTimes).toEqual(keyTimes.slice(0, 3));
  mkvinfo(path);
  await writer.end('shutdown');
});

test('a recovered segment has exactly the frames of its committed fragments', async () => {
  const { root, writer, frames, finished, openDirectory, keyTimes } = await setUp();
  record(writer, frames);
  await writer.end('shutdown');
  const [source = ''] = finished();
  const { fragments } = await readSegment(source);
  const torn = join(openDirectory, streamId, source.slice(source.lastIndexOf('/') + 1));
  await copyFile(source, torn);
  const last = fragments.at(-1);
  await truncate(torn, (last?.offset ?? 0) + 5_000);
  await appendFile(torn, Buffer.alloc(70_000, 0xa3));

  const options = { directory: openDirectory, finishedDirectory: join(root, 'recovered'), files: 'all' } as const;
  const [report] = await recoverOpenDirectory({ log: silentLog }, options);

  expect(report).toMatchObject({ fragments: 3, bytesCut: 75_000 });
  const path = report?.finishedPath ?? '';
  const samples = (trackIndex: number) =>
    fragments.slice(0, 3).reduce((sum, fragment) => sum + (fragment.tracks[trackIndex]?.samples ?? 0), 0);
  expect(probe(path)).toEqual({ video: samples(0), audio: samples(1), keyTimes: keyTimes.slice(0, 3) });
  mkvinfo(path);
});

test('a flipped byte is found: in a cluster by its hash, in the head by the digest', async () => {
  const { writer, frames, finished } = await setUp();
  record(writer, frames);
  await writer.end('shutdown');
  const [path = ''] = finished();
  const { fragments } = await readSegment(path);
  const whole = await readFile(path);
  const flipped = (at: number) => {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return writeFile(path, bytes);
  };

  await flipped((fragments[2]?.offset ?? 0) + 2_000);
  const inCluster = await verifySegment(path);
  await flipped(whole.indexOf('Weir'));
  const inHead = await verifySegment(path);

  expect(inCluster).toEqual({ damaged: [fragments[2]], isDigestWrong: false });
  expect(inHead).toEqual({ damaged: [], isDigestWrong: true });
  await expect(readSegment(path)).rejects.toMatchObject({ code: 'data_loss' });
});
