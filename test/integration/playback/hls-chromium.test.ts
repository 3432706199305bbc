import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Hls } from '../../../gateway/playback/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { until } from '../../kit/until.ts';
import { launchChromium } from './chromium.ts';
import { codedClip } from './coded-clips.ts';
import { openHlsPlayer } from './hls-player.ts';
import { beginMs, RecordedStream } from './recorded-stream.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser.close());

const openPlayer = (hls: Pick<Hls, 'get'>, query: string) => openHlsPlayer(browser, hls, query);

function recordedHls(stream: RecordedStream): Hls {
  return new Hls({ source: stream, clock: new SimulatedClock(beginMs + 3_600_000) });
}

const wholeRange = `?begin=${beginMs}&end=${beginMs + 600_000}`;

async function seek(page: Page, toS: number): Promise<void> {
  await page.evaluate(`document.getElementById('video').currentTime = ${toS}`);
}

describe('hls.js in Chromium', () => {
  test.each([
    ['AAC', 'aac', 0],
    ['G.711 mu-law', 'pcmu', 0],
    ['G.711 A-law', 'pcma', 2],
    ['Opus', 'opus', 3],
  ] as const)('plays recorded H.264 with %s to its end, with sound', async (_, audio, bFrames) => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 5, audio, bFrames }), { atMs: beginMs });

    const { state } = await openPlayer(recordedHls(stream), wholeRange);

    const last = await until('played to the end', async () => {
      const now = await state();
      expect(now.fatal).toEqual([]);
      return now.ended ? now : undefined;
    });
    // A busy machine stalls a player, which then nudges itself, or steps over the milliseconds before the first sound.
    const ofLoad = /^buffer(StalledError|NudgeOnStall|SeekOverHole .* from 0 to 0\.1)/;
    expect(last.errors.filter((error) => !ofLoad.test(error))).toEqual([]);
    expect(last.pictures).toBeGreaterThanOrEqual(120);
    expect(last.soundBytes).toBeGreaterThan(1000);
    expect(last.duration).toBeCloseTo(5, 1);
  });

  test('seeks across a run change, a gap of ten minutes and a run without sound', async () => {
    const stream = new RecordedStream();
    const withSound = await codedClip({ seconds: 6 });
    const withoutSound = await codedClip({ seconds: 6, audio: 'none', size: '480x270' });
    stream.addRun(withSound, { atMs: beginMs });
    stream.addRun(withoutSound, { atMs: beginMs + 7_000 });
    stream.addRun(withSound, { atMs: beginMs + 600_000 - 7_000 });

    const { page, state } = await openPlayer(recordedHls(stream), wholeRange);

    // Where pictures of a place on the player's timeline are of: the breaks between the runs are none there.
    const wallMsOf = (atS: number) => atS * 1_000 + (atS < 6 ? 0 : atS < 12 ? 1_000 : 581_000);
    for (const toS of [2, 8, 14, 3, 11.5]) {
      await seek(page, toS);
      // However late it is looked at: by then the next run may play.
      await until(`plays at ${toS} s, and knows of which time that is`, async () => {
        const now = await state();
        expect(now.fatal).toEqual([]);
        const shownMs = must(now.playingMs, 'knows the wall time') - beginMs;
        return now.currentTime >= toS + 0.3 && Math.abs(shownMs - wallMsOf(now.currentTime)) < 700;
      });
    }
    const played = await state();
    expect(played.soundBytes).toBeGreaterThan(1000);
    await seek(page, 5);
    await until('plays over the run change without help', async () => (await state()).currentTime > 7.5);
    expect((await state()).fatal).toEqual([]);
  });

  test('changes from AAC to G.711 where the camera did', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 4 }), { atMs: beginMs });
    stream.addRun(await codedClip({ seconds: 4, audio: 'pcmu' }), { atMs: beginMs + 5_000 });

    const { state } = await openPlayer(recordedHls(stream), wholeRange);

    const last = await until('played to the end', async () => {
      const now = await state();
      expect(now.fatal).toEqual([]);
      return now.ended ? now : undefined;
    });
    expect(last.pictures).toBeGreaterThanOrEqual(190);
  });

  test('plays a range from where it was asked for, though recording began at an earlier key frame', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 8, gopPictures: 100 }), { atMs: beginMs });

    const { state } = await openPlayer(recordedHls(stream), `?begin=${beginMs + 2_500}&end=${beginMs + 7_000}`);

    const playing = await until('plays', async () => {
      const now = await state();
      return now.currentTime > 2.6 ? now : undefined;
    });
    expect(must(playing.playingMs, 'knows the wall time') - beginMs).toBeGreaterThanOrEqual(2_500);
    expect(playing.fatal).toEqual([]);
  });

  test('follows a live stream over a restart of the server and a run change', async () => {
    const recorded = new RecordedStream();
    const clip = await codedClip({ seconds: 15 });
    const nowMs = systemClock.wallMs();
    recorded.addRun(clip, { atMs: nowMs - 10_000 });
    recorded.addRun(clip, { atMs: nowMs + 5_000 });
    const live = recorded.head(10);
    const coming = recorded.fragments.slice(10);
    onTestFinished(
      systemClock.every(1_000, () => {
        const next = coming.shift();
        if (next !== undefined) live.show(next);
      }),
    );
    let hls = new Hls({ source: live, clock: systemClock });
    const { state } = await openPlayer({ get: (request) => hls.get(request) }, '');
    const playing = await until('plays', async () => ((await state()).currentTime > 0.5 ? await state() : undefined));

    hls = new Hls({ source: live, clock: systemClock });

    const later = await until('goes on into the next run', async () => {
      const now = await state();
      expect(now.fatal).toEqual([]);
      return (now.playingMs ?? 0) > nowMs + 7_000 ? now : undefined;
    });
    const newestMs = must(await live.latest(), 'has fragments').fragment.serverTimestampMs + 1_000;
    expect(newestMs - must(later.playingMs, 'knows the wall time')).toBeLessThan(6_000);
    expect(later.pictures - playing.pictures).toBeGreaterThan(100);
    expect(later.soundBytes).toBeGreaterThan(playing.soundBytes);
  });
});
