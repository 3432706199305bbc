import { expect, test } from 'vitest';
import type { Paths } from '../../../storage/model/paths.ts';
import { readFrameNumbers, startGstCamera } from '../../kit/gst-camera.ts';
import { until } from '../../kit/until.ts';
import {
  streamId as liveStreamId,
  numbersIn,
  plannedOf,
  planOf,
  sourceOf,
  startIngest,
  storedFiles,
} from '../ingest/ingest-kit.ts';
import { beginMs, encodeClip, RecordedStream, streamId } from '../playback/recorded-stream.ts';
import { areConsecutive, framesOf, noLane, readerOf, recordWithFfmpeg, startRtspServer } from './kit.ts';

/** Ten seconds of counted pictures with B-frames, GOPs of a second, and sound. */
async function tenSeconds() {
  const video = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=10'];
  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000:duration=10'];
  const coding = ['-c:v', 'libx264', '-preset', 'veryfast', '-g', '25', '-bf', '0', '-c:a', 'aac', '-shortest'];
  return encodeClip([...video, ...sound, ...coding]);
}

const at = (offsetMs: number) => new Date(beginMs + offsetMs).toISOString();

test('what a camera recorded comes back picture by picture, from any moment, at the pace of the clock', async () => {
  const camera = await startGstCamera({ audio: 'aac', gopFrames: 25 });
  const { ingest, paths, client } = await startIngest();
  await ingest.apply(planOf(plannedOf(sourceOf(camera))));
  const reader = await readerOf(paths, client);
  await until('8 s are recorded', async () => {
    const fragments = (await storedFiles(paths)).flatMap((file) => file.fragments);
    return fragments.length >= 8 ? fragments : undefined;
  });
  const [first] = (await storedFiles(paths)).flatMap((file) => file.fragments);
  const startMs = (first?.serverTimestampMs ?? 0) + 2_000;
  const endMs = startMs + 4_000;
  const { url } = await startRtspServer({ client, source: reader });
  const begunMs = Date.now();

  const { path } = await recordWithFfmpeg(url(`${liveStreamId}?start=${startMs}&end=${endMs}`));

  const numbers = await readFrameNumbers(path);
  expect(numbers).toEqual(await storedNumbers(paths, { startMs, endMs }));
  expect(areConsecutive(numbers)).toBe(true);
  expect(numbers.length).toBeGreaterThanOrEqual(100);
  expect(Date.now() - begunMs).toBeGreaterThan(3_000);
});

/**
 * Of the pictures of a camera with GOPs of a second: those from the key frame at or before a moment up to another. They may be
 * more than the clock's: what a camera kept back at its beginning lies closer in server time.
 */
async function storedNumbers(paths: Paths, { startMs, endMs }: { readonly startMs: number; readonly endMs: number }) {
  const files = await storedFiles(paths);
  const fragments = files.flatMap((file) => file.fragments);
  const lead = fragments.findLastIndex(({ serverTimestampMs }) => serverTimestampMs <= startMs);
  const gop = Array.from({ length: 25 }, (_, picture) => picture * 40);
  const timesMs = fragments.flatMap(({ serverTimestampMs }) => gop.map((afterMs) => serverTimestampMs + afterMs));
  const numbers = await numbersIn(files);
  return numbers.slice(lead * gop.length).filter((_, i) => (timesMs[lead * gop.length + i] ?? endMs) < endMs);
}

test('a gap is skipped but for a second, and playing goes on behind it', async () => {
  const clip = await tenSeconds();
  const stream = new RecordedStream();
  stream.addRun(clip, { atMs: beginMs });
  stream.addRun(clip, { atMs: beginMs + 3_600_000 });
  const { url } = await startRtspServer({ client: noLane, source: stream });

  const { path } = await recordWithFfmpeg(url(`${streamId}?start=${at(8_000)}&end=${at(3_602_000)}`));

  const { video, audio } = await framesOf(path);

  expect(video.length).toBe(100);
  expect(audio.length).toBeGreaterThan(180);
  // ffmpeg follows the sender reports: nobody waited for an hour, and the file has the real time.
  expect(video[50]).toBeCloseTo(3_592, 1);
});
