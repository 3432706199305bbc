/** An administrator at the page makes what AWS clients need: keys, device certificates, secrets and topics; real clients use them. */

import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ListStreamsCommand } from '@aws-sdk/client-kinesis-video';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startBrowser } from '../../kit/browser.ts';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { adminPassword } from '../admin/kit.ts';
import { everything, startKvsSite } from './kit.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const pageDirectory = join(root, 'appliance', 'page', 'dist');
const refused = { name: 'UnrecognizedClientException' };
const timeout = 120_000;

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser.close());

/** A site with a person at its page, and what that complained of. */
async function atPage() {
  const kvs = await startKvsSite([everything], { pageDirectory });
  const origin = `https://localhost:${kvs.site.port}`;
  const complaints: string[] = [];
  const openAs = async (name: string, part = '') => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1_280, height: 900 } });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(`${origin}/#/settings${part}`);
    await page.fill('input[name=username]', name);
    await page.fill('input[name=password]', adminPassword);
    await page.click('button[type=submit]');
    await page.waitForSelector('h1:has-text("Settings")');
    return page;
  };
  return { ...kvs, origin, complaints, openAs };
}

/** Pictures of the page for whoever wants to look, dark and light, wide and narrow: SCREENSHOTS names a directory. */
async function look(page: Page, name: string): Promise<void> {
  const directory = process.env.SCREENSHOTS;
  if (directory === undefined) return;
  await mkdir(directory, { recursive: true });
  for (const width of [1_280, 390]) {
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      const path = join(directory, `keys-${name}-${width}-${colorScheme}.png`);
      await page.screenshot({ path, fullPage: true, animations: 'disabled' });
    }
  }
  await page.setViewportSize({ width: 1_280, height: 900 });
}

/** What a button lets the browser save, as a file in a directory. */
async function saved(page: Page, button: string, directory: string): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click(`button:has-text("${button}")`)]);
  const path = join(directory, download.suggestedFilename());
  await download.saveAs(path);
  return path;
}

test('a key made on the page lists streams by the lines that the page shows, is refused while disabled, and goes when asked twice', {
  timeout,
}, async () => {
  const { openAs, origin, site, sdk, admin, credentials, complaints } = await atPage();
  const page = await openAs('admin');
  await page.click('nav >> text=AWS clients');
  await page.waitForSelector(`td:has-text("${credentials.accessKeyId}")`);
  // What others do is seen at once.
  await admin.delete(`/api/access-keys/${credentials.accessKeyId}`);
  await page.waitForSelector('text=None yet');
  await look(page, '1-none');

  await page.fill('input[name=key-name]', 'Wall in the hall');
  await page.selectOption('select[name=policy]', 'kvs-read');
  // Two clicks are one key.
  await page.dblclick('button:has-text("Make access key")');
  await page.waitForSelector('.once');
  await look(page, '2-once');
  const [accessKeyId = '', secretAccessKey = ''] = await page.locator('.once code').allTextContents();
  const made = (await admin.get('/api/access-keys')).json.accessKeys.filter(
    ({ name }: { name: string }) => name === 'Wall in the hall',
  );
  expect(made).toEqual([expect.objectContaining({ id: accessKeyId, policies: ['kvs-read'], createdBy: 'admin' })]);
  const client = sdk({ credentials: { accessKeyId, secretAccessKey } });
  const names = async () =>
    (await client.send(new ListStreamsCommand({}))).StreamInfoList?.map(({ StreamName }) => StreamName).sort();
  expect(await names()).toEqual(['Front-door', 'Yard']);

  const directory = await temporaryDirectory();
  await saved(page, 'Save aws.env', directory);
  await page.click('button:has-text("JavaScript")');
  await look(page, '3-lines');
  const [shell = '', script = ''] = await page.locator('.lines code').allTextContents();
  expect(shell + script).not.toContain(secretAccessKey);
  await writeFile(join(directory, 'list.mjs'), script);
  await writeFile(join(directory, 'weir-ca.pem'), site.ca);
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  const line = shell.split('\n').find((one) => one.includes('node list.mjs')) ?? '';
  const { out, err } = await runCommand('bash', ['-c', `cd '${directory}' && ${line}`]);
  expect(out, err).toMatch(/Front-door arn:aws:kinesisvideo:/);

  await page.click('button:has-text("I have kept it")');
  const row = page.locator('tr', { hasText: 'Wall in the hall' });
  await row.getByRole('button', { name: 'Disable Wall in the hall' }).click();
  await row.locator('.badge:has-text("disabled")').waitFor();
  await look(page, '4-disabled');
  await expect(names()).rejects.toMatchObject(refused);
  await row.getByRole('button', { name: 'Enable Wall in the hall' }).click();
  await row.locator('.badge:has-text("enabled")').waitFor();
  expect(await names()).toHaveLength(2);

  // A double click asks, and does not answer.
  await row.getByRole('button', { name: 'Remove Wall in the hall', exact: true }).dblclick();
  await look(page, '5-asked');
  expect(await names()).toHaveLength(2);
  await row.getByRole('button', { name: 'Yes, remove Wall in the hall' }).click();
  await row.waitFor({ state: 'detached' });
  await expect(names()).rejects.toMatchObject(refused);
  expect(await page.content()).not.toContain(secretAccessKey);
  expect(page.url()).toBe(`${origin}/#/settings/clients`);
  expect(complaints).toEqual([]);
});

test('a device certified on the page gets keys with the files that it saved, and none once it is revoked', {
  timeout,
}, async () => {
  const { openAs, site, complaints } = await atPage();
  const page = await openAs('admin', '/clients?devices');
  await page.fill('input[name=device-name]', 'gate');
  await page.click('button:has-text("Certify device")');
  await page.waitForSelector('.once');
  await look(page, '6-device');

  const directory = await temporaryDirectory();
  await saved(page, 'Save gate.certificate.pem', directory);
  await saved(page, 'Save gate.private.pem', directory);
  await saved(page, 'Save weir-ca.pem', directory);
  const port = site.serve.credentialsPort ?? 0;
  await page.waitForSelector(`.lines code:has-text("endpoint=localhost:${port},cert-path=gate.certificate.pem,")`);
  const lines = await page.locator('.lines code').allTextContents();
  const ask = () => runCommand('bash', ['-c', `cd '${directory}' && ${lines[1]} -s`]);
  expect(JSON.parse((await ask()).out)).toEqual({
    credentials: expect.objectContaining({ sessionToken: expect.any(String) }),
  });

  await page.getByRole('button', { name: 'Revoke gate', exact: true }).click();
  await page.getByRole('button', { name: 'Yes, revoke gate' }).click();
  await page.waitForSelector('.badge:has-text("revoked")');
  await look(page, '7-revoked');
  expect((await ask()).out).not.toContain('sessionToken');
  expect(complaints).toEqual([]);
});

test('a secret goes in and never out, is replaced under its ARN, and a topic leads to a webhook', {
  timeout,
}, async () => {
  const { openAs, admin, complaints } = await atPage();
  for (const name of ['Doors', 'Night desk']) {
    await admin.post('/api/webhooks', { name, url: 'http://192.0.2.9/hook' });
  }
  const page = await openAs('admin', '/clients?secrets');
  await page.fill('input[name=secret-name]', 'gate');
  await page.fill('input[name=secret-value]', 'rtsp://viewer:hunter2@192.0.2.7/');
  await page.click('button:has-text("Keep secret")');
  await page.waitForSelector('text=gate is kept.');
  const [{ arn }] = (await admin.get('/api/secrets')).json.secrets;
  await page.waitForSelector(`td code:has-text("${arn}")`);
  await page.fill('input[name=secret-name]', 'gate');
  await page.fill('input[name=secret-value]', 'x');
  await page.click('button:has-text("Keep secret")');
  await page.waitForSelector('[role=alert]:has-text("Another secret is called")');
  await page.getByRole('button', { name: 'Replace gate' }).click();
  await page.fill('input[name=secret-value]', 'rtsp://viewer:hunter3@192.0.2.8/');
  await look(page, '8-replace');
  await page.click('form button[type=submit]');
  await page.waitForSelector('text=gate says something else now.');
  expect((await admin.get('/api/secrets')).json.secrets).toEqual([expect.objectContaining({ name: 'gate', arn })]);
  expect(await page.content()).not.toMatch(/hunter/);
  await page.getByRole('button', { name: 'Remove gate', exact: true }).click();
  await page.getByRole('button', { name: 'Yes, remove gate' }).click();
  await page.waitForSelector('text=gate is removed.');

  await page.click('nav >> text=Topics');
  await page.fill('input[name=topic-name]', 'doors');
  await page.selectOption('select[name=topic-webhook]', { label: 'Doors' });
  await page.click('button:has-text("Lead topic")');
  await page.waitForSelector('td code:has-text("arn:aws:sns:us-east-1:000000000000:doors")');
  await page.getByLabel('Webhook of doors').selectOption({ label: 'Night desk' });
  await look(page, '9-topics');
  const { webhooks } = (await admin.get('/api/webhooks')).json;
  const desk = webhooks.find(({ name }: { name: string }) => name === 'Night desk');
  await until('the topic leads elsewhere', async () => {
    const [topic] = (await admin.get('/api/topics')).json.topics;
    return topic.webhookId === desk.id;
  });
  expect(complaints).toEqual([]);
});

test('an operator is told that keys are for administrators, and what the API refuses is said as it says it', {
  timeout,
}, async () => {
  const { openAs, admin, site, complaints } = await atPage();
  const { oneTimePassword } = (await admin.post('/api/users', { name: 'olga', role: 'operator' })).json;
  const olga = site.client();
  await olga.login('olga', oneTimePassword);
  await olga.post('/api/session/password', { currentPassword: oneTimePassword, newPassword: adminPassword });

  const page = await openAs('admin', '/clients');
  await page.waitForSelector('td:has-text("client")');
  await page.fill('input[name=key-name]', 'client');
  await page.click('button:has-text("Make access key")');
  await page.waitForSelector('[role=alert]:has-text("Another access key is called")');
  await look(page, '10-refused');
  expect(await page.inputValue('input[name=key-name]')).toBe('client');
  await page.route('**/api/access-keys', (route) => route.abort());
  await page.click('button:has-text("Make access key")');
  await page.waitForSelector('[role=alert]:has-text("The appliance cannot be reached.")');
  // What was read before stays.
  expect(await page.isVisible('td:has-text("client")')).toBe(true);

  const other = await openAs('olga', '/clients');
  await other.waitForSelector('text=These settings are for administrators.');
  await look(other, '11-operator');
  expect(await other.isVisible('nav >> text=AWS clients')).toBe(false);
  expect(complaints).toEqual([]);
});
