import { mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeDataDirectory } from '../../../appliance/cli/data-directory.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

test('the data directory is made with those above it, and may be there', async () => {
  const path = join(await temporaryDirectory(), 'a', 'b', 'data');

  await makeDataDirectory(path);
  await makeDataDirectory(path);

  expect((await stat(path)).isDirectory()).toBe(true);
});

test.each([
  ['below a file', 'file/data', 'a part of the path is no directory'],
  ['behind a link to a disk that is not mounted', 'link', 'the path leads nowhere'],
])('a data directory %s is refused with the reason', async (_where, name, reason) => {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'mnt'));
  await writeFile(join(directory, 'file'), '');
  await symlink(join(directory, 'mnt', 'disk'), join(directory, 'link'));
  const path = join(directory, name);

  await expect(makeDataDirectory(path)).rejects.toMatchObject({
    code: 'failed_precondition',
    message: `cannot write to the data directory ${path}: ${reason}`,
  });
});

test('a place where nobody can make a directory is refused, not waited for', async () => {
  await expect(makeDataDirectory('/proc/weir/data')).rejects.toMatchObject({ code: 'failed_precondition' });
});
