import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Hls } from '../../../gateway/playback/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { type ClipOptions, codedClip } from './coded-clips.ts';
import { beginMs, RecordedStream } from './recorded-stream.ts';
import { serveHls } from './serve-hls.ts';

const run = promisify(execFile);

/** What ffprobe counts behind a URL, and what ffmpeg says when it decodes it all. */
async function played(url: string): Promise<{ video: number; audio: number; complaints: string }> {
  const probe = await run('ffprobe', [
    '-v',
    'error',
    '-count_frames',
    '-show_entries',
    'stream=codec_type,nb_read_frames',
    '-of',
    'json',
    url,
  ]);
  const streams: { codec_type: string; nb_read_frames: string }[] = JSON.parse(probe.stdout).streams;
  const count = (type: string) => Number(streams.find((stream) => stream.codec_type === type)?.nb_read_frames ?? 0);
  const decoded = await run('ffmpeg', ['-v', 'warning', '-xerror', '-nostdin', '-i', url, '-f', 'null', '-']);
  return { video: count('video'), audio: count('audio'), complaints: decoded.stderr };
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

    const result = await played(`${origin}/hls/master.m3u8?${wholeRange}`);

    const stored = (kind: string) => {
      const numbers = clip.tracks.filter((track) => track.kind === kind).map(({ number }) => number);
      return clip.frames.filter(({ trackNumber }) => numbers.includes(trackNumber)).length;
    };
    expect(result).toEqual({ video: stored('video'), audio: stored('audio'), complaints: '' });
  });
});
