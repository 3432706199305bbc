import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Hls } from '../../../gateway/playback/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { until } from '../../kit/until.ts';
import { launchChromium } from './chromium.ts';
import { codedClip, countedPictures, pictureOfGrey } from './coded-clips.ts';
import { openHlsPlayer, type PlayerState } from './hls-player.ts';
import { beginMs, bothStreams, RecordedStream } from './recorded-stream.ts';

const sub = { streamId: 'stream-0002', isRecorded: true };
const mainSize = '640x360';
const subSize = '320x180';
const wholeRange = `?begin=${beginMs}&end=${beginMs + 600_000}`;

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser.close());

function camera() {
  const main = new RecordedStream();
  return { main, second: new RecordedStream(sub.streamId) };
}

function withSub(hls: Hls): Pick<Hls, 'get'> {
  return { get: (request) => hls.get({ ...request, sub }) };
}

/** Changes the level, and waits until it is shown in its place: a busy machine shows a picture late now and then, and no more. */
async function switchTo(
  page: Page,
  state: () => Promise<PlayerState>,
  { widthPixels, offMax, off }: { widthPixels: number; offMax: number; off: (state: PlayerState) => number },
) {
  await page.evaluate(`hls.nextLevel = hls.levels.findIndex((level) => level.width === ${widthPixels})`);
  return await until(`pictures are ${widthPixels} wide, within ${offMax} of their time`, async () => {
    const now = await state();
    expect(now.fatal).toEqual([]);
    return now.widthPixels === widthPixels && off(now) <= offMax ? now : undefined;
  });
}

/** Of pictures that do not count. */
const atAnyTime = { offMax: 0, off: () => 0 };

/** How many pictures what is shown is away from what should be shown at this time. */
function picturesOff({ brightness, currentTime }: PlayerState, contentBeginS = 0): number {
  const expected = Math.floor((currentTime - contentBeginS) * 25) % countedPictures;
  const off = Math.abs(pictureOfGrey(brightness) - expected);
  return Math.min(off, countedPictures - off);
}

describe('main and sub in hls.js', () => {
  test('a recorded range switches to the sub stream and back, at the very picture, over a break of both', async () => {
    const { main, second } = camera();
    const [large, small] = [
      await codedClip({ seconds: 20, size: mainSize, isCounting: true }),
      await codedClip({ seconds: 20, size: subSize, isCounting: true, gopPictures: 50 }),
    ];
    // The sub stream takes 320 ms longer to us, which its sender reports tell.
    main.addRun(large, { atMs: beginMs });
    second.addRun(small, { atMs: beginMs + 320, wayMs: 325 });
    main.addRun(large, { atMs: beginMs + 300_000 });
    second.addRun(small, { atMs: beginMs + 300_320, wayMs: 325 });
    const hls = new Hls({ source: bothStreams(main, second), clock: new SimulatedClock(beginMs + 3_600_000) });

    const { page, state } = await openHlsPlayer(browser, withSub(hls), wholeRange);
    const first = await until('plays', async () => ((await state()).currentTime > 1 ? await state() : undefined));
    await switchTo(page, state, { widthPixels: 320, offMax: 3, off: picturesOff });
    await page.evaluate("document.getElementById('video').currentTime = 24");
    const small2 = await until('plays the second run', async () => {
      const now = await state();
      return now.currentTime > 25 && now.currentTime < 35 && picturesOff(now, 20) <= 3 ? now : undefined;
    });
    const off = (now: PlayerState) => picturesOff(now, 20);
    await switchTo(page, state, { widthPixels: 640, offMax: 3, off });
    const end = await until('played to the end', async () => {
      const now = await state();
      expect(now.fatal).toEqual([]);
      return now.ended ? now : undefined;
    });

    expect(first.levels).toBe(2);
    expect(small2.widthPixels).toBe(320);
    expect(small2.playingMs).toBeCloseTo(beginMs + 280_000 + small2.currentTime * 1000, -3);
    // On a busy machine pictures are decoded late, and a seek takes back what is still being loaded.
    const ofLoad = /^(bufferStalledError|bufferNudgeOnStall|aborted) /;
    expect(end.errors.filter((error) => !ofLoad.test(error))).toEqual([]);
    expect(end.soundBytes).toBeGreaterThan(1000);
  });

  test('a live camera switches to the sub stream and back without losing its place', async () => {
    const { main, second } = camera();
    const [large, small] = [
      await codedClip({ seconds: 50, size: mainSize, isCounting: true }),
      await codedClip({ seconds: 50, size: subSize, isCounting: true }),
    ];
    const nowMs = systemClock.wallMs();
    main.addRun(large, { atMs: nowMs - 20_000 });
    second.addRun(small, { atMs: nowMs - 20_000 + 280, wayMs: 285 });
    const [liveMain, liveSub] = [main.head(19), second.head(19)];
    const coming = main.fragments.slice(19).map((reference, i) => [reference, second.fragments[19 + i]] as const);
    onTestFinished(
      systemClock.every(1_000, () => {
        const [ofMain, ofSub] = coming.shift() ?? [];
        if (ofMain !== undefined) liveMain.show(ofMain);
        if (ofSub !== undefined) liveSub.show(ofSub);
      }),
    );
    const hls = new Hls({ source: bothStreams(liveMain, liveSub), clock: systemClock });
    const contentOff = (state: PlayerState) => {
      const expected = Math.floor(((state.playingMs ?? 0) - (nowMs - 20_000)) / 40) % countedPictures;
      const off = Math.abs(pictureOfGrey(state.brightness) - expected);
      return Math.min(off, countedPictures - off);
    };

    const { page, state } = await openHlsPlayer(browser, withSub(hls), '');
    const first = await until('shows pictures', async () => {
      const now = await state();
      return now.brightness > 0 && contentOff(now) <= 4 ? now : undefined;
    });
    const atItsTime = { offMax: 4, off: contentOff };
    const onSub = await switchTo(page, state, { widthPixels: 320, ...atItsTime });
    const onMain = await switchTo(page, state, { widthPixels: 640, ...atItsTime });

    expect(first).toMatchObject({ levels: 2, widthPixels: 640, fatal: [] });
    expect(onSub.playingMs).toBeGreaterThanOrEqual(first.playingMs ?? Number.NaN);
    expect((onMain.playingMs ?? 0) - (first.playingMs ?? 0)).toBeGreaterThan(500);
    expect(onMain.soundBytes).toBeGreaterThan(first.soundBytes);
  });

  test('a sub stream without sound, and of another codec than the player takes, does no harm', async () => {
    const { main, second } = camera();
    main.addRun(await codedClip({ seconds: 12, size: mainSize }), { atMs: beginMs });
    second.addRun(await codedClip({ seconds: 12, size: subSize, audio: 'none' }), { atMs: beginMs });
    const hls = new Hls({ source: bothStreams(main, second), clock: new SimulatedClock(beginMs + 3_600_000) });

    const { page, state } = await openHlsPlayer(browser, withSub(hls), wholeRange);
    await until('plays', async () => ((await state()).currentTime > 0.5 ? await state() : undefined));
    await switchTo(page, state, { widthPixels: 320, ...atAnyTime });
    const end = await until('played to the end', async () => {
      const now = await state();
      expect(now.fatal).toEqual([]);
      return now.ended ? now : undefined;
    });

    expect(end.widthPixels).toBe(320);
    expect(end.currentTime).toBeCloseTo(12, 0);
  });

  test('where the sub stream was not recorded, the player goes on with the main one by itself', async () => {
    const { main, second } = camera();
    main.addRun(await codedClip({ seconds: 30, size: mainSize }), { atMs: beginMs });
    second.addRun(await codedClip({ seconds: 10, size: subSize }), { atMs: beginMs });
    second.addRun(await codedClip({ seconds: 10, size: subSize }), { atMs: beginMs + 20_000 });
    const hls = new Hls({ source: bothStreams(main, second), clock: new SimulatedClock(beginMs + 3_600_000) });

    const { page, state } = await openHlsPlayer(browser, withSub(hls), wholeRange);
    await until('plays', async () => ((await state()).currentTime > 0.5 ? await state() : undefined));
    await switchTo(page, state, { widthPixels: 320, ...atAnyTime });
    await page.evaluate("document.getElementById('video').currentTime = 8");
    const inHole = await until('plays where the sub stream has nothing', async () => {
      const now = await state();
      expect(now.fatal).toEqual([]);
      return now.currentTime > 13 ? now : undefined;
    });

    expect(inHole.widthPixels).toBe(640);
    expect(inHole.errors.filter((error) => error.startsWith('bufferSeekOverHole'))).toEqual([]);
  });
});
