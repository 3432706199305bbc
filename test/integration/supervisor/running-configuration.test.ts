/** The configuration that a running appliance leaves for commands: who may read it, what is not in it, when it is believed. */

import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../../appliance/config/index.ts';
import { InstanceLock, readRunningConfiguration } from '../../../appliance/supervisor/index.ts';
import { RunningConfiguration, supervisorLock } from '../../../appliance/supervisor/running-configuration.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const clock = systemClock;

async function site(flags: Readonly<Record<string, string>> = {}) {
  const data = await temporaryDirectory();
  const runDirectory = join(data, 'run');
  const config = await loadConfig({
    flags: { dataDirectory: data, ...flags },
    environment: { WEIR_OBJECTS_S3_SECRET_KEY: 'a-secret-key-of-a-bucket' },
    workingDirectory: data,
    installDirectory: data,
  });
  const left = new RunningConfiguration({ log: silentLog }, { config, runDirectory });
  const lock = new InstanceLock({ clock }, { dataDirectory: data, runDirectory, roles: [supervisorLock] });
  onTestFinished(() => lock.close());
  await mkdir(runDirectory);
  const path = join(runDirectory, 'configuration.json');
  return { config, left, lock, path, read: () => readRunningConfiguration({ clock }, { runDirectory }) };
}

const s3Flags = {
  'objects.kind': 's3',
  'objects.s3.endpoint': 'https://minio.example.org:9000',
  'objects.s3.bucket': 'weir',
  'objects.s3.accessKey': 'weir',
  'storage.bytesMax': '2 TB',
};

it('what is left is what the appliance has, for its owner alone', async () => {
  const { config, left, lock, path, read } = await site({ 'listen.port': '443', ...s3Flags });
  await lock.start();

  await left.start();

  expect(await read()).toEqual(config);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

it('no secret is in it: neither a secret key of the environment nor a login in a URL', async () => {
  const { left, lock, path, read } = await site({
    publicUrl: 'https://guard:pass-7Hq@cameras.example.org/',
    ...s3Flags,
  });
  await lock.start();

  await left.start();

  expect(await readFile(path, 'utf8')).not.toMatch(/a-secret-key|guard|pass-7Hq/);
  expect((await read())?.publicUrl).toBe('https://cameras.example.org/');
});

it('one that a killed appliance left is not believed, and one of another process neither', async () => {
  const { left, lock, path, read } = await site();
  await left.start();

  expect(await read()).toBeUndefined();
  await lock.start();
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace(`"processId": ${process.pid}`, '"processId": 1234567'));
  expect(await read()).toBeUndefined();
});

it.each([
  ['no JSON', '{'],
  ['no object', 'null'],
  ['of another version', JSON.stringify({ processId: process.pid, configuration: { eyes: 2 } })],
  ['too large', ' '.repeat(1024 * 1024 + 1)],
])('one that is %s is as none', async (_, text) => {
  const { lock, path, read } = await site();
  await lock.start();
  await writeFile(path, text);

  expect(await read()).toBeUndefined();
});

it('the end of the appliance takes it away', async () => {
  const { left, lock, path, read } = await site();
  await lock.start();
  const starting = left.start();

  await left.close();
  await starting;

  await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await read()).toBeUndefined();
});

it('a place that cannot be written to costs commands their knowledge, and the appliance nothing', async () => {
  const { left, lock, path, read } = await site();
  await lock.start();
  await mkdir(path);

  await expect(left.start()).resolves.toBeUndefined();
  expect(await read()).toBeUndefined();
  await expect(left.close()).resolves.toBeUndefined();
});
