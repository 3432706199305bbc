/** Pages of other sites in a real browser, as the AWS SDK for browsers asks from them. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startBrowser } from '../../kit/browser.ts';
import { startKvsSite } from './kit.ts';

/** An origin of its own, with nothing on it. */
async function otherSite(): Promise<string> {
  const server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<p>a page'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test('(93) a page of another site may ask, and reads why it was refused', async () => {
  const { endpoint } = await startKvsSite();
  const browser = await startBrowser();
  onTestFinished(() => browser.close());
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  await page.goto(await otherSite());

  const told = await page.evaluate(async (url) => {
    const names = ['authorization', 'x-amz-date', 'x-amz-content-sha256', 'x-amz-user-agent', 'amz-sdk-invocation-id'];
    const headers = Object.fromEntries(names.map((name) => [name, 'x']));
    const response = await fetch(url, {
      method: 'POST',
      body: '{}',
      headers: { ...headers, 'content-type': 'application/json' },
    });
    const { status, headers: got } = response;
    return [status, got.get('x-amzn-errortype'), got.get('x-amzn-requestid')?.length, got.has('date')];
  }, `${endpoint}/listStreams`);
  const ours = await page.evaluate(
    (url) => fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' } }).then(String, String),
    `${endpoint}/api/cameras`,
  );

  expect(told).toEqual([403, 'MissingAuthenticationTokenException', 36, true]);
  // Our own API has a person's cookie: no other site may ask it.
  expect(ours).toContain('Failed to fetch');
});
