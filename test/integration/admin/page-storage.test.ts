/** The page's forecast and ages of cameras that record always, around events, by a schedule, with a sub stream, and not yet. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import type { KeptMode } from '../../../storage/index/index.ts';
import { startBrowser } from '../../kit/browser.ts';
import { someRunId, someSegment } from '../../kit/segments.ts';
import { until } from '../../kit/until.ts';
import { adminPassword, startSite } from './kit.ts';

const pageDirectory = join(import.meta.dirname, '..', '..', '..', 'appliance', 'page', 'dist');
const minute = 60_000;

const source = { kind: 'rtsp', url: 'rtsp://192.0.2.1/' };
const week = [1, 2, 3, 4, 5, 6, 7];

async function siteWithCameras() {
  const site = await startSite({ pageDirectory });
  const admin = await site.admin();
  const nowMs = Math.floor(systemClock.wallMs());
  const add = async (name: string, rest: object): Promise<string[]> => {
    const { json } = await admin.post('/api/cameras', { name, source, ...rest });
    return json.streams.map((stream: { id: string }) => stream.id);
  };
  /** So many minutes up to now, a segment each. */
  const record = (streamId: string | undefined, plan: { minutes: number; mode: KeptMode; megabytes: number }) =>
    site.writer.transaction((change) => {
      for (let i = 0; i < plan.minutes; i++) {
        const beginMs = nowMs - (plan.minutes - i) * minute;
        const own = {
          streamId: streamId ?? '',
          runId: someRunId(streamId ?? ''),
          sequence: i,
          firstCounter: 1 + 30 * i,
        };
        const segment = someSegment({ ...own, beginMs });
        const options = { location: 'local', takenInMs: nowMs, recordingMode: plan.mode } as const;
        change.segments.insert({ ...segment, byteLength: plan.megabytes * 1e6 }, options);
      }
    });
  // Eight hours around a noon that is now, wherever that is.
  const eastHours = 12 - new Date(nowMs).getUTCHours();
  const timeZone = `Etc/GMT${eastHours > 0 ? `-${eastHours}` : `+${-eastHours}`}`;
  const spans = week.map((weekday) => ({ weekday, beginMinute: 480, endMinute: 960, mode: 'continuous' }));

  const [gate] = await add('Gate', { recording: { retentionHours: 720 } });
  const [yard] = await add('Yard', { recording: { mode: 'events', retentionHours: 168, eventRetentionHours: 336 } });
  const [shop] = await add('Shop', { recording: { mode: 'live', schedule: { timeZone, spans } } });
  const [hall, small] = await add('Hall', {
    recording: { retentionHours: 24, eventRetentionHours: 720, bytesMax: 50e9 },
    sub: {
      source: { ...source, url: 'rtsp://192.0.2.1/sub' },
      recording: { mode: 'continuous', retentionHours: 2_160 },
    },
  });
  await add('New', {});
  await add('Lobby', { recording: { mode: 'live' } });
  record(gate, { minutes: 120, mode: 'continuous', megabytes: 15 });
  record(yard, { minutes: 10, mode: 'events', megabytes: 15 });
  record(shop, { minutes: 120, mode: 'continuous', megabytes: 15 });
  record(hall, { minutes: 120, mode: 'continuous', megabytes: 60 });
  record(small, { minutes: 120, mode: 'continuous', megabytes: 2 });
  return { site, admin };
}

test('the storage page foretells by how each camera records, and changes the age that counts there', async () => {
  const { site, admin } = await siteWithCameras();
  const browser = await startBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage({ ignoreHTTPSErrors: true, viewport: { width: 1_280, height: 900 } });
  await page.goto(`https://localhost:${site.port}`);
  await page.fill('input[name=username]', 'admin');
  await page.fill('input[name=password]', adminPassword);
  await page.click('button[type=submit]');
  await page.waitForSelector('.bar');
  await page.click('nav >> text=Storage');
  const cell = (name: string, column: number) =>
    page.textContent(`table.storage tr:has-text("${name}") td:nth-child(${column})`);

  await until('the forecast is there', async () => (await cell('Gate', 8)) === 'days');
  expect([await cell('Gate', 4), await cell('Gate', 7)]).toEqual(['21.6 GB', '648 GB']);
  expect([await cell('Shop', 4), await cell('Shop', 7)]).toEqual(['7.2 GB', '50.4 GB']);
  expect(await cell('Hall', 8)).toContain('gigabytes, in');
  expect(await Promise.all(['New', 'Yard'].map((name) => cell(name, 8)))).toEqual(['not known yet', 'not known yet']);
  expect(await cell('Lobby', 5)).toBe('live only');
  const directory = process.env.SCREENSHOTS;
  if (directory !== undefined) {
    await mkdir(directory, { recursive: true });
    for (const [width, colorScheme] of [
      [1_280, 'light'],
      [1_280, 'dark'],
      [390, 'light'],
    ] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(directory, `storage-${width}-${colorScheme}.png`), fullPage: true });
    }
    await page.setViewportSize({ width: 1_280, height: 900 });
  }

  const change = async (label: string, days: string) => {
    await page.getByLabel(label, { exact: true }).fill(days);
    await page.getByLabel(label, { exact: true }).press('Tab');
  };
  await change('Days that events of Yard are kept', '3');
  await change('Days that the sub stream of Hall is kept', '30');
  await change('Days that Gate is kept', '');

  const cameraOf = async (name: string) =>
    (await admin.get('/api/cameras')).json.cameras.find((camera: { name: string }) => camera.name === name);
  await until(
    'the age of events is changed',
    async () => (await cameraOf('Yard')).recording.eventRetentionHours === 72,
  );
  await until(
    'the age of the sub stream is changed',
    async () => (await cameraOf('Hall')).sub.recording.retentionHours === 720,
  );
  expect((await cameraOf('Yard')).recording).toMatchObject({ retentionHours: 168 });
  expect((await cameraOf('Hall')).recording).toMatchObject({ retentionHours: 24, eventRetentionHours: 720 });
  expect((await cameraOf('Gate')).recording).toMatchObject({ retentionHours: 720 });
});
