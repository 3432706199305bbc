/** Live pictures at the page without WebRTC: over WebSockets, on a wall, through a restart of what serves them. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { startBrowser } from '../kit/browser.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addCamera } from '../kit/footage.ts';
import { checkFindings } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const clip = {
  widthPixels: 320,
  heightPixels: 180,
  bitsPerSecond: 150_000,
  gopFrames: 10,
  framesPerSecond: 10,
} as const;
const slow = { timeout: 60_000 };

/** Pictures of the page for whoever wants to look: SCREENSHOTS names a directory. */
async function look(page: Page, name: string): Promise<void> {
  const directory = process.env.SCREENSHOTS;
  if (directory === undefined) return;
  await mkdir(directory, { recursive: true });
  await page.screenshot({ path: join(directory, `live-${name}.png`) });
}

async function untilMoving(page: Page): Promise<void> {
  await page.waitForSelector('.player .mode', slow);
  const seconds = () => page.$eval('video', (video) => (video.readyState >= 2 ? video.currentTime : 0));
  const first = await until('the picture is there', seconds);
  await until('the picture moves', async () => (await seconds()) > first + 1);
}

test('a wall shows cameras live while they can be seen, and comes back by itself', { timeout: 240_000 }, async () => {
  const dataDirectory = await temporaryDirectory();
  const simulator = await startCameraSimulator({ cameras: 5, mode: 'paced', clip });
  onTestFinished(() => simulator.close());
  const appliance = await startAppliance({ dataDirectory, args: ['--webrtc-enabled', 'false'] });
  onTestFinished(() => appliance.close());
  for (let i = 0; i < 5; i++) await addCamera(appliance, `Dock ${i}`, { url: simulator.url(i) });
  const { secret } = (await appliance.call('POST', '/api/tokens', { name: 'wall', role: 'viewer' })) as {
    secret: string;
  };
  const browser = await startBrowser();
  onTestFinished(() => browser.close());
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: { width: 1280, height: 900 },
    extraHTTPHeaders: { authorization: `Bearer ${secret}` },
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  const watched = async () => {
    const metrics = Buffer.from(await appliance.bytes('/metrics')).toString();
    return Number(/^weir_live_sockets\S* (\d+)/m.exec(metrics)?.[1]);
  };
  const untilWatched = (count: number) =>
    until(`${count} streams are watched`, async () => (await watched()) === count, 60_000);

  // Four of five, then the fifth on the next page.
  await page.goto(`${appliance.url}/#/wall?size=4`);
  await until('four tiles are live', async () => (await page.$$('.walltile .mode')).length === 4, 60_000);
  await untilWatched(4);
  await look(page, '1-wall');
  await page.keyboard.press('PageDown');
  await untilWatched(1);
  await untilMoving(page);

  // On a phone those that are scrolled out of sight stop.
  await page.keyboard.press('PageUp');
  await untilWatched(4);
  await page.setViewportSize({ width: 390, height: 500 });
  await until('fewer are watched', async () => (await watched()) < 4);
  await look(page, '2-phone');
  await page.setViewportSize({ width: 1280, height: 900 });
  await untilWatched(4);

  // So does everything in a tab that is not in front.
  const hide = (isHidden: boolean) =>
    page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'))`);
  await hide(true);
  await untilWatched(0);
  await hide(false);
  await untilWatched(4);

  // By keyboard to a camera, which says how it is watched, and why so.
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await page.waitForSelector('h1:has-text("Dock 1")', slow);
  await untilMoving(page);
  const text = await page.textContent('.player .way');
  expect(text).toMatch(/^LIVEWebSocket( · \d+\.\d s behind)?: WebRTC is switched off here$/);
  await untilWatched(1);
  await look(page, '3-camera');

  // What serves dies and comes back: so does the picture, without a click.
  await appliance.kill('serve');
  await until('the picture is asked for again', async () => (await watched().catch(() => 0)) === 1, 60_000);
  await untilMoving(page);

  await page.click('button:has-text("Pause")');
  await untilWatched(0);
  await page.click('button:has-text("Go on")');
  await untilMoving(page);

  expect(complaints).toEqual([]);
  await page.close();
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
