/** GetClip and GetImages by the AWS SDK, judged by ffprobe and ffmpeg. Numbers are those of the checklist. */

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GetClipCommand, GetImagesCommand, type GetImagesInput } from '@aws-sdk/client-kinesis-video-archived-media';
import { expect, test } from 'vitest';
import type { TimeRange } from '../../../gateway/playback/index.ts';
import { probeFrames } from '../../kit/judge.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { codedClip, pictureOfGrey } from '../playback/coded-clips.ts';
import { type PlaybackSite, startPlaybackSite, TimedStream } from './playback-kit.ts';

const run = promisify(execFile);
/** Within the retention of a day. */
const hourAgoMs = Math.floor(performance.timeOrigin / 1000) * 1000 - 3_600_000;
const at = (seconds: number) => new Date(hourAgoMs + seconds * 1000);

async function recorded(clip: Parameters<typeof codedClip>[0] = { seconds: 6 }): Promise<TimedStream> {
  const stream = new TimedStream();
  stream.addRun(await codedClip(clip), { atMs: hourAgoMs });
  return stream;
}

function clipOf({ archive, front }: PlaybackSite, begin: number, end: number, StreamName = front) {
  const TimestampRange = { StartTimestamp: at(begin), EndTimestamp: at(end) };
  const ClipFragmentSelector = { FragmentSelectorType: 'SERVER_TIMESTAMP', TimestampRange } as const;
  return archive.send(new GetClipCommand({ StreamName, ClipFragmentSelector }));
}

async function saved(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(await temporaryDirectory(), name);
  await writeFile(path, bytes);
  return path;
}

type Wanted = Partial<GetImagesInput>;

function imagesOf({ archive, front }: PlaybackSite, begin: number, end: number, wanted: Wanted = {}) {
  return archive.send(
    new GetImagesCommand({
      ...{ StreamName: front, ImageSelectorType: 'SERVER_TIMESTAMP', Format: 'JPEG' },
      ...{ StartTimestamp: at(begin), EndTimestamp: at(end), ...wanted },
    }),
  );
}

test('what was removed is told behind the words of AWS, and by producer time nobody knows', async () => {
  const stream = await recorded({ seconds: 2 });
  const absent = { kind: 'removed', reason: 'age', text: 'removed: older than 30 days', removedMs: hourAgoMs } as const;
  const site = await startPlaybackSite(
    Object.assign(stream, { absence: (_: string, range: TimeRange) => ({ ...range, ...absent }) }),
  );
  const byProducer = { ImageSelectorType: 'PRODUCER_TIMESTAMP' } as const;

  await expect(clipOf(site, 1_000, 1_060)).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message:
      'No fragments found in the stream for the clip request. The footage of that time was removed: older than 30 days.',
  });
  await expect(imagesOf(site, 3_700, 3_990)).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message:
      'No fragments found in the stream for the images request. The footage of that time was removed: older than 30 days.',
  });
  await expect(imagesOf(site, 3_700, 3_990, byProducer)).rejects.toMatchObject({
    message: 'No fragments found in the stream for the images request.',
  });
});

async function sizeOf(content: string | undefined): Promise<string> {
  const path = await saved('image', Buffer.from(content ?? '', 'base64'));
  const what = ['-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0'];
  const { stdout } = await run('ffprobe', ['-v', 'error', ...what, path]);
  return stdout.trim();
}

/** Mean grey of a picture, 0 .. 255. */
async function greyOf(content: string | undefined): Promise<number> {
  const path = await saved('image', Buffer.from(content ?? '', 'base64'));
  const raw = ['-vf', 'scale=1:1', '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'];
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', path, ...raw], { encoding: 'buffer' });
  return stdout[0] ?? -1;
}

test.each([
  ['H.264 with AAC', {}, ['h264', 'aac']],
  ['H.264 with G.711 A-law', { audio: 'pcma' }, ['h264', 'flac']],
  ['H.265', { video: 'h265', audio: 'none' }, ['hevc']],
] as const)('(91) a clip of %s has every picture of the fragments that begin in its range', async (_, clip, codecs) => {
  const site = await startPlaybackSite(await recorded({ seconds: 6, ...clip }));

  const { ContentType, Payload } = await clipOf(site, 1, 3.5);
  const bytes = await Payload?.transformToByteArray();

  const found = await probeFrames(await saved('clip.mp4', bytes ?? new Uint8Array()));
  expect(ContentType).toBe('video/mp4');
  expect(found.map(({ codec_name }) => codec_name)).toEqual(codecs);
  expect(found[0]?.nb_read_frames).toBe('75');
  expect(site.counted.get('GetClip.OutgoingBytes')).toBe(bytes?.length);
});

test('(91) a clip ends with its two hundredth fragment', async () => {
  const stream = await recorded({ seconds: 9, gopPictures: 1, audio: 'none', size: '64x36' });
  const site = await startPlaybackSite(stream);

  const { Payload } = await clipOf(site, 0, 3_600);

  const [video] = await probeFrames(
    await saved('clip.mp4', (await Payload?.transformToByteArray()) ?? new Uint8Array()),
  );
  expect(stream.fragments.length).toBeGreaterThan(200);
  expect(video?.nb_read_frames).toBe('200');
});

test('(88, 89, 91) what cannot be a clip is an exception of the model', async () => {
  const stream = await recorded({ seconds: 2 });
  const [damaged] = stream.addRun(await codedClip({ seconds: 2 }), { atMs: hourAgoMs + 100_000 });
  if (damaged !== undefined) stream.damage(damaged);
  stream.addRun(await codedClip({ seconds: 2, size: '640x360' }), { atMs: hourAgoMs + 200_000 });
  const site = await startPlaybackSite(stream);

  await expect(clipOf(site, 1_000, 1_060)).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message: 'No fragments found in the stream for the clip request.',
  });
  await expect(clipOf(site, 5, 5)).rejects.toMatchObject({ name: 'InvalidArgumentException' });
  await expect(clipOf(site, 0, 86_401)).rejects.toMatchObject({ name: 'InvalidArgumentException' });
  await expect(clipOf(site, 0, 10, site.yard)).rejects.toMatchObject({ name: 'NoDataRetentionException' });
  await expect(clipOf(site, 0, 300)).rejects.toMatchObject({ name: 'InvalidCodecPrivateDataException' });
  await expect(clipOf(site, 99, 102)).rejects.toMatchObject({ name: 'InvalidMediaFrameException' });
});

test('(92) images are of their very moment, between key frames too', async () => {
  const site = await startPlaybackSite(
    await recorded({ seconds: 4, gopPictures: 50, bFrames: 2, isCounting: true, audio: 'none' }),
  );

  const { Images = [] } = await imagesOf(site, 0.5, 3.5, {
    SamplingInterval: 400,
    Format: 'PNG',
  });

  expect(Images.map(({ TimeStamp }) => TimeStamp?.getTime())).toEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].map((n) => hourAgoMs + 500 + n * 400),
  );
  const shown = await Promise.all(Images.map(async (image) => pictureOfGrey(await greyOf(image.ImageContent))));
  // 40 ms a picture: half a second is in the twelfth, counted from 0. Coding changes its grey by that of a neighbour at most.
  for (const [n, picture] of shown.entries()) expect(Math.abs(picture - (12 + 10 * n))).toBeLessThanOrEqual(1);
});

test('(92) images come in either format, in their own size, stretched, or in proportion to one side', async () => {
  const site = await startPlaybackSite(await recorded({ seconds: 2 }));
  const size = async (wanted: Wanted) => sizeOf((await imagesOf(site, 0, 1, wanted)).Images?.[0]?.ImageContent);

  expect(await size({})).toBe('mjpeg,320,180');
  expect(await size({ Format: 'PNG' })).toBe('png,320,180');
  expect(await size({ WidthPixels: 100, HeightPixels: 100 })).toBe('mjpeg,100,100');
  expect(await size({ Format: 'PNG', HeightPixels: 90 })).toBe('png,160,90');
  const bytes = async (JPEGQuality: string) =>
    (await imagesOf(site, 0, 1, { FormatConfig: { JPEGQuality } })).Images?.[0]?.ImageContent?.length ?? 0;
  expect(await bytes('100')).toBeGreaterThan(2 * (await bytes('10')));
});

test('(92) 25 images make a page, and moments without media or with damaged ones say so', async () => {
  const stream = await recorded({ seconds: 4, audio: 'none', size: '64x36' });
  const [damaged] = stream.addRun(await codedClip({ seconds: 1, audio: 'none', size: '64x36' }), {
    atMs: hourAgoMs + 5_000,
  });
  if (damaged !== undefined) stream.damage(damaged);
  const site = await startPlaybackSite(stream);
  const wanted = { SamplingInterval: 200, MaxResults: 100 };

  const first = await imagesOf(site, 0, 6, wanted);
  const second = await imagesOf(site, 0, 6, { ...wanted, NextToken: first.NextToken });

  expect([first.Images?.length, second.Images?.length, second.NextToken]).toEqual([25, 5, undefined]);
  const told = [...(first.Images ?? []), ...(second.Images ?? [])].map(({ Error: error }) => error ?? 'image');
  expect(told.slice(0, 20)).toEqual(Array(20).fill('image'));
  expect(told.slice(20, 25)).toEqual(Array(5).fill('NO_MEDIA'));
  expect(told.slice(25)).toEqual(Array(5).fill('MEDIA_ERROR'));
});

test('(92) what cannot be asked of images is an exception of the model', async () => {
  const site = await startPlaybackSite(await recorded({ seconds: 2, audio: 'none', size: '64x36' }));

  for (const wanted of [
    { EndTimestamp: at(300.001) },
    { EndTimestamp: at(-1) },
    { SamplingInterval: 199 },
    { WidthPixels: 3_841 },
    { FormatConfig: { JPEGQuality: '101' } },
    { Format: 'PNG', FormatConfig: { JPEGQuality: '80' } },
    { MaxResults: 101 },
    { NextToken: 'abcd' },
    { StartTimestamp: at(-90_000), EndTimestamp: at(-89_900) },
  ] as const) {
    await expect(imagesOf(site, 0, 1, wanted)).rejects.toMatchObject({ name: 'InvalidArgumentException' });
  }
  await expect(imagesOf(site, 3_700, 3_710)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  await expect(imagesOf(site, 0, 1, { StreamName: site.yard })).rejects.toMatchObject({
    name: 'NoDataRetentionException',
  });
});
