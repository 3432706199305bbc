import { execFileSync } from 'node:child_process';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Images, PictureDecoders } from '../../../gateway/playback/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { beginMs, type CodedClip, encodeClip, RecordedStream, streamId } from './recorded-stream.ts';

/** Second n of the clip has one colour, so that a picture tells which key frame it is. */
const colours = ['red', 'lime', 'blue', 'yellow'] as const;
const rgb: Readonly<Record<(typeof colours)[number], readonly number[]>> = {
  red: [255, 0, 0],
  lime: [0, 255, 0],
  blue: [0, 0, 255],
  yellow: [255, 255, 0],
};

function colourClip(codecArguments: readonly string[], size = '320x240'): Promise<CodedClip> {
  const inputs = colours.flatMap((name) => ['-f', 'lavfi', '-i', `color=${name}:size=${size}:rate=25:duration=1`]);
  const filter = `${colours.map((_, at) => `[${at}]`).join('')}concat=n=${colours.length}`;
  return encodeClip([...inputs, '-filter_complex', filter, '-pix_fmt', 'yuv420p', ...codecArguments]);
}

const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-g', '25', '-sc_threshold', '0'];
const h265 = [
  '-c:v',
  'libx265',
  '-preset',
  'ultrafast',
  '-x265-params',
  'keyint=25:min-keyint=25:scenecut=0:log-level=none',
];

function imagesOf(stream: RecordedStream, ffmpeg = 'ffmpeg'): Images {
  const decoders = new PictureDecoders({ clock: systemClock, log: silentLog, ffmpeg });
  onTestFinished(() => decoders.close());
  return new Images({ source: stream, decoders });
}

/** Size and the middle pixel of a JPEG. */
function look(jpeg: Uint8Array): { width: number; height: number; colour: string } {
  const probe = execFileSync(
    'ffprobe',
    ['-v', 'error', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', '-f', 'mjpeg', '-i', 'pipe:0'],
    { input: jpeg },
  );
  const [width = 0, height = 0] = probe.toString().trim().split(',').map(Number);
  const pixel = execFileSync(
    'ffmpeg',
    ['-v', 'error', '-f', 'mjpeg', '-i', 'pipe:0', '-vf', 'scale=1:1', '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'],
    { input: jpeg },
  );
  const distance = (name: keyof typeof rgb) =>
    rgb[name].reduce((sum, c, at) => sum + Math.abs(c - (pixel[at] ?? 0)), 0);
  return { width, height, colour: must(colours.toSorted((a, b) => distance(a) - distance(b))[0], 'has a colour') };
}

describe.each([
  ['H.264', h264],
  ['H.264 without reordering', [...h264, '-bf', '0']],
  ['H.264 baseline', [...h264, '-profile:v', 'baseline']],
  ['H.264 with many B-frames', [...h264, '-bf', '6', '-x264-params', 'b-pyramid=normal']],
  ['H.265 with B-frames', h265],
  [
    'H.265 with open GOPs',
    [
      '-c:v',
      'libx265',
      '-preset',
      'ultrafast',
      '-x265-params',
      'open-gop=1:keyint=25:min-keyint=25:scenecut=0:log-level=none',
    ],
  ],
  ['H.264 with open GOPs', [...h264, '-x264-params', 'open-gop=1:bframes=3']],
  ['interlaced H.264', [...h264, '-flags', '+ildct+ilme', '-x264-params', 'tff=1']],
])('pictures of %s', (_, codec) => {
  test('show the key frame at or before each time, in any order of asking', async () => {
    const stream = new RecordedStream();
    stream.addRun(await colourClip(codec), { atMs: beginMs });
    const images = imagesOf(stream);

    const seen = [];
    for (const second of [2, 0, 3, 1, 0]) {
      const picture = await images.at(streamId, beginMs + second * 1000 + 500);
      seen.push({ ...look(picture.bytes), atMs: picture.serverTimestampMs - beginMs });
    }

    expect(seen).toEqual(
      [2, 0, 3, 1, 0].map((second) => ({ width: 320, height: 240, colour: colours[second], atMs: second * 1000 })),
    );
  });
});

test('a camera whose pictures would take all memory shows none', async () => {
  const stream = new RecordedStream();
  const giant = ['-f', 'lavfi', '-i', 'color=black:size=6400x6400:rate=1:duration=2'];
  stream.addRun(await encodeClip([...giant, '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '1']), { atMs: beginMs });

  const picture = imagesOf(stream).at(streamId, beginMs + 500);

  await expect(picture).rejects.toMatchObject({ code: 'data_loss' });
});

test('one decoder serves cameras with different codec settings in turn', async () => {
  const stream = new RecordedStream();
  stream.addRun(await colourClip([...h264, '-bf', '6']), { atMs: beginMs });
  stream.addRun(await colourClip([...h264, '-profile:v', 'baseline']), { atMs: beginMs + 10_000 });
  const images = imagesOf(stream);

  const seen = [];
  for (const [offsetMs] of [[500], [11_500], [2_500], [10_500], [3_500]]) {
    seen.push(look((await images.at(streamId, beginMs + must(offsetMs, 'offset'))).bytes).colour);
  }

  expect(seen).toEqual(['red', 'lime', 'blue', 'red', 'yellow']);
});

test('a picture has the next width that is not smaller than asked for, and never more than the camera gives', async () => {
  const stream = new RecordedStream();
  stream.addRun(await colourClip(h264, '800x450'), { atMs: beginMs });
  const images = imagesOf(stream);

  const sizes = [];
  for (const widthPixels of [100, 400, 700, 5000]) {
    const picture = await images.at(streamId, beginMs, { widthPixels });
    const { width, height } = look(picture.bytes);
    expect([width, height]).toEqual([picture.widthPixels, picture.heightPixels]);
    sizes.push([width, height]);
  }

  expect(sizes).toEqual([
    [160, 90],
    [480, 270],
    [800, 450],
    [800, 450],
  ]);
});

test('the live picture is the newest key frame, decoded once for all who ask', async () => {
  const stream = new RecordedStream();
  stream.addRun(await colourClip(h264), { atMs: beginMs });
  const images = imagesOf(stream);

  const pictures = await Promise.all([1, 2, 3].map(() => images.live(streamId)));

  expect(look(must(pictures[0], 'a picture').bytes).colour).toBe('yellow');
  expect(pictures[0]?.serverTimestampMs).toBe(beginMs + 3000);
  expect(stream.clusterReads).toBe(1);
});

test('the nearest key frame may lie after the time', async () => {
  const stream = new RecordedStream();
  stream.addRun(await colourClip(h264), { atMs: beginMs });
  const images = imagesOf(stream);

  const before = await images.at(streamId, beginMs + 1900);
  const nearest = await images.at(streamId, beginMs + 1900, { choice: 'nearest' });

  expect([look(before.bytes).colour, look(nearest.bytes).colour]).toEqual(['lime', 'blue']);
});

test('a damaged key frame costs one picture, and those that wait are served', async () => {
  const clip = await colourClip(h264);
  const stream = new RecordedStream();
  const broken = clip.frames.map((frame) =>
    frame.isKey && frame.timeMs === 1000 ? { ...frame, bytes: Uint8Array.of(0, 0, 0, 4, 0x65, 0, 0, 0) } : frame,
  );
  stream.addRun({ ...clip, frames: broken }, { atMs: beginMs });
  const images = imagesOf(stream);

  const results = await Promise.allSettled([0, 1, 2, 3].map((second) => images.at(streamId, beginMs + second * 1000)));

  const seen = results.map((result) => (result.status === 'fulfilled' ? look(result.value.bytes).colour : 'failed'));
  expect(seen).toEqual(['red', 'failed', 'blue', 'yellow']);
  expect(results[1]).toMatchObject({ reason: { code: 'data_loss' } });
});

test('a time without media is an error that tells where media lie', async () => {
  const stream = new RecordedStream();
  const clip = await colourClip(h264);
  stream.addRun(clip, { atMs: beginMs });
  stream.addRun(clip, { atMs: beginMs + 600_000 });
  const images = imagesOf(stream);

  const asked = images.at(streamId, beginMs + 300_000);

  await expect(asked).rejects.toMatchObject({
    code: 'not_found',
    context: { nearestBeforeMs: beginMs + 4000, nearestAfterMs: beginMs + 600_000 },
  });
});

test('without ffmpeg the error says what to install', async () => {
  const stream = new RecordedStream();
  stream.addRun(await colourClip(h264), { atMs: beginMs });
  const images = imagesOf(stream, '/nonexistent/ffmpeg');

  const asked = images.live(streamId);

  await expect(asked).rejects.toMatchObject({
    code: 'failed_precondition',
    hint: expect.stringContaining('apt install'),
  });
});
