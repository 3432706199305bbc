/** Live pictures at the page: by WebRTC where it can be had, else over WebSockets; on a wall; through deaths of what serves them. */

import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { workerThere } from '../../appliance/setup/index.ts';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { startBrowser } from '../kit/browser.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addCamera } from '../kit/footage.ts';
import { startGstCamera } from '../kit/gst-camera.ts';
import { checkFindings } from '../kit/judge.ts';
import { commandLineOf, processTree } from '../kit/processes.ts';
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

/** As a program that is let in by its token: nobody has to log in. */
async function openPage(appliance: RunningAppliance) {
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
  return { page, complaints };
}

test('a wall shows cameras live while they can be seen, and comes back by itself', { timeout: 240_000 }, async () => {
  const dataDirectory = await temporaryDirectory();
  const simulator = await startCameraSimulator({ cameras: 5, mode: 'paced', clip });
  onTestFinished(() => simulator.close());
  const appliance = await startAppliance({ dataDirectory, args: ['--webrtc-enabled', 'false'] });
  onTestFinished(() => appliance.close());
  for (let i = 0; i < 5; i++) await addCamera(appliance, `Dock ${i}`, { url: simulator.url(i) });
  const { page, complaints } = await openPage(appliance);
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
  const told = /^LIVEWebSocket( · \d+\.\d s behind)?: WebRTC is switched off here$/;
  await until('it says how and why', async () =>
    told.test((await page.textContent('.player .way', { timeout: 1_000 })) ?? ''),
  );
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

  // The size of its picture stands beside no other camera.
  await page.waitForSelector('main .title:has-text("320 × 180")', slow);
  const { cameraId } = await addCamera(appliance, 'Roof', { url: 'rtsp://127.0.0.1:9/stream' });
  await page.evaluate(`location.hash = '#/camera/${cameraId}'`);
  await page.waitForSelector('h1:has-text("Roof")', slow);
  expect(await page.textContent('main .title')).not.toContain('×');

  expect(complaints).toEqual([]);
  await page.close();
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});

test('a picture is live by WebSocket while there is no WebRTC worker, by WebRTC once there is, and again after it died', {
  timeout: 240_000,
}, async () => {
  const dataDirectory = await temporaryDirectory();
  const worker = join(await temporaryDirectory(), 'mediasoup-worker');
  const camera = await startGstCamera({
    ...{ audio: 'aac', auth: 'none', gopFrames: 50 },
    ...{ widthPixels: 320, heightPixels: 180, kilobitsPerSecond: 200 },
  });
  const appliance = await startAppliance({ dataDirectory, env: { MEDIASOUP_WORKER_BIN: worker } });
  onTestFinished(() => appliance.close());
  await addCamera(appliance, 'Gate', { url: camera.url });
  const { page, complaints } = await openPage(appliance);
  const words = () => page.textContent('.player .way').catch(() => '');
  const untilLive = (by: RegExp) =>
    until(
      `it is live ${by}`,
      async () => by.test((await page.$('.player .way')) === null ? '' : ((await words()) ?? '')),
      90_000,
    );

  await page.goto(`${appliance.url}/#/`);
  await page.click('.tile:has-text("Gate")');
  await untilLive(/^LIVEWebSocket.*MEDIASOUP_WORKER_BIN names/);
  await untilMoving(page);

  await symlink(workerThere() ?? '', worker);
  await untilLive(/^LIVEWebRTC/);
  await look(page, '4-webrtc');
  await untilMoving(page);

  // What lies over the picture goes, and comes back for whoever points at it or goes there by key.
  const opacities = () =>
    page.evaluate<string[]>(
      `[...document.querySelectorAll('.player .way, .player .controls')].map((part) => getComputedStyle(part).opacity)`,
    );
  await until('the picture is bare', async () => (await opacities()).join() === '0,0');
  await look(page, '5-bare');
  let x = 300;
  await until('label and buttons are there', async () => {
    await page.mouse.move(x++, 300);
    return (await opacities()).join() === '1,1';
  });
  await until('the picture is bare again', async () => (await opacities()).join() === '0,0');
  // A finger that lands on a button that it cannot see only brings it back.
  await page.evaluate(`{
    const button = document.querySelector('.player .controls button');
    button.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, pointerType: 'touch' }));
    button.click();
  }`);
  expect(await page.textContent('.player .controls button')).toBe('Pause');
  await page.focus('.player .controls button');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Shift+Tab');
  await until('the buttons are there for keys', async () => (await opacities())[1] === '1');

  const workers = () => processTree(appliance.pid).filter((pid) => commandLineOf(pid)[0]?.includes('mediasoup-worker'));
  const [first] = await until('a worker runs', () => (workers().length > 0 ? workers() : undefined));
  process.kill(first ?? 0, 'SIGKILL');
  await until('the picture went on another way, or anew', async () => !workers().includes(first ?? 0));
  await until('another worker runs', () => workers().length > 0);
  const pictures = () =>
    page.$eval('.player video', (video) =>
      (video as unknown as { srcObject: unknown }).srcObject !== null
        ? video.getVideoPlaybackQuality().totalVideoFrames
        : 0,
    );
  await untilLive(/^LIVEWebRTC/);
  let least = Number.POSITIVE_INFINITY;
  await until(
    'WebRTC has pictures that move, in a new session',
    async () => {
      const now = await pictures().catch(() => 0);
      least = Math.min(least, now);
      return now > least + 30;
    },
    90_000,
  );

  expect(complaints).toEqual([]);
  await page.close();
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
