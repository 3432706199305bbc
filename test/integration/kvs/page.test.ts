/** A person at the page adds a camera that a KVS producer feeds, and is told how to point one at it. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateStreamCommand } from '@aws-sdk/client-kinesis-video';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { startBrowser } from '../../kit/browser.ts';
import { adminPassword, sourceState } from '../admin/kit.ts';
import { everything, startKvsSite } from './kit.ts';

const pageDirectory = join(import.meta.dirname, '..', '..', '..', 'appliance', 'page', 'dist');

/** Pictures of the page for whoever wants to look: SCREENSHOTS names a directory. */
async function look(page: Page, name: string): Promise<void> {
  const directory = process.env.SCREENSHOTS;
  if (directory === undefined) return;
  await mkdir(directory, { recursive: true });
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true });
}

test('a KVS producer is added in the page, which waits for it in peace and tells endpoint and stream name', {
  timeout: 120_000,
}, async () => {
  const { site, admin, sdk } = await startKvsSite([everything], { pageDirectory });
  const origin = `https://localhost:${site.port}`;
  const browser = await startBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 } });
  await page.goto(origin);
  await page.fill('input[name=username]', 'admin');
  await page.fill('input[name=password]', adminPassword);
  await page.click('button[type=submit]');
  await page.waitForSelector('text=Front door');

  await page.goto(`${origin}/#/add`);
  await page.click('.kinds >> text=KVS');
  await look(page, 'kvs-1-add');
  expect(await page.isVisible('input[name=url]')).toBe(false);
  await page.fill('input[name=name]', 'Gate north');
  await page.click('button[type=submit]');
  await page.waitForSelector('h1:has-text("Gate north")');

  const { cameras } = (await admin.get('/api/cameras')).json;
  const gate = cameras.find(({ name }: { name: string }) => name === 'Gate north');
  expect(gate).toMatchObject({ source: { kind: 'kvs' }, recording: { mode: 'continuous', retentionHours: 168 } });
  const waiting = {
    state: 'idle',
    isRecording: false,
    message: 'waiting for a producer',
    hint: 'let one send',
  } as const;
  site.tellState(sourceState(gate.streams[0].id, waiting));
  await page.waitForSelector('.badge.waiting');
  await look(page, 'kvs-2-camera');
  await page.click('button:has-text("Settings")');
  await page.waitForSelector('h2:has-text("For its KVS producer")');
  await look(page, 'kvs-3-settings');
  expect(await page.textContent('section:has(h2:has-text("For its KVS producer"))')).toMatch(
    new RegExp(`${origin}.*Gate-north`),
  );
  await page.fill('input[name=quota]', '5');
  await page.click('form button[type=submit]');
  await page.waitForSelector('text=Saved.');

  const { StreamARN } = await sdk().send(new CreateStreamCommand({ StreamName: 'drone-7' }));
  expect(StreamARN).toContain('/drone-7/');
  await page.goto(`${origin}/#/cameras`);
  await page.waitForSelector('text=drone-7');
  await look(page, 'kvs-4-cameras');
  expect((await admin.get(`/api/cameras/${gate.id}`)).json.recording.bytesMax).toBe(5e9);
});
