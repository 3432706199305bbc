import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HlsRequest } from '../../../gateway/playback/index.ts';
import { until } from '../../kit/until.ts';
import { streamId } from '../ingest/ingest-kit.ts';
import { launchChromium } from './chromium.ts';
import { openHlsPlayer } from './hls-player.ts';
import { startLowLatencySite } from './low-latency-kit.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser.close());

async function playParts(options: Parameters<typeof startLowLatencySite>[0]) {
  const site = await startLowLatencySite(options);
  const requested: string[] = [];
  const hls = { get: (request: HlsRequest) => site.hls.get({ ...request, streamId }) };
  const { state } = await openHlsPlayer(browser, hls, '?latency=low', requested);
  const parts = () => requested.filter((path) => path.includes('/part-')).length;
  // On a machine that is busy for long, players load segments meanwhile: parts are waited for like pictures.
  const playedOn = (wanted: { pictures: number; parts: number }) => async () => {
    const now = await state();
    expect(now.fatal).toEqual([]);
    return now.pictures >= wanted.pictures && parts() >= wanted.parts ? now : undefined;
  };
  const playing = await until('plays parts', playedOn({ pictures: 150, parts: 6 }));
  return { site, parts, playedOn, playing };
}

test.each([
  { what: 'AAC', camera: { audio: 'aac', gopFrames: 50 } },
  { what: 'B-frames, without sound', camera: { bFrames: 2, gopFrames: 25 } },
] as const)('hls.js plays parts of a camera with $what, through its restart', async ({ camera }) => {
  const { site, parts, playedOn, playing } = await playParts(camera);
  if ('audio' in camera) expect(playing.soundBytes).toBeGreaterThan(0);

  await site.camera.restart();

  const wanted = { pictures: playing.pictures + 250, parts: parts() + 10 };
  const later = await until('goes on after the restart', playedOn(wanted), 100_000);
  expect(later.currentTime).toBeGreaterThan(playing.currentTime);
  expect(site.lowLatency.figures.streams).toBe(1);
});
