/** `weir apply`, `export` and `seal` as people run them, against `serve` with a real catalog. */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../kit/run-command.ts';
import { siteFileText } from '../../kit/site-file.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { startSite } from './kit.ts';

const main = join(import.meta.dirname, '../../../appliance/main.ts');
const weir = (data: string, args: readonly string[], options: { input?: string; env?: Record<string, string> } = {}) =>
  runCommand(process.execPath, [main, ...args, '--data-directory', data], options);

async function siteFile(text: string): Promise<string> {
  const path = join(await temporaryDirectory(), 'site.yaml');
  await writeFile(path, text);
  return path;
}

const fortyCameras = () =>
  siteFileText({
    cameras: Array.from({ length: 40 }, (_, i) => ({
      url: `rtsp://192.0.2.${i + 1}/main`,
      subUrl: `rtsp://192.0.2.${i + 1}/sub`,
      transport: i % 3 === 0 ? ('udp' as const) : ('tcp' as const),
      username: 'weir',
    })),
  });

test('forty cameras come from one file onto an empty machine, and a second time there is nothing to do', async () => {
  const site = await startSite();
  const path = await siteFile(fortyCameras());
  const env = { CAMERA_PASSWORD: 's3cret' };

  const dry = await weir(site.data, ['apply', path, '--dry-run'], { env });
  const first = await weir(site.data, ['apply', path], { env });
  const second = await weir(site.data, ['apply', path], { env });
  const dryAgain = await weir(site.data, ['apply', path, '--dry-run', '--json'], { env });

  expect(dry).toMatchObject({ code: 20, err: '' });
  expect(dry.out).toMatch(/^\+ {2}camera +camera-01/m);
  expect(dry.out).toContain('43 to create, 1 to change, 0 to remove (1 managed by this file from now on)');
  expect(first).toMatchObject({ code: 0, err: '' });
  expect(first.out).toContain('guard logs in with the one-time password');
  expect(second).toMatchObject({ code: 0, out: 'nothing to do\n', err: '' });
  expect(dryAgain.code).toBe(0);
  expect(JSON.parse(dryAgain.out)).toMatchObject({ hasChanges: false, items: [] });
  const plan = JSON.parse(await readFile(site.paths.plan, 'utf8'));
  expect(plan.sources).toHaveLength(80);
  expect(site.planChanges.count).toBe(2);
});

test('what is exported is applied without a change, and lies in a file without a secret', async () => {
  const site = await startSite();
  const env = { CAMERA_PASSWORD: 's3cret' };
  await weir(site.data, ['apply', await siteFile(fortyCameras())], { env });
  const out = join(await temporaryDirectory(), 'exported.yaml');

  const exported = await weir(site.data, ['export', '--out', out]);
  const applied = await weir(site.data, ['apply', out]);
  const again = await weir(site.data, ['export', '--out', out]);

  expect(exported).toMatchObject({ code: 0, out: `wrote ${out}\n` });
  expect(await readFile(out, 'utf8')).not.toContain('s3cret');
  expect(applied).toMatchObject({ code: 0, err: '' });
  expect(applied.out).toMatch(/^nothing to do/m);
  expect(again).toMatchObject({ code: 4, err: expect.stringContaining('--force') });
});

test('the sample file is applied as it stands, with its references', async () => {
  const site = await startSite();
  const directory = await temporaryDirectory();
  const path = join(directory, 'site.yaml');
  await writeFile(path, await readFile(join(import.meta.dirname, '../../../docker/site.sample.yaml')));
  await mkdir(join(directory, 'secrets'));
  await writeFile(join(directory, 'secrets/porter'), 'correct horse staple\n');
  const env = {
    CAMERA_PASSWORD: 's3cret',
    CHAT_WEBHOOK: 'https://chat.example/x',
    HEARTBEAT_URL: 'https://beat.example/y',
  };

  const applied = await weir(site.data, ['apply', path], { env });
  const again = await weir(site.data, ['apply', path], { env });
  const without = await weir(site.data, ['apply', path]);

  expect(applied).toMatchObject({ code: 0, err: '' });
  expect(applied.out).toContain('stream key of drone (main):');
  expect(again).toMatchObject({ code: 0, out: 'nothing to do\n' });
  expect((await site.client().login('porter', 'correct horse staple')).status).toBe(200);
  expect(without).toMatchObject({ code: 2, out: '' });
  expect(without.err).toMatch(
    /site\.yaml:\d+: .*the environment has no variable (CAMERA_PASSWORD|CHAT_WEBHOOK|HEARTBEAT_URL)/,
  );
});

test('a sealed text stands in the file for the secret', async () => {
  const site = await startSite();
  const sealed = await weir(site.data, ['seal'], { input: 's3cret\n' });
  const file = `version: 1
site: harbour
cameras:
  gate:
    source: { url: rtsp://192.0.2.1/ }
    credentials: { username: ada, password: { sealed: ${sealed.out.trim()} } }
`;

  const applied = await weir(site.data, ['apply', await siteFile(file)]);

  expect(sealed).toMatchObject({ code: 0, out: expect.stringMatching(/^v1\./) });
  expect(applied).toMatchObject({ code: 0, err: '' });
  expect(applied.out).toContain('1 to create');
});

test('a mistake is told with its line', async () => {
  const site = await startSite();
  const path = await siteFile(
    'version: 1\nsite: harbour\ncameras:\n  gate.1:\n    sorce:\n      url: rtsp://192.0.2.1/\n',
  );

  const { code, err } = await weir(site.data, ['apply', path]);

  expect(code).toBe(2);
  expect(err).toContain(`${path}:5: unknown field "sorce"`);
  expect(err).toContain('did you mean "source"?');
});
