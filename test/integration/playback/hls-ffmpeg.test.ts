import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Hls } from '../../../gateway/playback/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { type ClipOptions, codedClip } from './coded-clips.ts';
import { beginMs, RecordedStream, streamId } from './recorded-stream.ts';
import { serveHls } from './serve-hls.ts';

const run = promisify(execFile);

/** What ffprobe counts behind a URL. */
async function counted(url: string): Promise<{ video: number; audio: number }> {
  const show = ['-count_frames', '-show_entries', 'stream=codec_type,nb_read_frames', '-of', 'json'];
  const probe = await run('ffprobe', ['-v', 'error', ...show, url]);
  const streams: { codec_type: string; nb_read_frames: string }[] = JSON.parse(probe.stdout).streams;
  const count = (type: string) => Number(streams.find((stream) => stream.codec_type === type)?.nb_read_frames ?? 0);
  return { video: count('video'), audio: count('audio') };
}

/** What ffmpeg says when it decodes all of it. */
async function complaints(url: string): Promise<string> {
  return (await run('ffmpeg', ['-v', 'warning', '-xerror', '-nostdin', '-i', url, '-f', 'null', '-'])).stderr;
}

function hlsOf(stream: RecordedStream): Hls {
  return new Hls({ source: stream, clock: new SimulatedClock(beginMs + 3_600_000) });
}

const wholeRange = `begin=${beginMs}&end=${beginMs + 600_000}`;

describe.each<[string, ClipOptions]>([
  ['H.264 with AAC', { seconds: 8 }],
  ['H.264 with B-frames and Opus', { seconds: 8, bFrames: 3, audio: 'opus', gopPictures: 50 }],
  ['H.264 with G.711 mu-law', { seconds: 6, audio: 'pcmu' }],
  ['H.264 with G.711 A-law', { seconds: 6, audio: 'pcma' }],
  ['H.265 with B-frames and AAC', { seconds: 6, video: 'h265', bFrames: 3 }],
  ['H.264 without sound', { seconds: 4, audio: 'none' }],
  ['H.264 with pictures at uneven times', { seconds: 8, isUneven: true, bFrames: 2 }],
  ['H.264 with GOPs of 20 s', { seconds: 60, gopPictures: 500, size: '160x90' }],
  ['AAC alone', { seconds: 8, video: 'none' }],
])('recorded %s', (_, options) => {
  test('plays in ffmpeg with every frame and without a complaint', async () => {
    const clip = await codedClip(options);
    const stream = new RecordedStream();
    stream.addRun(clip, { atMs: beginMs });
    const origin = await serveHls(hlsOf(stream));

    const url = `${origin}/hls/master.m3u8?${wholeRange}`;
    const result = { ...(await counted(url)), complaints: await complaints(url) };

    const stored = (kind: string) => {
      const numbers = clip.tracks.filter((track) => track.kind === kind).map(({ number }) => number);
      return clip.frames.filter(({ trackNumber }) => numbers.includes(trackNumber)).length;
    };
    expect(result).toEqual({ video: stored('video'), audio: stored('audio'), complaints: '' });
  });
});

test('a range over three runs, one with another size and without sound, gives every picture and sound throughout', async () => {
  const stream = new RecordedStream();
  const withSound = await codedClip({ seconds: 4 });
  stream.addRun(withSound, { atMs: beginMs });
  stream.addRun(await codedClip({ seconds: 4, audio: 'none', size: '480x270' }), { atMs: beginMs + 5_000 });
  stream.addRun(withSound, { atMs: beginMs + 100_000 });
  const origin = await serveHls(hlsOf(stream));

  const { video, audio } = await counted(`${origin}/hls/master.m3u8?${wholeRange}`);

  expect(video).toBe(300);
  expect(Math.abs(audio - (12 * 48_000) / 1_024)).toBeLessThan(6);
});

test.each(['aac', 'opus', 'pcmu', 'pcma'] as const)(
  'silence in %s decodes to silence as long as the fragments',
  async (audio) => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 1, audio }), { atMs: beginMs });
    stream.addRun(await codedClip({ seconds: 6, audio: 'none' }), { atMs: beginMs + 2_000 });
    const hls = hlsOf(stream);
    const query = { begin: String(beginMs), end: String(beginMs + 10_000) };
    const master = await hls.master({ streamId, query });
    const [, uri = ''] = /URI="audio\.m3u8\?([^"]*)"/.exec(master.text) ?? [];
    const audioQuery = Object.fromEntries(new URLSearchParams(uri));
    const media = String((await hls.get({ streamId, file: 'audio.m3u8', query: audioQuery })).body);
    const files = [/init-silence-[^"]*/.exec(media)?.[0] ?? '', ...(media.match(/^silence-.*$/gm) ?? [])];

    const bytes = await Promise.all(
      files.map(async (file) => Buffer.from((await hls.get({ streamId, file, query: {} })).body)),
    );

    const path = join(await temporaryDirectory(), 'silence.mp4');
    await writeFile(path, Buffer.concat(bytes));
    const { stdout } = await run(
      'ffmpeg',
      ['-v', 'error', '-xerror', '-i', path, '-ac', '1', '-ar', '8000', '-f', 's16le', 'pipe:1'],
      {
        encoding: 'buffer',
        maxBuffer: 2 ** 24,
      },
    );
    const samples = new Int16Array(stdout.buffer, stdout.byteOffset, stdout.length / 2);
    expect(files.length).toBe(7);
    expect(samples.every((sample) => Math.abs(sample) <= 8)).toBe(true);
    expect(samples.length / 8_000).toBeCloseTo(6, 1);
  },
);
