/** What happens to the file itself: missing, locked, migrating, damaged, replaced. */

import { existsSync } from 'node:fs';
import { open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { IndexReader, IndexWriter } from '../../../storage/index/index.ts';
import { canMount, mountImage } from '../../kit/disks.ts';
import { someSegment } from '../../kit/segments.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const t0 = Date.UTC(2026, 0, 10, 12);

async function pathOfIndex(): Promise<string> {
  return `${await temporaryDirectory()}/db/index.sqlite`;
}

function writerOf(path: string): IndexWriter {
  return new IndexWriter({ clock: systemClock, log: silentLog }, { path });
}

async function filledIndex(path: string): Promise<void> {
  const writer = writerOf(path);
  await writer.start();
  writer.transaction((change) =>
    change.segments.insert(someSegment({ beginMs: t0 }), { location: 'local', takenInMs: t0 }),
  );
  await writer.close();
}

async function scribble(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(2_000, 0xa5), 0, 2_000, at);
  await file.close();
}

function readerOf(path: string) {
  const clock = new SimulatedClock();
  return { clock, reader: new IndexReader({ clock, log: silentLog }, { path }) };
}

test('a reader says that the index is not there, and finds it once it is', async () => {
  const path = await pathOfIndex();
  const { clock, reader } = readerOf(path);
  expect(() => reader.latestSegment('door')).toThrow(/not there/);

  await filledIndex(path);
  await clock.advance(1_000);

  expect(reader.latestSegment('door')?.beginServerMs).toBe(t0);
  await reader.close();
});

test('a reader tells a file that is being prepared from one that is ready', async () => {
  const path = `${await temporaryDirectory()}/index.sqlite`;
  new Sqlite(path).exec('CREATE TABLE other (a)').close();
  const { clock, reader } = readerOf(path);

  expect(() => reader.latestSegment('door')).toThrow(/being prepared/);
  const writer = writerOf(path);
  await writer.start();
  await clock.advance(1_000);

  expect(reader.latestSegment('door')).toBeUndefined();
  await writer.close();
  await reader.close();
});

test('a reader says that the index is locked, and goes on when it is not any more', async () => {
  const path = await pathOfIndex();
  await filledIndex(path);
  const locker = new Sqlite(path);
  locker.pragma('locking_mode = EXCLUSIVE');
  locker.pragma('journal_mode = DELETE');
  locker.exec('BEGIN EXCLUSIVE');
  const { clock, reader } = readerOf(path);

  expect(() => reader.latestSegment('door')).toThrow(
    expect.objectContaining({ code: 'unavailable', message: 'the index is locked' }),
  );
  locker.exec('COMMIT');
  locker.close();
  await clock.advance(1_000);

  expect(reader.latestSegment('door')?.beginServerMs).toBe(t0);
  await reader.close();
});

test('a reader follows a file that was replaced while it was open', async () => {
  const path = await pathOfIndex();
  await filledIndex(path);
  const { reader } = readerOf(path);
  expect(reader.totalsOf('door')?.segments).toBe(1);

  await rename(path, `${path}.old`);
  const writer = writerOf(path);
  await writer.start();

  expect(reader.totalsOf('door')).toBeUndefined();
  await writer.close();
  await reader.close();
});

test('a reader answers unavailable for a damaged file, whatever is in it', async () => {
  const path = `${await temporaryDirectory()}/index.sqlite`;
  const { clock, reader } = readerOf(path);
  for (const content of ['', 'not a database', 'SQLite format 3\0', Buffer.alloc(50_000, 0xa5)]) {
    await writeFile(path, content);
    await clock.advance(1_000);

    expect(() => reader.latestSegment('door')).toThrow(expect.objectContaining({ code: 'unavailable' }));
  }
  await reader.close();
});

test('a failed open is not repeated for every question', async () => {
  const path = `${await temporaryDirectory()}/index.sqlite`;
  await writeFile(path, 'not a database, and a good while of it');
  const { reader } = readerOf(path);
  const ask = () => {
    try {
      reader.latestSegment('door');
    } catch (error) {
      return error;
    }
    return undefined;
  };

  expect(ask()).toBe(ask());
  await reader.close();
});

test('a closed reader says so', async () => {
  const path = await pathOfIndex();
  await filledIndex(path);
  const { reader } = readerOf(path);
  reader.latestSegment('door');

  await reader.close();
  await reader.close();

  expect(() => reader.latestSegment('door')).toThrow(/closed/);
});

test('a writer moves a damaged index aside after an unclean end and begins a new one', async () => {
  const path = await pathOfIndex();
  await filledIndex(path);
  await rm(`${path}.clean`);
  for (let page = 1; page < 20; page++) await scribble(path, 4_096 * page + 8);

  const writer = writerOf(path);
  const start = await writer.start();

  expect(start).toMatchObject({ kind: 'replaced', reason: expect.stringContaining('damaged') });
  expect((await readdir(dirname(path))).some((name) => name.includes('.damaged-'))).toBe(true);
  expect(writer.queries.streams.totalsOfAll()).toEqual([]);
  await writer.close();
});

test('a writer moves aside what is no database at all', async () => {
  const path = `${await temporaryDirectory()}/index.sqlite`;
  await writeFile(
    path,
    'not a database, and a good while of it, longer than its header would be, which has a hundred bytes',
  );

  const writer = writerOf(path);

  expect(await writer.start()).toMatchObject({ kind: 'replaced' });
  await writer.close();
});

test('an index that was closed well is not looked through, one that was not is', async () => {
  const path = await pathOfIndex();
  await filledIndex(path);
  expect(existsSync(`${path}.clean`)).toBe(true);

  const writer = writerOf(path);
  expect(await writer.start()).toEqual({ kind: 'opened' });

  expect(existsSync(`${path}.clean`)).toBe(false);
  await writer.close();
  await writer.close();
});

test('a writer leaves an index of a newer release alone', async () => {
  const path = `${await temporaryDirectory()}/index.sqlite`;
  new Sqlite(path).exec('PRAGMA user_version = 99').close();

  const writer = writerOf(path);

  await expect(writer.start()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('newer'),
  });
  expect(existsSync(path)).toBe(true);
});

test.skipIf(!canMount)('a full disk neither keeps the index from opening nor footage from being removed', async () => {
  const disk = `${await temporaryDirectory()}/disk`;
  await mountImage(disk, { image: `${disk}.img`, byteLength: 96 * 1024 * 1024 });
  const path = `${disk}/db/index.sqlite`;
  await filledIndex(path);
  const filler = await open(`${disk}/filler`, 'a');
  const fill = async (piece: Uint8Array) => {
    while ((await filler.write(piece).catch(() => ({ bytesWritten: 0 }))).bytesWritten > 0);
  };
  await fill(new Uint8Array(1024 * 1024));
  await fill(new Uint8Array(1));
  await filler.close();

  const writer = writerOf(path);
  await writer.start();
  writer.transaction((change) => {
    for (const segment of change.queries.segments.oldestFrom('door', 0, 1))
      change.segments.remove(segment, { reason: 'disk-full', isUrgent: true, nowMs: t0 });
  });

  expect(writer.garbage.garbageTotals().segments).toBe(1);
  await rm(`${disk}/filler`);
  writer.checkpoint();
  expect(existsSync(`${path}.spare`)).toBe(true);
  await writer.close();
});

test('a transaction that throws changes nothing', async () => {
  const path = await pathOfIndex();
  const writer = writerOf(path);
  await writer.start();

  expect(() =>
    writer.transaction((change) => {
      change.segments.insert(someSegment({ beginMs: t0 }), { location: 'local', takenInMs: t0 });
      throw new Error('stop');
    }),
  ).toThrow('stop');

  expect(writer.queries.segments.latest('door')).toBeUndefined();
  await writer.close();
});
