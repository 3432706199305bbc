/** People at the page's forms: what counts as an alarm, how a camera's smaller picture is recorded, and what cannot be read. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startBrowser } from '../../kit/browser.ts';
import { until } from '../../kit/until.ts';
import type { HttpClient } from './http-client.ts';
import { adminPassword, startSite, type TestSite } from './kit.ts';

const pageDirectory = join(import.meta.dirname, '..', '..', '..', 'appliance', 'page', 'dist');
const patient = { timeout: 120_000 };
const settingsPath = '/api/alarm-settings';

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser.close());

/** Pictures of the page for whoever wants to look, dark and light, wide and narrow: SCREENSHOTS names a directory. */
async function look(page: Page, name: string): Promise<void> {
  const directory = process.env.SCREENSHOTS;
  if (directory === undefined) return;
  await mkdir(directory, { recursive: true });
  for (const width of [1_280, 390]) {
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      const path = join(directory, `${name}-${width}-${colorScheme}.png`);
      await page.screenshot({ path, fullPage: true, animations: 'disabled' });
    }
  }
  await page.setViewportSize({ width: 1_280, height: 900 });
}

async function pageOf(site: TestSite, name = 'admin'): Promise<Page> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1_280, height: 900 } });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  await page.goto(`https://localhost:${site.port}`);
  await page.fill('input[name=username]', name);
  await page.fill('input[name=password]', adminPassword);
  await page.click('button[type=submit]');
  await page.waitForSelector('.bar');
  return page;
}

/** Somebody of a role, with the password that everybody has here. */
async function addUser(site: TestSite, admin: HttpClient, role: string): Promise<void> {
  const { oneTimePassword } = (await admin.post('/api/users', { name: role, role })).json;
  const client = site.client();
  await client.login(role, oneTimePassword);
  await client.post('/api/session/password', { currentPassword: oneTimePassword, newPassword: adminPassword });
}

async function addCamera(admin: HttpClient, camera: object): Promise<string> {
  const { status, json } = await admin.post('/api/cameras', camera);
  expect(status).toBe(201);
  return json.id;
}

async function settingsOf(page: Page, cameraName: string) {
  await page.click('nav >> text=Cameras');
  await page.click(`.tile:has-text("${cameraName}") >> nth=0`);
  await page.click('.tabs button:has-text("Settings")');
  const form = page.locator('form', { has: page.locator('h2:has-text("Source and recording")') });
  await form.waitFor();
  return { form, sub: form.getByRole('group', { name: 'Smaller picture', exact: true }) };
}

test(
  'what counts as an alarm is changed in the page, and what the API refuses is said beside its field',
  patient,
  async () => {
    const site = await startSite({ pageDirectory });
    const admin = await site.admin();
    const stored = async () => (await admin.get(settingsPath)).json;
    const page = await pageOf(site);
    await page.click('nav >> text=Alarms');
    await page.click('text=What counts as an alarm');
    const card = page.getByRole('region', { name: 'What counts as an alarm' });
    const minutes = card.getByLabel('A camera may miss (minutes of 24 hours)');
    const addresses = card.getByLabel('Webhooks and the heartbeat may go');
    const save = card.getByRole('button', { name: 'Save' });
    const told = card.getByRole('status');
    await minutes.waitFor();

    expect([await minutes.inputValue(), await addresses.inputValue()]).toEqual(['10', 'site']);
    expect(await save.isDisabled()).toBe(true);
    expect(await card.textContent()).toContain('Default: 10 minutes.');
    await look(page, 'alarms-1-as-it-was');

    // Nonsense, which the API refuses: nothing changes.
    await minutes.fill('0');
    await save.click();
    await card.getByText('Too small').waitFor();
    expect(await minutes.getAttribute('aria-invalid')).toBe('true');
    await look(page, 'alarms-2-refused');
    await minutes.fill('');
    await save.click();
    await card.getByText('A number belongs here.').waitFor();
    expect(await stored()).toMatchObject({ gapMinutesPerDay: 10 });

    // By keyboard.
    await minutes.fill('2.5');
    expect(await told.textContent()).toBe('Not saved yet.');
    await addresses.selectOption('private');
    await minutes.press('Enter');
    await until('it is saved', async () => (await told.textContent()) === 'Saved.');
    expect(await stored()).toMatchObject({ gapMinutesPerDay: 2.5, webhookAddresses: 'private' });
    expect(await minutes.getAttribute('aria-invalid')).toBe('false');

    // Somebody else changes one of them while the other is being chosen.
    await addresses.selectOption('public');
    await admin.patch(settingsPath, { gapMinutesPerDay: 30 });
    await until('it is told', async () => (await minutes.inputValue()) === '30');
    expect(await addresses.inputValue()).toBe('public');

    // The appliance is away: that is said, and what was chosen stays.
    await page.route(`**${settingsPath}`, (route) => route.abort());
    await save.click();
    await card.getByText('The appliance cannot be reached.').waitFor();
    expect(await addresses.inputValue()).toBe('public');
    await page.unroute(`**${settingsPath}`);

    await card.getByRole('button', { name: 'Defaults' }).click();
    await save.click();
    await until('it is saved', async () => (await told.textContent()) === 'Saved.');
    expect(await stored()).toMatchObject({ gapMinutesPerDay: 10, webhookAddresses: 'site' });
  },
);

test('settings of a site file are marked, operators read them, viewers are offered nothing', patient, async () => {
  const site = await startSite({ pageDirectory });
  const admin = await site.admin();
  for (const role of ['operator', 'viewer']) await addUser(site, admin, role);
  const file = { version: 1, site: 'harbour', settings: { alarms: { gapMinutesPerDay: 20 } } };
  const { revision } = (await admin.post('/api/site/plan', file)).json;
  expect((await admin.post(`/api/site/apply?revision=${revision}`, file)).status).toBe(200);

  const asAdmin = await pageOf(site);
  await asAdmin.goto(`https://localhost:${site.port}/#/settings/alarms`);
  const card = asAdmin.getByRole('region', { name: 'What counts as an alarm' });
  await card.getByText('The site file "harbour" manages these settings').waitFor();
  expect(await card.locator('.badge.managed').textContent()).toBe('harbour');
  await look(asAdmin, 'alarms-3-managed');

  const asOperator = await pageOf(site, 'operator');
  await asOperator.click('nav >> text=Settings');
  await asOperator.getByText('20 minutes.').waitFor();
  expect(await asOperator.getByRole('button', { name: 'Save' }).count()).toBe(0);
  expect(await asOperator.getByRole('alert').count()).toBe(0);
  await look(asOperator, 'alarms-4-operator');

  const asViewer = await pageOf(site, 'viewer');
  await asViewer.click('nav >> text=Alarms');
  await asViewer.waitForSelector('h1:has-text("Alarms")');
  expect(await asViewer.locator('text=What counts as an alarm').count()).toBe(0);
  expect(await asViewer.locator('nav >> text=Settings').count()).toBe(0);
});

test('how the smaller picture is recorded, by the hour and for how long, is set in the page', patient, async () => {
  const site = await startSite({ pageDirectory });
  const admin = await site.admin();
  const gateId = await addCamera(admin, {
    name: 'Gate',
    source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/main' },
    credentials: { username: 'admin', password: 'one' },
    sub: { source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/sub' } },
  });
  const subOf = async (cameraId: string) => (await admin.get(`/api/cameras/${cameraId}`)).json.sub;
  const page = await pageOf(site);
  const { form, sub } = await settingsOf(page, 'Gate');
  const saved = () => form.getByText('Saved.').waitFor();
  await look(page, 'sub-1-live');

  expect(await sub.getByLabel('Record').inputValue()).toBe('live');
  await sub.getByLabel('Record').selectOption('continuous');
  await sub.getByLabel('Keep for (days)').fill('2');
  await sub.getByLabel('Keep events for (days)').fill('30');
  await sub.locator('summary:has-text("Weekly schedule")').click();
  // The night to Sunday, without a mouse over the table.
  await sub.getByRole('button', { name: 'Live only' }).click();
  await sub.getByLabel('Painted from').selectOption('22:00');
  await sub.getByRole('button', { name: 'Sat' }).press('Enter');
  await sub.getByLabel('Painted from').selectOption('00:00');
  await sub.getByLabel('Painted to').selectOption('06:30');
  await sub.getByRole('button', { name: 'Sun' }).press('Enter');
  expect(await sub.getByRole('listitem').allTextContents()).toEqual([
    'Sat 22:00 to 24:00: Live only',
    'Sun 00:00 to 06:30: Live only',
  ]);
  await look(page, 'sub-2-kept');
  await form.getByRole('button', { name: 'Save' }).click();
  await saved();
  expect(await subOf(gateId)).toMatchObject({
    hasOwnCredentials: false,
    recording: {
      ...{ mode: 'continuous', retentionHours: 48, eventRetentionHours: 720 },
      schedule: {
        spans: [
          { weekday: 6, beginMinute: 1_320, endMinute: 1_440, mode: 'live' },
          { weekday: 7, beginMinute: 0, endMinute: 390, mode: 'live' },
        ],
      },
    },
  });
  // The main picture is as it was.
  expect((await admin.get(`/api/cameras/${gateId}`)).json.recording).toMatchObject({
    ...{ mode: 'continuous', retentionHours: 168, schedule: null },
  });

  // Ages that are none do not leave the browser.
  await sub.getByLabel('Keep for (days)').fill('99999');
  await form.getByRole('button', { name: 'Save' }).click();
  expect(await sub.locator('input:invalid').count()).toBe(1);
  expect(await subOf(gateId)).toMatchObject({ recording: { retentionHours: 48 } });
  await sub.getByLabel('Keep for (days)').fill('1');

  // It logs in on its own, by UDP, and then as the main one again.
  await sub.getByLabel('Logs in as the main picture does').uncheck();
  await sub.getByLabel('User').fill('watcher');
  await sub.getByLabel('Password').fill('two');
  await sub.getByLabel('Transport').selectOption('udp');
  await form.getByRole('button', { name: 'Save' }).click();
  await until('it has a login of its own', async () => (await subOf(gateId)).hasOwnCredentials);
  expect(await subOf(gateId)).toMatchObject({ source: { transport: 'udp' }, recording: { retentionHours: 24 } });
  await sub.getByLabel('User').and(page.getByPlaceholder('as it is')).waitFor();
  await sub.getByLabel('Logs in as the main picture does').check();
  await form.getByRole('button', { name: 'Save' }).click();
  await until('it has none', async () => !(await subOf(gateId)).hasOwnCredentials);

  // Without an address it goes.
  await sub.getByLabel('Its RTSP address').fill('');
  await sub.getByText('Without an address it is removed').waitFor();
  await form.getByRole('button', { name: 'Save' }).click();
  await until('it is gone', async () => (await subOf(gateId)) === null);
});

test('a smaller picture that is published is recorded as any, and what the API refuses is told', patient, async () => {
  const site = await startSite({ pageDirectory });
  const admin = await site.admin();
  const boothId = await addCamera(admin, {
    name: 'Booth',
    source: { kind: 'whip' },
    sub: { source: { kind: 'whip' } },
  });
  const page = await pageOf(site);
  const { form, sub } = await settingsOf(page, 'Booth');

  expect(await sub.getByLabel('Its RTSP address').count()).toBe(0);
  await sub.getByLabel('Record').selectOption('events');
  await sub.getByLabel('Keep what no event marks for (minutes)').fill('25');
  await look(page, 'sub-3-published');
  await admin.patch(`/api/cameras/${boothId}`, { name: 'Cabin' });
  await page.waitForSelector('h1:has-text("Cabin")');
  await sub.getByLabel('Record').selectOption('events');
  await sub.getByLabel('Keep what no event marks for (minutes)').fill('25');
  await page.route('**/api/cameras/*', (route) =>
    route.fulfill({ status: 500, json: { error: { code: 'internal', message: 'something went wrong inside' } } }),
  );
  await form.getByRole('button', { name: 'Save' }).click();
  await form.getByRole('alert').getByText('Something went wrong inside.').waitFor();
  await page.unroute('**/api/cameras/*');
  await form.getByRole('button', { name: 'Save' }).click();
  await form.getByText('Saved.').waitFor();

  expect((await admin.get(`/api/cameras/${boothId}`)).json.sub.recording).toMatchObject({
    ...{ mode: 'events', preRollMinutes: 25, retentionHours: 168 },
  });
});

test('what cannot be read is said where it would stand, and the rest of the page goes on', patient, async () => {
  const site = await startSite({ pageDirectory });
  const admin = await site.admin();
  await addCamera(admin, { name: 'Gate', source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/main' } });
  const page = await pageOf(site);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  for (const path of ['/api/alarms?*', '/api/webhooks']) await page.route(`**${path}`, (route) => route.abort());

  await page.click('nav >> text=Alarms');
  await page.locator('main').getByText('The appliance cannot be reached.').waitFor();
  await page.click('nav >> text=Settings');
  await page.locator('section:has(h2:has-text("Webhooks")) .fault').waitFor();
  await page.locator('section:has(h2:has-text("Heartbeat"))').getByText('No heartbeat is set.').waitFor();
  await page.getByRole('region', { name: 'What counts as an alarm' }).getByLabel('A camera may miss').waitFor();

  // The list of cameras is asked for again, in vain: it stands on, and says so.
  await page.click('nav >> text=Cameras');
  await page.locator('.tile:has-text("Gate")').waitFor();
  await page.route('**/api/cameras', (route) => route.abort());
  await addCamera(admin, { name: 'Yard', source: { kind: 'rtsp', url: 'rtsp://192.0.2.2/main' } });
  await page.locator('main').getByText('The appliance cannot be reached.').waitFor();
  expect(await page.locator('.tile:has-text("Gate")').count()).toBe(1);
  await page.unroute('**/api/cameras');
  await addCamera(admin, { name: 'Dock', source: { kind: 'rtsp', url: 'rtsp://192.0.2.3/main' } });
  await page.locator('.tile:has-text("Yard")').waitFor();
  expect(await page.locator('.fault').count()).toBe(0);
  expect(complaints).toEqual([]);
});
