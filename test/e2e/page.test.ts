/** A person at the page: logs in, sees the demo camera, adds a real one, watches it live and recorded, exports a clip. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { startBrowser } from '../kit/browser.ts';
import { startGstCamera } from '../kit/gst-camera.ts';
import { checkFindings, probeFrames } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

/** Pictures of the page for whoever wants to look: SCREENSHOTS names a directory. */
async function look(page: Page, name: string): Promise<void> {
  const directory = process.env.SCREENSHOTS;
  if (directory === undefined) return;
  await mkdir(directory, { recursive: true });
  await page.screenshot({ path: join(directory, `${name}.png`) });
}

async function playedSeconds(page: Page): Promise<number> {
  return page.$eval('video', (video) => (video.readyState >= 2 ? video.currentTime : 0));
}

async function untilPlaying(page: Page): Promise<void> {
  await page.waitForSelector('video');
  const first = await until('the video has a picture', () => playedSeconds(page));
  await until('the video plays on', async () => (await playedSeconds(page)) > first + 1);
}

test('a person logs in, watches the demo camera, adds a camera and exports what it recorded', {
  timeout: 180_000,
}, async () => {
  const dataDirectory = await temporaryDirectory();
  const appliance = await startAppliance({ dataDirectory, args: ['--demo'] });
  onTestFinished(() => appliance.close());
  const camera = await startGstCamera({ audio: 'aac', auth: 'digest' });
  const browser = await startBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage({
    ignoreHTTPSErrors: true,
    viewport: { width: 1280, height: 900 },
    acceptDownloads: true,
  });
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) complaints.push(message.text());
  });
  const oneTimePassword = /one-time password[^\n]*?:?\s+(\S+)\s*$/im.exec(appliance.output())?.[1] ?? '';

  // Log in and choose a password.
  await page.goto(appliance.url);
  await look(page, '1-login');
  await page.fill('input[name=password]', 'wrong');
  await page.click('button[type=submit]');
  await page.waitForSelector('.fault');
  await page.fill('input[name=password]', oneTimePassword);
  await page.click('button[type=submit]');
  await page.waitForSelector('text=Choose a password');
  await page.fill('input[name=new-password]', 'correct horse battery');
  await page.fill('input[name=new-password-again]', 'correct horse battery');
  await page.click('button[type=submit]');

  // The demo camera is there, with state and picture.
  await page.waitForSelector('.badge.recording', { timeout: 30_000 });
  await page.waitForSelector('.picture img:not(.absent)');
  await look(page, '2-cameras');
  await page.click('.tile');
  await untilPlaying(page);
  await look(page, '3-demo-live');

  // A camera is tested, then added.
  await page.click('text=Add camera');
  await page.fill('input[name=name]', 'Gate north');
  await page.fill('input[name=url]', camera.url);
  await page.fill('input[name=camera-user]', camera.options.username);
  await page.fill('input[name=camera-password]', 'wrong');
  await page.click('button:has-text("Test")');
  await page.waitForSelector('.card .fault', { timeout: 30_000 });
  await look(page, '4-wrong-password');
  await page.fill('input[name=camera-password]', camera.options.password);
  await page.click('button:has-text("Test")');
  await page.waitForSelector('img.found', { timeout: 30_000 });
  await look(page, '5-tested');
  await page.click('button:has-text("Save and record")');
  await page.waitForSelector('.title .badge.recording', { timeout: 30_000 });
  await untilPlaying(page);
  await look(page, '6-added-live');

  // The timeline shows what was recorded; a click plays it.
  const span = await page.waitForSelector('.timeline .span', { timeout: 30_000 });
  const { cameras } = (await appliance.call('GET', '/api/cameras')) as {
    cameras: { name: string; streams: { id: string }[] }[];
  };
  const streamId = cameras.find((one) => one.name === 'Gate north')?.streams[0]?.id ?? '';
  const recorded = await until('fifteen seconds are recorded', async () => {
    const begin = Date.now() - 300_000;
    const path = `/api/streams/${streamId}/timeline?begin=${begin}&end=${Date.now()}`;
    const { spans } = (await appliance.call('GET', path)) as { spans: { beginMs: number; endMs: number }[] };
    return spans.find(({ beginMs, endMs }) => endMs - beginMs > 15_000);
  });
  await page.reload();
  await page.waitForSelector('.timeline .span', { timeout: 30_000 });
  const box = await (await page.$('.timeline .span'))?.boundingBox();
  await page.mouse.click((box?.x ?? 0) + (box?.width ?? 0) / 2, (box?.y ?? 0) + (box?.height ?? 0) / 2);
  await page.waitForSelector('.player .mode', { state: 'detached' });
  await untilPlaying(page);
  await look(page, '7-recorded');

  // The clip of what was recorded plays with sound.
  const clip = await appliance.bytes(
    `/api/streams/${streamId}/clip.mp4?begin=${Math.ceil(recorded.beginMs)}&end=${Math.floor(recorded.endMs)}`,
  );
  const file = join(await temporaryDirectory(), 'clip.mp4');
  await writeFile(file, clip);
  const streams = await probeFrames(file);
  expect(streams.map((stream) => stream.codec_name).sort()).toEqual(['aac', 'h264']);
  expect(Number(streams.find((stream) => stream.codec_type === 'video')?.nb_read_frames)).toBeGreaterThan(14 * 25);

  expect(span).toBeDefined();
  expect(complaints).toEqual([]);
  expect(appliance.output()).not.toContain(camera.options.password);
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
