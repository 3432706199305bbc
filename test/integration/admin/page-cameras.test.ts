/** A person at the page goes from camera to camera: what is said, and where they find themselves. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBrowser } from '../../kit/browser.ts';
import { until } from '../../kit/until.ts';
import type { HttpClient } from './http-client.ts';
import { sourceState, startSite } from './kit.ts';
import { adminTab, look, pageDirectory, phone } from './page-kit.ts';

const patient = { timeout: 120_000 };

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser.close());

/** @returns its id and that of its stream */
async function addCamera(admin: HttpClient, name: string, camera: object = rtsp) {
  const { status, json } = await admin.post('/api/cameras', { name, ...camera });
  expect(status).toBe(201);
  return { cameraId: json.id as string, streamId: json.streams[0].id as string };
}

const rtsp = { source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/main' } };

test('every camera that fails has its own words below its name, and the table counts on', patient, async () => {
  const site = await startSite({ pageDirectory });
  const admin = await site.admin();
  const gate = await addCamera(admin, 'Gate');
  const yard = await addCamera(admin, 'Yard');
  const failing = { state: 'retrying', isRecording: false, tracks: [] } as const;
  const sinceMs = Date.now() - 20_000;
  site.tellState(
    sourceState(gate.streamId, {
      ...{ ...failing, sinceMs, reason: 'refused', message: '192.0.2.1:554 refused the connection' },
      hint: 'check the port',
    }),
  );
  site.tellState(
    sourceState(yard.streamId, {
      ...{ ...failing, sinceMs, reason: 'unauthorized', message: 'the camera refused the login' },
      hint: 'check user and password',
    }),
  );
  const page = await adminTab(browser, site);
  const reason = () => page.textContent('main > .reason');

  await page.goto(`https://localhost:${site.port}/#/camera/${gate.cameraId}`);
  await page.waitForSelector('h1:has-text("Gate")');
  await until('the state has come', async () => (await page.$$('main > .reason')).length === 1);
  expect(await reason()).toContain('192.0.2.1:554 refused the connection. Check the port.');
  await page.goto(`https://localhost:${site.port}/#/camera/${yard.cameraId}`);
  await page.waitForSelector('h1:has-text("Yard")');
  expect(await reason()).toContain('The camera refused the login. Check user and password.');

  await page.click('nav >> text=Cameras');
  await page.click('button:has-text("Table")');
  const since = async () => Number.parseInt((await page.textContent('tbody tr:first-child td:nth-child(3)')) ?? '', 10);
  const first = await since();
  await until('the seconds go on', async () => (await since()) > first, 30_000);
});

test('a camera is shown from its top, and going back leads to where one was in the list', patient, async () => {
  const site = await startSite({ pageDirectory });
  const admin = await site.admin();
  for (let i = 11; i <= 22; i++) await addCamera(admin, `Dock ${i}`);
  const page = await adminTab(browser, site, phone);
  const scrolledTo = () => page.evaluate<number>('scrollY');
  const tile = page.locator('.tile:has-text("Dock 19")');
  await tile.waitFor();
  await page.evaluate('document.querySelectorAll(".tile")[8].scrollIntoView({ block: "center" })');
  const left = await scrolledTo();
  expect(left).toBeGreaterThan(1_000);
  const leftTop = (await tile.boundingBox())?.y;

  await tile.click();
  await page.waitForSelector('h1:has-text("Dock 19")');
  expect(await scrolledTo()).toBe(0);
  await look(page, 'opened-from-list');
  await page.evaluate('scrollTo(0, 200)');
  await page.goBack();
  await tile.waitFor();
  expect([await scrolledTo(), (await tile.boundingBox())?.y]).toEqual([left, leftTop]);
  await page.goForward();
  await page.waitForSelector('h1:has-text("Dock 19")');
  expect(await scrolledTo()).toBe(200);

  // From one camera to another, and to another place.
  await page.evaluate(
    `location.hash = location.hash.replace(/[^/]+$/, '${(await addCamera(admin, 'Roof')).cameraId}')`,
  );
  await page.waitForSelector('h1:has-text("Roof")');
  expect(await scrolledTo()).toBe(0);
  await page.evaluate('scrollTo(0, 200)');
  await page.click('nav >> text=Cameras');
  await tile.waitFor();
  expect(await scrolledTo()).toBe(0);
});

test('a camera that is away, and one that nobody sends to, say so where their picture would be', patient, async () => {
  const site = await startSite({ pageDirectory });
  const admin = await site.admin();
  const gate = await addCamera(admin, 'Gate');
  const drone = await addCamera(admin, 'Drone', { source: { kind: 'whip' } });
  const failing = { state: 'retrying', isRecording: false, tracks: [], hint: 'look there' } as const;
  site.tellState(
    sourceState(gate.streamId, { ...failing, reason: 'refused', message: '192.0.2.1:554 refused the connection' }),
  );
  site.tellState(
    sourceState(drone.streamId, { ...failing, reason: 'no-publisher', message: 'nobody publishes to this camera' }),
  );
  const page = await adminTab(browser, site);
  const shown = async (cameraId: string) => {
    await page.goto(`https://localhost:${site.port}/#/camera/${cameraId}`);
    await page.waitForSelector('.title .badge:not(.unknown)');
    return [await page.textContent('.title .badge'), await page.textContent('.player .waiting')];
  };

  expect(await shown(gate.cameraId)).toEqual(['retrying', 'The camera is away']);
  expect(await page.getByRole('button', { name: 'Live', exact: true }).count()).toBe(0);
  await look(page, 'camera-away');
  await page.setViewportSize(phone.viewport);
  await look(page, 'camera-away-phone');
  await page.click('nav >> text=Cameras');
  await page.waitForSelector('.tile .badge.waiting');
  expect(await shown(drone.cameraId)).toEqual(['waiting', 'Nobody sends to this camera just now']);
  await look(page, 'camera-awaited-phone');
});

test('an alarm about a camera that is back stands quietly, on the wall and in the bar', patient, async () => {
  const site = await startSite({ pageDirectory });
  const admin = await site.admin();
  const { cameraId, streamId } = await addCamera(admin, 'Gate');
  const away = sourceState(streamId, {
    ...{ state: 'retrying', isRecording: false, tracks: [], sinceMs: Date.now() },
    ...{ reason: 'refused', message: '192.0.2.1:554 refused the connection' },
  });
  const text = '192.0.2.1:554 refused the connection';
  const subject = { kind: 'camera', id: cameraId, name: 'Gate', text, hint: null, sinceMs: 1, clearedMs: null };
  const alarm = {
    ...{ id: 'one', code: 'camera-away', severity: 'error', state: 'standing', title: `Gate: camera is away: ${text}` },
    ...{ help: '/help/camera-away', subjectCount: 1, subjects: [subject], sinceMs: Date.now() - 60_000 },
    ...{ clearedMs: null, count: 1, acknowledged: null },
  };
  site.tellState(away);
  const page = await adminTab(browser, site);
  // A real one takes half a minute to come.
  await page.route('**/api/alarms?*', (route) => route.fulfill({ json: { alarms: [alarm], next: null } }));
  await page.reload();

  await page.click('nav >> text=Wall');
  await page.waitForSelector('.walltile.alarmed .alarmword:has-text("192.0.2.1:554 refused")');
  await page.waitForSelector('button.alarmbar.error:has-text("camera is away")');
  await look(page, 'wall-away');
  site.tellState(sourceState(streamId, { sinceMs: Date.now() }));
  await page.waitForSelector('.walltile:not(.alarmed) .alarmword.known:has-text("Was away, back since ")');
  await page.waitForSelector('button.alarmbar.known:has-text("Gate was away, back since ")');
  await look(page, 'wall-back');
  site.tellState(away);
  await page.waitForSelector('.walltile.alarmed');
  await page.waitForSelector('button.alarmbar.error');
});

test('on a phone nothing is wider than what it stands in', patient, async () => {
  const site = await startSite({ pageDirectory });
  const admin = await site.admin();
  for (const name of ['Gate', 'A camera with quite a long name at the north gate'])
    await addCamera(admin, name.padEnd(64, '.'));
  const page = await adminTab(browser, site, phone);
  const tooWide = (within: string) =>
    page.evaluate<string[]>(`[...document.querySelectorAll('${within}, ${within} *')]
      .filter((element) => element.getBoundingClientRect().right > document.querySelector('${within}').getBoundingClientRect().right + 1)
      .map((element) => element.outerHTML.slice(0, 80))`);

  await page.click('nav >> text=Add camera');
  for (const kind of ['RTMP', 'WHIP', 'KVS', 'RTSP']) {
    await page.click(`.kinds >> text=${kind}`);
    expect(await tooWide('form')).toEqual([]);
    await look(page, `add-phone-${kind}`);
  }
  await page.click('nav >> text=Wall');
  await page.click('button:has-text("All cameras")');
  await page.waitForSelector('#wallchoice:popover-open');
  await look(page, 'wall-choice-phone');
  expect(await page.evaluate('wallchoice.scrollWidth <= wallchoice.clientWidth')).toBe(true);
  await page.keyboard.press('Escape');
  await page.setViewportSize({ width: 1_280, height: 800 });
  expect(await page.evaluate('document.querySelector(".bar").getBoundingClientRect().right')).toBe(1_280);
  await page.click('nav >> text=Add camera');
  await look(page, 'add-wide');
});
