/** H.265 in a browser that cannot decode it (Debian's Chromium): converted within the budget, and said clearly beyond it. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { startBrowser } from '../kit/browser.ts';
import { startGstCamera } from '../kit/gst-camera.ts';
import { checkFindings, probeFrames } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const small = { widthPixels: 640, heightPixels: 360, framesPerSecond: 10, gopFrames: 20 } as const;
const password = 'correct horse battery';

type CreatedCamera = { id: string; streams: { id: string; role: string }[] };

const pictures = (page: Page) => page.$eval('video', (video) => video.getVideoPlaybackQuality().totalVideoFrames);
const seconds = (page: Page) => page.$eval('video', (video) => (video.readyState >= 2 ? video.currentTime : 0));

async function untilMoving(page: Page): Promise<void> {
  await until('the video has a picture', () => seconds(page));
  const first = await pictures(page);
  await until('the pictures move', async () => (await pictures(page)) > first + 15, 60_000);
}

test('H.265 plays in Chromium, live and recorded, and who comes beyond the budget reads why and what else there is', {
  timeout: 180_000,
}, async () => {
  const dataDirectory = await temporaryDirectory();
  const appliance = await startAppliance({ dataDirectory, args: ['--playback-conversions-max', '2'] });
  onTestFinished(() => appliance.close());
  const [camera, sub] = [
    await startGstCamera({ ...small, codec: 'h265', audio: 'pcma', auth: 'none' }),
    await startGstCamera({ ...small, codec: 'h264', audio: 'pcma', auth: 'none' }),
  ];
  const source = (url: string) => ({ kind: 'rtsp', url });
  const add = async (name: string, more = {}) =>
    (await appliance.call('POST', '/api/cameras', { name, source: source(camera.url), ...more })) as CreatedCamera;
  const gate = await add('Gate', { sub: { source: source(sub.url) } });
  const yard = await add('Yard');
  await add('Hall');
  const streamOf = ({ streams }: CreatedCamera) => streams.find(({ role }) => role === 'main')?.id ?? '';
  const browser = await startBrowser();
  onTestFinished(() => browser.close());
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.goto(appliance.url);
  const oneTimePassword = /one-time password[^\n]*?:?\s+(\S+)\s*$/im.exec(appliance.output())?.[1] ?? '';
  await page.fill('input[name=password]', oneTimePassword);
  await page.click('button[type=submit]');
  await page.waitForSelector('text=Choose a password');
  await page.fill('input[name=new-password]', password);
  await page.fill('input[name=new-password-again]', password);
  await page.click('button[type=submit]');

  // The first is converted, and says so.
  await page.click('.tile:has-text("Gate")');
  await page.waitForSelector('text=this browser cannot play H.265', { timeout: 60_000 });
  await untilMoving(page);

  // The second, for somebody else who goes on watching.
  const watchYard = () =>
    appliance.bytes(`/api/streams/${streamOf(yard)}/hls/master.m3u8?video=h264`).catch(() => undefined);
  await until('the second camera is converted', watchYard);
  const watching = setInterval(() => void watchYard(), 2_000);
  onTestFinished(() => clearInterval(watching));

  // Whoever goes to another camera takes their place along.
  await page.goto(`${appliance.url}/#/`);
  await page.click('.tile:has-text("Hall")');
  await page.waitForSelector('text=this browser cannot play H.265', { timeout: 60_000 });
  await untilMoving(page);

  // A third is refused with what is in its way, and the smaller picture plays.
  const tab = await context.newPage();
  await tab.goto(appliance.url);
  await tab.click('.tile:has-text("Gate")');
  const refusal = await tab.waitForSelector('.conversion.refused', { timeout: 60_000 });
  expect(await refusal.textContent()).toMatch(/No more than 2 streams are converted at once/);
  expect(await refusal.textContent()).toMatch(/Yard live.*Hall live/);
  await tab.click('button:has-text("Watch the smaller picture")');
  await untilMoving(tab);
  const metrics = Buffer.from(await appliance.bytes('/metrics')).toString();
  expect(metrics).toMatch(/weir_conversions_refused_total\S* [1-9]/);
  expect(metrics).toMatch(/weir_conversion_cpu_seconds_total\S* \d/);
  await page.close();

  // What was recorded comes converted as a file, with its sound.
  const clip = await until('a clip can be converted', () => {
    const end = Date.now() - 5_000;
    const path = `/api/streams/${streamOf(gate)}/clip.mp4?begin=${end - 6_000}&end=${end}&video=h264`;
    return appliance.bytes(path).catch(() => undefined);
  });
  const file = join(await temporaryDirectory(), 'clip.mp4');
  await writeFile(file, clip);
  expect((await probeFrames(file)).map(({ codec_name }) => codec_name).toSorted()).toEqual(['flac', 'h264']);

  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
