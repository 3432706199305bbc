/**
 * An operator at the page: finds a camera on the network and adds it, adds three from a list, hears of one that is away and says so,
 * goes through the timeline, takes a piece of it along, and sees what all of it takes.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { startBrowser } from '../kit/browser.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addCamera } from '../kit/footage.ts';
import { checkFindings, probeFrames } from '../kit/judge.ts';
import { TestOnvifCamera } from '../kit/onvif-camera.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const clip = {
  widthPixels: 320,
  heightPixels: 180,
  bitsPerSecond: 150_000,
  gopFrames: 10,
  framesPerSecond: 10,
} as const;
const credentials = { username: 'admin', password: 'very secret 7' };
const password = 'correct horse battery';
const slow = { timeout: 60_000 };

/** Pictures of the page for whoever wants to look: SCREENSHOTS names a directory. */
async function look(page: Page, name: string): Promise<void> {
  const directory = process.env.SCREENSHOTS;
  if (directory === undefined) return;
  await mkdir(directory, { recursive: true });
  await page.screenshot({ path: join(directory, `operator-${name}.png`) });
}

async function logIn(page: Page, { url, oneTimePassword }: { url: string; oneTimePassword: string }): Promise<void> {
  await page.goto(url);
  await page.fill('input[name=password]', oneTimePassword);
  await page.click('button[type=submit]');
  await page.waitForSelector('text=Choose a password');
  await page.fill('input[name=new-password]', password);
  await page.fill('input[name=new-password-again]', password);
  await page.click('button[type=submit]');
  await page.waitForSelector('.bar');
}

/** The length of time that the timeline shows. */
async function viewMs(page: Page): Promise<number> {
  const read = (name: string) => page.getAttribute('.timeline', name).then(Number);
  return (await read('aria-valuemax')) - (await read('aria-valuemin'));
}

async function untilPlaying(page: Page): Promise<void> {
  const seconds = () => page.$eval('video', (video) => (video.readyState >= 2 ? video.currentTime : 0));
  const first = await until('the video has a picture', seconds);
  await until('the video plays on', async () => (await seconds()) > first + 0.5);
}

test('an operator adds cameras, hears of one that is away, goes through the timeline and sees what it takes', {
  timeout: 300_000,
}, async () => {
  const dataDirectory = await temporaryDirectory();
  const simulator = await startCameraSimulator({ cameras: 5, mode: 'paced', clip });
  onTestFinished(() => simulator.close());
  const profile = { encoding: 'H264', hasPtz: true, framesPerSecond: 10 };
  const device = new TestOnvifCamera({
    credentials,
    profiles: [
      { ...profile, token: 'main', widthPixels: 1920, heightPixels: 1080, streamUri: simulator.url(3) },
      { ...profile, token: 'sub', widthPixels: 640, heightPixels: 360, streamUri: simulator.url(4) },
    ],
  });
  await device.start();
  onTestFinished(() => device.close());
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
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
  // Its alarm comes after half a minute: meanwhile there is enough to do.
  await addCamera(appliance, 'Roof', { url: 'rtsp://127.0.0.1:9/stream' });
  const oneTimePassword = /one-time password[^\n]*?:?\s+(\S+)\s*$/im.exec(appliance.output())?.[1] ?? '';
  await logIn(page, { url: appliance.url, oneTimePassword });

  // Found on the network, with its main and sub stream.
  await page.click('nav >> text=Add camera');
  await page.click('text=Found on the network');
  await page.fill('input[name=addresses]', '127.0.0.1');
  await page.fill('input[name=ports]', String(device.port));
  await page.click('button:has-text("Search")');
  await page.waitForSelector('.device', slow);
  await page.check('.device input[type=checkbox]');
  await page.fill('input[name=onvif-user]', credentials.username);
  await page.fill('input[name=onvif-password]', credentials.password);
  await page.click('button:has-text("Ask for their streams")');
  await page.waitForSelector('.scene', slow);
  expect(await page.textContent('.scene')).toContain('1920 × 1080');
  await page.fill('input[name=scene-name]', 'Gate');
  await page.click('.scene button:has-text("Test")');
  await page.waitForSelector('.scene img.thumb', slow);
  await look(page, '1-found');
  await page.click('button:has-text("Add one camera")');
  await page.waitForSelector('.scene a:has-text("added")', slow);

  // Three from a list without a head line, and one that is none.
  await page.click('text=Many from a list');
  const lines = [0, 1, 2].map((i) => `Dock ${i},${simulator.url(i)}`);
  await page.fill('textarea[name=list]', [...lines, 'Dock 3,http://127.0.0.1/'].join('\n'));
  await page.click('button:has-text("Add 3 cameras")');
  await page.waitForSelector('text=3 added, 0 there already, 1 refused', slow);
  await look(page, '2-list');

  // All of them are in the table, and one is in trouble.
  await page.click('nav >> text=Cameras');
  await page.click('button:has-text("Table")');
  await until('four cameras are recorded', async () => (await page.$$('td .badge.recording')).length === 4);
  await page.click('button:has-text("In trouble")');
  await until('one line is left', async () => (await page.$$('tbody tr')).length === 1);
  expect(await page.textContent('tbody')).toContain('Roof');
  await page.click('button:has-text("All")');
  await page.fill('input[type=search]', 'dock 1');
  await until('one line is found', async () => (await page.$$('tbody tr')).length === 1);
  await look(page, '3-table');

  // The camera that was found moves for as long as a button is pressed.
  await page.fill('input[type=search]', '');
  await page.click('td a:has-text("Gate")');
  const left = await page.waitForSelector('.pad button[aria-label="Left"]', slow);
  await left.hover();
  await page.mouse.down();
  await until('it moves', () => device.isMoving);
  await page.mouse.up();
  await until('it stands still', () => !device.isMoving);

  // What it sends is drawn as soon as there are two samples.
  await until('its charts are drawn', async () => (await page.$$('.chart canvas')).length >= 2, 60_000);

  // The alarm is there by now: known to whoever acknowledged it.
  await page.waitForSelector('button.alarmbar.error', slow);
  await page.click('button.alarmbar');
  await look(page, '4-alarm');
  await page.click('#alarms button:has-text("Acknowledge")');
  await page.waitForSelector('button.alarmbar.known', slow);
  await page.keyboard.press('Escape');
  await page.click('nav >> text=Alarms');
  expect(await page.textContent('.alarm')).toContain('known to admin');
  await look(page, '5-alarms');

  // The timeline: zoomed by key and wheel, a click plays from there, arrows seek and it plays on.
  await page.click('nav >> text=Cameras');
  await page.click('td a:has-text("Dock 0")');
  await page.waitForSelector('.timeline .track > .span', slow);
  const hourMs = await viewMs(page);
  await page.focus('.timeline');
  await page.keyboard.press('-');
  await until('it shows more', async () => (await viewMs(page)) > hourMs * 1.5);
  await page.click('button:has-text("10 min")');
  await until('it shows ten minutes', async () => Math.abs((await viewMs(page)) - 600_000) < 1_000);
  const span = page.locator('.timeline .track > .span').first();
  await until('half a minute is seen', async () => ((await span.boundingBox())?.width ?? 0) > 60);
  const box = await span.boundingBox();
  const at = { x: (box?.x ?? 0) + 20, y: (box?.y ?? 0) + 20 };
  await page.mouse.move(at.x, at.y);
  await page.waitForSelector('.tip .picture img:not(.absent)', slow);
  await page.mouse.wheel(0, -300);
  await until('the wheel shows less', async () => (await viewMs(page)) < 500_000);
  await page.mouse.click(at.x, at.y);
  await page.waitForSelector('.player .mode', { state: 'detached' });
  await untilPlaying(page);
  await page.focus('.timeline');
  await page.keyboard.press('ArrowRight');
  await untilPlaying(page);
  await look(page, '6-recorded');

  // A range is dragged over and comes as a file.
  await page.mouse.move(at.x + 2, at.y);
  await page.mouse.down();
  await page.mouse.move(at.x + 60, at.y, { steps: 5 });
  await page.mouse.up();
  await page.waitForSelector('.rangebar .size:has-text("B")', slow);
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('text=Download MP4')]);
  const [video] = (await probeFrames(await download.path())).filter((stream) => stream.codec_type === 'video');
  expect(Number(video?.nb_read_frames)).toBeGreaterThan(clip.framesPerSecond);

  // It is kept from deletion, and the storage page has it and what all of it takes.
  await page.click('text=Keep from deletion');
  await page.fill('input[name=hold-reason]', 'report 12');
  await page.click('button:has-text("Keep"):not(:has-text("deletion"))');
  await page.click('.rangebar >> text=Storage');
  await page.waitForSelector('td:has-text("report 12")', slow);
  const storedOf = async (name: string) => {
    const { streams } = (await appliance.call('GET', '/api/streams')) as {
      streams: { cameraName: string; totals: { bytes: number } | null }[];
    };
    return streams.find(({ cameraName }) => cameraName === name)?.totals?.bytes ?? 0;
  };
  await until(
    'the page says what is stored',
    async () => {
      const text = await page.textContent('table.storage tr:has-text("Dock 0") td:nth-child(3)');
      const [, amount, unit] = /^([\d.]+) (kB|MB)$/.exec(text ?? '') ?? [];
      const shown = Number(amount) * (unit === 'MB' ? 1e6 : 1e3);
      const stored = await storedOf('Dock 0');
      return stored > 0 && Math.abs(shown - stored) <= stored * 0.1;
    },
    120_000,
  );
  await look(page, '7-storage');

  // The doctor names the camera that is away, and what was recorded is as it should be.
  await page.click('nav >> text=Settings');
  await page.click('.tabs >> text=Check-up');
  await page.click('button:has-text("Look now")');
  await page.waitForSelector('.findings li:has-text("Camera: Roof") >> text=What to do', slow);
  await page.click('button:has-text("Begin")');
  await page.waitForSelector('text=/files looked at in .*, nothing wrong/', slow);
  await look(page, '8-checkup');

  expect(complaints).toEqual([]);
  expect(appliance.output()).not.toContain(credentials.password);
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
