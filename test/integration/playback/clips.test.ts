import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Clip, Clips } from '../../../gateway/playback/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { type ClipOptions, codedClip } from './coded-clips.ts';
import { beginMs, type CodedClip, RecordedStream, streamId } from './recorded-stream.ts';

const run = promisify(execFile);

/** Rounding of stored times; ffmpeg takes the encoder delay of Opus, 6.5 ms, off. */
const soundToleranceMs = 8;

function clipsOf(stream: RecordedStream): Clips {
  return new Clips({ source: stream, log: silentLog });
}

async function bytesOf(clip: Clip, range?: { begin: number; end: number }): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of clip.read(range)) parts.push(part);
  return Buffer.concat(parts);
}

async function saved(clip: Clip): Promise<string> {
  const path = join(await temporaryDirectory(), 'clip.mp4');
  await writeFile(path, await bytesOf(clip));
  return path;
}

type Probe = {
  format: { duration: string; tags: Record<string, string> };
  streams: { codec_type: string; codec_name: string; nb_read_frames: string }[];
  frames: { media_type: string; pts_time: string }[];
};

/** What ffprobe finds in a file, and what ffmpeg says when it decodes all of it. */
async function probed(path: string): Promise<Probe & { complaints: string }> {
  const { stdout } = await run(
    'ffprobe',
    ['-v', 'error', '-count_frames', '-show_streams', '-show_format', '-show_frames', '-of', 'json', path],
    { maxBuffer: 2 ** 26 },
  );
  const decoded = await run('ffmpeg', [
    '-v',
    'warning',
    '-xerror',
    '-nostdin',
    '-i',
    path,
    '-map',
    '0',
    '-f',
    'null',
    '-',
  ]);
  return { ...JSON.parse(stdout), complaints: decoded.stderr };
}

function stored(clip: CodedClip, kind: string): CodedClip['frames'] {
  const numbers = clip.tracks.filter((track) => track.kind === kind).map(({ number }) => number);
  return clip.frames.filter(({ trackNumber }) => numbers.includes(trackNumber));
}

function times(probe: Probe, type: string): number[] {
  return probe.frames.filter((frame) => frame.media_type === type).map((frame) => Number(frame.pts_time));
}

describe.each<[string, ClipOptions, string]>([
  ['H.264 with AAC', { seconds: 6 }, 'aac'],
  ['H.264 with B-frames and Opus', { seconds: 6, bFrames: 3, audio: 'opus', gopPictures: 50 }, 'opus'],
  ['H.264 with G.711 mu-law', { seconds: 6, audio: 'pcmu' }, 'flac'],
  ['H.264 with G.711 A-law', { seconds: 6, audio: 'pcma' }, 'flac'],
  ['H.265 with B-frames and AAC', { seconds: 6, video: 'h265', bFrames: 3 }, 'aac'],
  ['H.264 with pictures at uneven times', { seconds: 6, isUneven: true, bFrames: 2 }, 'aac'],
  ['H.264 with GOPs of 20 s', { seconds: 45, gopPictures: 500, size: '160x90' }, 'aac'],
  ['H.264 without sound', { seconds: 4, audio: 'none' }, 'none'],
  ['AAC alone', { seconds: 6, video: 'none' }, 'aac'],
])('a clip of %s', (_, options, audioName) => {
  test('has the promised length, every frame, and sound in step with the picture', async () => {
    const coded = await codedClip(options);
    const stream = new RecordedStream();
    stream.addRun(coded, { atMs: beginMs });

    const clip = await clipsOf(stream).open(streamId, { beginMs, endMs: beginMs + 60_000 });
    const path = await saved(clip);

    const probe = await probed(path);
    expect(probe.complaints).toBe('');
    expect((await bytesOf(clip)).length).toBe(clip.byteLength);
    const video = stored(coded, 'video');
    expect(times(probe, 'video').length).toBe(video.length);
    const audio = stored(coded, 'audio');
    expect(probe.streams.find(({ codec_type }) => codec_type === 'audio')?.codec_name ?? 'none').toBe(audioName);
    if (audioName !== 'flac') expect(times(probe, 'audio').length).toBe(audio.length);
    expect(Date.parse(must(probe.format.tags.creation_time, 'has a creation time'))).toBe(beginMs);
    // The file's own timeline has the decoding lead before the first picture.
    expect(Number(probe.format.duration) * 1000 - clip.durationMs).toBeGreaterThan(-10);
    expect(Number(probe.format.duration) * 1000 - clip.durationMs).toBeLessThan(300);
    const shownMs = times(probe, 'video').map((s) => s * 1000);
    const expectedMs = video.map(({ timeMs }) => timeMs).sort((a, b) => a - b);
    const originMs = (shownMs[0] ?? 0) - (expectedMs[0] ?? 0);
    for (const [at, ms] of shownMs.entries()) expect(Math.abs(ms - originMs - (expectedMs[at] ?? 0))).toBeLessThan(1);
    if (audio.length > 0 && audioName !== 'flac') {
      const heardMs = times(probe, 'audio').map((s) => s * 1000);
      for (const [at, ms] of heardMs.entries()) {
        expect(Math.abs(ms - originMs - must(audio[at], 'as many frames').timeMs)).toBeLessThan(soundToleranceMs);
      }
    }
  });
});

test('any byte range is a slice of the whole', async () => {
  const stream = new RecordedStream();
  stream.addRun(await codedClip({ seconds: 6, audio: 'pcmu' }), { atMs: beginMs });
  stream.addRun(await codedClip({ seconds: 4, audio: 'none' }), { atMs: beginMs + 20_000 });
  const clip = await clipsOf(stream).open(streamId, { beginMs, endMs: beginMs + 60_000 });
  const whole = await bytesOf(clip);
  const place = fc.integer({ min: 0, max: whole.length });

  await fc.assert(
    fc.asyncProperty(place, place, async (a, b) => {
      const range = { begin: Math.min(a, b), end: Math.max(a, b) };

      const bytes = await bytesOf(clip, range);

      expect(bytes.equals(whole.subarray(range.begin, range.end))).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('a byte range reads only the fragments it touches, and opening a clip reads none', async () => {
  const stream = new RecordedStream();
  stream.addRun(await codedClip({ seconds: 10 }), { atMs: beginMs });

  const clip = await clipsOf(stream).open(streamId, { beginMs, endMs: beginMs + 60_000 });
  expect(stream.clusterReads).toBe(0);
  await bytesOf(clip, { begin: clip.byteLength - 100, end: clip.byteLength });

  expect(stream.clusterReads).toBe(1);
});

test('a clip begins at the key frame before the asked time and ends with the fragment that holds its end', async () => {
  const stream = new RecordedStream();
  stream.addRun(await codedClip({ seconds: 10 }), { atMs: beginMs });

  const clip = await clipsOf(stream).open(streamId, { beginMs: beginMs + 2_500, endMs: beginMs + 4_200 });

  expect(clip.spans).toEqual([{ beginMs: beginMs + 2_000, endMs: beginMs + 5_000 }]);
  expect(clip.durationMs).toBeGreaterThanOrEqual(3_000);
  expect(clip.durationMs).toBeLessThan(3_100);
});

test('a clip over a change of picture size, a gap and a run without sound plays through', async () => {
  const stream = new RecordedStream();
  const first = await codedClip({ seconds: 3 });
  const second = await codedClip({ seconds: 3, audio: 'none', size: '480x270' });
  stream.addRun(first, { atMs: beginMs });
  stream.addRun(second, { atMs: beginMs + 10_000 });
  stream.addRun(first, { atMs: beginMs + 20_000 });

  const collapsed = await clipsOf(stream).open(streamId, { beginMs, endMs: beginMs + 60_000 });
  const kept = await clipsOf(stream).open(streamId, { beginMs, endMs: beginMs + 60_000, gaps: 'kept' });

  expect(collapsed.durationMs / 1000).toBeCloseTo(9, 0);
  expect(kept.durationMs / 1000).toBeCloseTo(23, 0);
  expect(collapsed.spans.length).toBe(3);
  for (const clip of [collapsed, kept]) {
    const probe = await probed(await saved(clip));
    expect(probe.complaints).toBe('');
    expect(times(probe, 'video').length).toBe(225);
    expect(times(probe, 'audio').length).toBe(2 * stored(first, 'audio').length);
    const pictures = times(probe, 'video');
    expect(pictures).toEqual(pictures.toSorted((a, b) => a - b));
  }
});

test('a damaged fragment leaves a hole, not a broken clip', async () => {
  const stream = new RecordedStream();
  const [, second] = stream.addRun(await codedClip({ seconds: 4 }), { atMs: beginMs });
  stream.damage(must(second, 'has fragments'));

  const clip = await clipsOf(stream).open(streamId, { beginMs, endMs: beginMs + 60_000 });

  const bytes = await bytesOf(clip);
  expect(bytes.length).toBe(clip.byteLength);
  const probe = await probed(await saved(clip));
  expect(times(probe, 'video').length).toBe(75);
});

test('a range without media is an error that tells where media lie', async () => {
  const stream = new RecordedStream();
  stream.addRun(await codedClip({ seconds: 2 }), { atMs: beginMs });

  const opened = clipsOf(stream).open(streamId, { beginMs: beginMs + 60_000, endMs: beginMs + 70_000 });

  await expect(opened).rejects.toMatchObject({ code: 'not_found', context: { nearestBeforeMs: beginMs + 2_000 } });
});

test('an empty range is refused', async () => {
  const opened = clipsOf(new RecordedStream()).open(streamId, { beginMs, endMs: beginMs });

  await expect(opened).rejects.toMatchObject({ code: 'invalid_argument' });
});
