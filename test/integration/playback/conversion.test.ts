import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Conversions } from '../../../gateway/playback/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { launchChromium } from './chromium.ts';
import { codedClip, pictureOfGrey } from './coded-clips.ts';
import { openHlsPlayer } from './hls-player.ts';
import { beginMs, encodeClip, RecordedStream, streamId } from './recorded-stream.ts';

const range = { begin: String(beginMs), end: String(beginMs + 600_000) };
const recorded = { ...range, video: 'h264' };

function conversionsOf(source: RecordedStream, options: { ffmpeg?: string; conversionsMax?: number } = {}) {
  const { ffmpeg = 'ffmpeg', conversionsMax = 2 } = options;
  const conversions = new Conversions(
    { clock: systemClock, log: silentLog, source, ffmpeg },
    { conversionsMax, cores: 2 },
  );
  onTestFinished(() => conversions.close());
  return {
    conversions,
    get: (file: string, query: Record<string, string>, viewer = 'ada') =>
      conversions.get({ streamId, file, query }, viewer),
  };
}

/** All files of a video playlist, in order, as one file. */
async function playedVideo(get: ReturnType<typeof conversionsOf>['get']): Promise<{ path: string; master: string }> {
  const load = async (uri: string) => {
    const url = new URL(uri, 'http://localhost/');
    return (await get(url.pathname.slice(1), Object.fromEntries(url.searchParams))).body;
  };
  const master = String((await get('master.m3u8', recorded)).body);
  const video = must(/^video\.m3u8.*$/m.exec(master)?.[0], 'the master playlist has video');
  const parts: Uint8Array[] = [];
  for (const [, map, media] of String(await load(video)).matchAll(/^#EXT-X-MAP:URI="(.*)"$|^(media-.*)$/gm)) {
    parts.push(Buffer.from(await load(must(map ?? media, 'a file is named'))));
  }
  const path = join(await temporaryDirectory(), 'played.mp4');
  await writeFile(path, Buffer.concat(parts));
  return { path, master };
}

/** Time and mean grey of each picture as ffmpeg decodes it. */
async function picturesIn(path: string): Promise<{ timeMs: number; picture: number }[]> {
  const filter = 'scale=1:1,showinfo';
  const shown = await runCommand('ffmpeg', [
    ...['-v', 'info', '-copyts', '-i', path, '-map', '0:v', '-vf', filter, '-fps_mode', 'passthrough'],
    ...['-f', 'null', '-'],
  ]);
  const [, perSecond = ''] = /config in time_base: 1\/(\d+)/.exec(shown.err) ?? [];
  return [...shown.err.matchAll(/ pts: *(\d+) .*? mean:\[(\d+)/g)].map(([, at, grey]) => ({
    timeMs: Math.round((Number(at) * 1000) / Number(perSecond) - beginMs),
    picture: Math.round((Number(grey) - 16) / 2),
  }));
}

const openGop = () =>
  encodeClip([
    ...[
      '-f',
      'lavfi',
      '-i',
      "color=black:size=32x18:rate=25:duration=4,format=yuv420p,geq=lum='16+2*mod(N,110)':cb=128:cr=128,scale=320:180",
    ],
    ...['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params'],
    'keyint=25:min-keyint=25:scenecut=0:bframes=3:b-adapt=0:open-gop=1:log-level=none',
  ]);

describe('converted video', () => {
  test.each([
    ['H.265', () => codedClip({ seconds: 4, video: 'h265', isCounting: true })],
    [
      'H.265 with reordered pictures at uneven times',
      () => codedClip({ seconds: 4, video: 'h265', isCounting: true, bFrames: 3, isUneven: true }),
    ],
    ['H.265 with open groups of pictures', openGop],
  ])('of %s has each picture at its time', async (_, clip) => {
    const coded = await clip();
    const stream = new RecordedStream();
    stream.addRun(coded, { atMs: beginMs });
    const video = must(
      coded.tracks.find(({ kind }) => kind === 'video'),
      'has video',
    ).number;
    const times = coded.frames.filter(({ trackNumber }) => trackNumber === video).map(({ timeMs }) => timeMs);
    const { get, conversions } = conversionsOf(stream);

    const { path, master } = await playedVideo(get);

    expect(master).toContain('CODECS="avc1.');
    expect(master).not.toContain('hvc1');
    const pictures = await picturesIn(path);
    expect(pictures.map(({ timeMs }) => timeMs)).toEqual(times.toSorted((a, b) => a - b));
    for (const { timeMs, picture } of pictures) expect(Math.abs(picture - timeMs / 40)).toBeLessThanOrEqual(1);
    expect(conversions.figures()).toMatchObject({ converted: 4, failed: 0, encoder: 'libx264' });
    expect(conversions.figures().cpuMs).toBeGreaterThan(0);
  });

  test('of 4K with 10 bits is made smaller, in 8 bits', async () => {
    const stream = new RecordedStream();
    const pictures = ['-f', 'lavfi', '-i', 'testsrc2=size=3840x2160:rate=5:duration=1', '-pix_fmt', 'yuv420p10le'];
    const coder = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'keyint=5:log-level=none'];
    stream.addRun(await encodeClip([...pictures, ...coder]), { atMs: beginMs });
    const { get } = conversionsOf(stream);

    const { path, master } = await playedVideo(get);

    expect(master).toContain('RESOLUTION=1920x1080');
    const probed = await runCommand('ffprobe', [
      ...['-v', 'error', '-count_frames', '-show_entries', 'stream=width,height,pix_fmt,nb_read_frames'],
      ...['-of', 'csv=p=0', path],
    ]);
    expect(probed).toMatchObject({ err: '', out: '1920,1080,yuv420p,5\n' });
  });

  test('is made once for all viewers, and again only what is asked for', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 4, video: 'h265' }), { atMs: beginMs });
    const { get, conversions } = conversionsOf(stream);

    await Promise.all([playedVideo(get), playedVideo((file, query) => get(file, query, 'bob'))]);

    expect(conversions.figures()).toMatchObject({
      converted: 4,
      running: [{ streamId, kind: 'recorded', viewers: ['ada', 'bob'] }],
    });
  });

  test('passes H.264 through, and takes no place for it', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 2 }), { atMs: beginMs });
    const { get, conversions } = conversionsOf(stream, { conversionsMax: 0 });

    await playedVideo(get);

    expect(conversions.figures()).toMatchObject({ converted: 0, running: [] });
  });

  test('beyond the budget is refused, and again possible when a download ends', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 4, video: 'h265' }), { atMs: beginMs });
    const { get, conversions } = conversionsOf(stream, { conversionsMax: 1 });
    const clip = await conversions.openClip(streamId, { beginMs, endMs: beginMs + 4_000 }, 'bob');
    const reading = clip.stream();
    await reading.next();
    await reading.next();

    await expect(get('master.m3u8', recorded)).rejects.toMatchObject({
      code: 'resource_exhausted',
      context: { running: [{ streamId, kind: 'clip' }] },
    });
    await reading.return();
    await get('master.m3u8', recorded);

    expect(conversions.figures()).toMatchObject({ turnedAway: 1, running: [{ kind: 'recorded' }] });
  });

  test('of a child that crashes is black, and that of the next one is not', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 3, video: 'h265', isCounting: true }), { atMs: beginMs });
    const { get, conversions } = conversionsOf(stream, { ffmpeg: await failingOnce('kill -SEGV $$') });

    const { path } = await playedVideo(get);

    expect(conversions.figures()).toMatchObject({ converted: 2, failed: 1 });
    const pictures = await picturesIn(path);
    const [first, ...rest] = pictures;
    expect(first).toMatchObject({ timeMs: 0 });
    expect(rest).toHaveLength(50);
    expect(rest.map(({ timeMs }) => timeMs)).toEqual(Array.from({ length: 50 }, (_, at) => 1_000 + 40 * at));
  });

  test('of a child that is stuck is black after a while, and the next child works', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 2, video: 'h265' }), { atMs: beginMs });
    const { get, conversions } = conversionsOf(stream, { ffmpeg: await failingOnce('exec sleep 300') });

    await playedVideo(get);

    expect(conversions.figures()).toMatchObject({ converted: 1, failed: 1 });
  });

  test('chooses its encoder anew when nothing works any more', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 5, video: 'h265' }), { atMs: beginMs });
    const { get, conversions } = conversionsOf(stream, { ffmpeg: await failingOnce('exit 1', 3) });

    await playedVideo(get);

    expect(conversions.figures()).toMatchObject({ converted: 2, failed: 3, encoder: 'libx264' });
  });

  test('in a clip keeps the sound', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 3, video: 'h265', audio: 'pcmu' }), { atMs: beginMs });
    const { conversions } = conversionsOf(stream);

    const clip = await conversions.openClip(streamId, { beginMs, endMs: beginMs + 3_000 }, 'ada');
    const path = join(await temporaryDirectory(), 'clip.mp4');
    await writeFile(path, clip.stream());

    const probed = await runCommand('ffprobe', [
      ...[
        '-v',
        'error',
        '-count_frames',
        '-show_entries',
        'stream=codec_name,nb_read_frames,duration',
        '-of',
        'csv=p=0',
        path,
      ],
    ]);
    expect(probed.err).toBe('');
    expect(probed.out).toMatch(/^h264,.*75$/m);
    expect(probed.out).toMatch(/^flac,/m);
    expect(conversions.figures().running).toEqual([]);
  });

  test('is refused where ffmpeg is missing', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 1, video: 'h265' }), { atMs: beginMs });
    const { get } = conversionsOf(stream, { ffmpeg: '/nowhere/ffmpeg' });

    await expect(get('master.m3u8', recorded)).rejects.toMatchObject({ code: 'failed_precondition' });
  });
});

describe('hls.js in Chromium, which has no H.265', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  test('plays converted video with the camera’s sound, and seeks', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 8, video: 'h265', isCounting: true, audio: 'opus' }), { atMs: beginMs });
    const { conversions } = conversionsOf(stream);
    const player = { get: (request: Parameters<Conversions['get']>[0]) => conversions.get(request, 'ada') };

    const query = `?begin=${beginMs}&end=${beginMs + 600_000}&video=h264`;
    const { page, state } = await openHlsPlayer(browser, player, query);

    await until('plays', async () => (await state()).currentTime > 1);
    await page.evaluate("document.getElementById('video').currentTime = 6");
    const last = await until('played to the end', async () => {
      const now = await state();
      expect(now.fatal).toEqual([]);
      return now.ended ? now : undefined;
    });
    expect(last.soundBytes).toBeGreaterThan(1000);
    expect(pictureOfGrey(last.brightness)).toBeGreaterThan(84);
  });
});

/** An ffmpeg whose first conversions, behind the trials of encoders, do something else instead. */
async function failingOnce(instead: string, times = 1): Promise<string> {
  const directory = await temporaryDirectory();
  const path = join(directory, 'ffmpeg');
  const runs = join(directory, 'runs');
  const lines = [
    '#!/bin/sh',
    'case "$*" in *"matroska -i"*)',
    `echo x >> ${runs}`,
    `if [ $(wc -l < ${runs}) -le ${times} ]; then ${instead}; fi;;`,
    'esac',
    'exec ffmpeg "$@"',
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
  await chmod(path, 0o755);
  return path;
}
