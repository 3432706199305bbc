import { chmod, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { InstanceLock } from '../../../appliance/supervisor/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

function lockOn(data: string, roles: readonly string[], runDirectory = join(data, 'run')): InstanceLock {
  const lock = new InstanceLock({ clock: systemClock }, { dataDirectory: data, runDirectory, roles });
  onTestFinished(() => lock.close());
  return lock;
}

it('a role has one holder, and a refused one holds none of the others', async () => {
  const data = await temporaryDirectory();
  const alone = lockOn(data, ['keeper']);
  await alone.start();

  await expect(lockOn(data, ['ingest-0', 'keeper']).start()).rejects.toMatchObject({ code: 'failed_precondition' });
  await expect(lockOn(data, ['ingest-0']).start()).resolves.toBeUndefined();
});

it('a role is free again when its holder is closed, and on another data directory at any time', async () => {
  const [data, other] = [await temporaryDirectory(), await temporaryDirectory()];
  const first = lockOn(data, ['keeper']);
  await first.start();

  await expect(lockOn(other, ['keeper']).start()).resolves.toBeUndefined();
  await first.close();
  await expect(lockOn(data, ['keeper']).start()).resolves.toBeUndefined();
});

it('sockets outside the data directory lie in a directory that nobody else can write into', async () => {
  const [data, elsewhere] = [await temporaryDirectory(), await temporaryDirectory()];
  const [open, link, ours] = ['open', 'link', 'ours'].map((name) => join(elsewhere, name)) as [string, string, string];
  await mkdir(open);
  await chmod(open, 0o777);
  await symlink(open, link);

  for (const directory of [open, link]) {
    await expect(lockOn(data, ['keeper'], directory).start()).rejects.toMatchObject({
      code: 'failed_precondition',
      hint: expect.stringContaining('shorter path'),
    });
  }
  await expect(lockOn(data, ['keeper'], ours).start()).resolves.toBeUndefined();
});
