import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { launchChromium } from './chromium.ts';
import { openLiveView } from './live-view-kit.ts';
import { startLowLatencySite } from './low-latency-kit.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser.close());

const small = { widthPixels: 320, heightPixels: 180, kilobitsPerSecond: 200 } as const;

test.each([
  ['AAC', { audio: 'aac' }],
  ['G.711', { audio: 'pcma' }],
  ['Opus', { audio: 'opus' }],
] as const)('a camera with %s plays over the socket with moving pictures and sound', async (_, options) => {
  const site = await startLowLatencySite({ ...small, ...options, gopFrames: 50 });
  const { playsOn, complaints, untilOneElement } = await openLiveView(browser, site);

  const now = await until('plays over the socket', playsOn('socket', 60));

  expect(now.why).toBe('the WebRTC worker is being built');
  expect(now.soundBytes).toBeGreaterThan(0);
  await untilOneElement();
  expect(now.atMs).toBeGreaterThan(Date.now() - 60_000);
  expect(complaints).toEqual([]);
});

test('the socket goes on by itself after its camera restarts, and after it was cut, with B-frames too', async () => {
  const site = await startLowLatencySite({ ...small, audio: 'aac', bFrames: 2, gopFrames: 25 });
  const { playsOn, sockets, endSockets, state, untilOneElement } = await openLiveView(browser, site);
  const before = await until('plays over the socket', playsOn('socket', 40));

  await site.camera.restart();

  await until('goes on after the restart', async () => {
    const now = await state();
    return now.way === 'socket' && !now.isAway && now.timeS > before.timeS + 8;
  });
  await until('plays on', playsOn('socket', 40));

  endSockets();

  await until('begins anew', () => sockets.figures.sockets === 1);
  const later = await until('plays on in a new socket', playsOn('socket', 40));
  expect(later.soundBytes).toBeGreaterThan(0);
  await untilOneElement();
});

test('where the socket is refused HLS plays and says why; the socket comes back when it can be had', async () => {
  const site = await startLowLatencySite({ ...small, gopFrames: 25 });
  const { playsOn, serves, page } = await openLiveView(browser, site, {
    isSocketRefused: true,
    whep: { status: 429, message: 'no more than 2 streams are converted at once' },
  });

  const now = await until('plays by HLS', playsOn('hls', 30));
  expect(now.why).toBe('no more than 2 streams are converted at once; no WebSocket can be opened');

  serves.isSocketRefused = false;
  await page.evaluate('view.changed()');
  const later = await until('plays over the socket', playsOn('socket', 30));
  expect(later.why).toBe('no more than 2 streams are converted at once');
});

test('paused, the picture stays and nothing is sent; going on it is live again', async () => {
  const site = await startLowLatencySite({ ...small, gopFrames: 25 });
  const { playsOn, page, sockets, state, untilOneElement } = await openLiveView(browser, site);
  await until('plays', playsOn('socket', 20));

  await page.evaluate('view.pause()');
  await until('nobody watches', () => sockets.figures.sockets === 0);
  expect(await state()).toMatchObject({ videos: 1, isPaused: true });

  await page.evaluate('view.resume()');
  await until('plays again', playsOn('socket', 20));
  await untilOneElement();
});
