import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LogFiles } from '../../../appliance/supervisor/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { canMount, freeze, mountImage } from '../../kit/disks.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

const line = (n: number) => `${JSON.stringify({ event: `event ${n}` })}\n`;

async function read(directory: string, name: string): Promise<string> {
  return readFile(join(directory, name), 'utf8').catch(() => '');
}

test('lines of a role are in its file, in order, readable for its owner alone', async () => {
  const directory = join(await temporaryDirectory(), 'logs');
  const logs = new LogFiles({ clock: systemClock }, { directory });

  for (let n = 0; n < 100; n++) logs.append('ingest-0', [line(n)]);
  logs.append('keeper', [line(7)]);
  await logs.close();

  expect(await read(directory, 'ingest-0.log')).toBe(Array.from({ length: 100 }, (_, n) => line(n)).join(''));
  expect(await read(directory, 'keeper.log')).toBe(line(7));
  expect((await stat(join(directory, 'keeper.log'))).mode & 0o077).toBe(0);
});

test('a role has two files of a bounded size, the newest lines in them', async () => {
  const directory = await temporaryDirectory();
  const logs = new LogFiles({ clock: systemClock }, { directory, fileBytesMax: 1_000 });

  for (let n = 0; n < 500; n++) {
    logs.append('serve', [line(n)]);
    await until('it is written', async () => (await read(directory, 'serve.log')).endsWith(line(n)));
  }
  await logs.close();

  expect((await readdir(directory)).sort()).toEqual(['serve.1.log', 'serve.log']);
  for (const name of ['serve.log', 'serve.1.log'])
    expect((await read(directory, name)).length).toBeLessThanOrEqual(1_000);
  expect(await read(directory, 'serve.log')).toContain(line(499));
});

test('a place that cannot be written to costs lines, which are counted when it can again', async () => {
  const directory = join(await temporaryDirectory(), 'logs');
  await writeFile(directory, 'a file where the directory should be');
  const logs = new LogFiles({ clock: systemClock }, { directory });
  logs.append('keeper', [line(1)]);
  for (let n = 0; n < 200; n++) logs.append('keeper', ['x'.repeat(4_000)]);

  await rm(directory);
  await mkdir(directory);
  await until('it is written at last', async () => (await read(directory, 'keeper.log')) !== '');
  await logs.close();

  expect(await read(directory, 'keeper.log')).toContain('log lines left out of this file');
});

test('names that are none of a role are no files', async () => {
  const directory = join(await temporaryDirectory(), 'logs');
  const logs = new LogFiles({ clock: systemClock }, { directory });

  for (const name of ['../x', '', 'a/b', 'A']) logs.append(name, [line(1)]);
  await logs.close();

  expect(await readdir(directory).catch(() => [])).toEqual([]);
});

test.skipIf(!canMount)('a disk that hangs holds up neither whoever logs nor the end', async () => {
  const data = await temporaryDirectory();
  const path = join(data, 'disk');
  await mountImage(path, { image: join(data, 'image'), byteLength: 32 * 1024 * 1024 });
  const logs = new LogFiles({ clock: systemClock }, { directory: join(path, 'logs') });
  const thaw = freeze(path);

  for (let n = 0; n < 1_000; n++) logs.append('serve', [line(n)]);
  await logs.close();

  thaw();
});
