import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../kit/temp.ts';
import { startSite } from './kit.ts';

async function builtPage(): Promise<string> {
  const directory = join(await temporaryDirectory(), 'dist');
  await mkdir(join(directory, 'assets'), { recursive: true });
  await writeFile(join(directory, 'index.html'), '<!doctype html><script src="/assets/main-1.js"></script>');
  await writeFile(join(directory, 'assets', 'main-1.js'), 'export {};');
  await writeFile(join(directory, 'icon.svg'), '<svg/>');
  await writeFile(join(directory, '..', 'secret.txt'), 'not of the page');
  return directory;
}

test('the page comes without a login, under a policy that lets no foreign script in', async () => {
  const site = await startSite({ pageDirectory: await builtPage() });
  const client = site.client();

  const page = await client.get('/');
  const script = await client.get('/assets/main-1.js');
  const icon = await client.get('/icon.svg');

  expect(page).toMatchObject({
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' },
  });
  expect(page.headers['content-security-policy']).toContain("script-src 'self';");
  expect(page.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
  expect(script).toMatchObject({
    text: 'export {};',
    headers: { 'content-type': expect.stringContaining('javascript') },
  });
  expect(script.headers['cache-control']).toContain('immutable');
  expect(icon.status).toBe(200);
});

test('nothing beside the page is served', async () => {
  const site = await startSite({ pageDirectory: await builtPage() });
  const client = site.client();

  for (const path of [
    '/assets/../../secret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/assets/%2e%2e/%2e%2e/secret.txt',
    '/assets/missing.js',
    '/assets/%00',
  ]) {
    const answer = await client.get(path);
    const isRefused = answer.status >= 400 && answer.status < 500;
    expect([path, isRefused, answer.text.includes('not of the page')]).toEqual([path, true, false]);
  }
});

test('without a built page somebody is told what to do', async () => {
  const site = await startSite();

  expect((await site.client().get('/')).text).toContain('npm start');
});
