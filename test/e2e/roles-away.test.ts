/**
 * Recording goes on while everything else is stopped, killed, locked, damaged or gone. Pictures are counted by their numbers in
 * the stored files: none may be missing that the ledger does not name, whoever was away.
 */

import { copyFile, cp, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { drizzle, migrate } from '../../storage/base/drizzle.ts';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { type RunningSimulator, startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addSimulated, type CameraIds, judgeStream, nothingWrong, untilOnDisk } from '../kit/footage.ts';
import { checkFindings, segmentFiles } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const small = {
  widthPixels: 320,
  heightPixels: 180,
  bitsPerSecond: 200_000,
  gopFrames: 12,
  framesPerSecond: 12,
} as const;

type Keeper = {
  readonly backlog: { readonly segments: number };
  readonly rebuild?: unknown;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
};

async function recording(
  cameras: number,
  prepare?: (dataDirectory: string) => Promise<void>,
): Promise<{
  readonly dataDirectory: string;
  readonly simulator: RunningSimulator;
  readonly appliance: RunningAppliance;
  readonly streams: readonly CameraIds[];
  readonly beginMs: number;
  /** Waits until each camera has pictures of now and some more on the disk. */
  grow(forMs?: number): Promise<void>;
}> {
  const dataDirectory = await temporaryDirectory();
  await prepare?.(dataDirectory);
  const simulator = await startCameraSimulator({ cameras, mode: 'burst', clip: small });
  onTestFinished(() => simulator.close());
  const appliance = await startAppliance({ dataDirectory, isReadyAwaited: prepare === undefined });
  onTestFinished(() => appliance.close());
  await until('cameras can be added', () => appliance.call('GET', '/api/cameras'));
  const beginMs = Date.now();
  const streams = await addSimulated(appliance, simulator, cameras);
  const grow = async (forMs = 2_000) => {
    const atMs = Date.now() + forMs;
    for (const [camera, { streamId }] of streams.entries()) {
      await untilOnDisk(dataDirectory, { simulator, camera, streamId }, atMs);
    }
  };
  await grow();
  return { dataDirectory, simulator, appliance, streams, beginMs, grow };
}

async function keeperState(appliance: RunningAppliance): Promise<Keeper> {
  const { keeper } = (await appliance.call('GET', '/api/system')) as { keeper: Keeper | null };
  if (keeper === null) throw new Error('the keeper cannot be asked');
  return keeper;
}

/**
 * Holds the files against the ledger, stops the appliance and has `check` look.
 *
 * @param expected  reasons that gaps may have
 * @returns         the other reasons
 */
async function judged(
  { dataDirectory, simulator, appliance, streams, beginMs }: Awaited<ReturnType<typeof recording>>,
  expected: readonly string[],
): Promise<string[]> {
  const reasons: string[] = [];
  for (const [camera, { streamId }] of streams.entries()) {
    const wallMs = (frame: number) => simulator.frameWallMs(camera, frame);
    const { judgement, reasons: all } = await judgeStream(appliance, {
      dataDirectory,
      streamId,
      beginMs,
      wallMs,
    });
    expect({ camera, ...judgement }).toEqual({ camera, ...nothingWrong });
    reasons.push(...all);
  }
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
  return reasons.filter((reason) => !expected.includes(reason));
}

test('not a picture is lost while serve hangs or is killed, and while the keeper hangs, is killed or finds the index locked', {
  timeout: 120_000,
}, async () => {
  const site = await recording(2);
  const { dataDirectory, simulator, appliance, streams, grow } = site;

  for (const role of ['serve', 'keeper'] as const) {
    const pid = await appliance.rolePid(role);
    process.kill(pid, 'SIGSTOP');
    await grow();
    process.kill(pid, 'SIGCONT');
    await appliance.kill(role);
    await grow();
    expect(await appliance.rolePid(role)).not.toBe(pid);
  }
  await until('the appliance answers again', () => appliance.call('GET', '/readyz'));
  const index = new Sqlite(join(dataDirectory, 'db', 'index.sqlite'));
  index.exec('BEGIN EXCLUSIVE');
  // A file is finished that the keeper cannot take in now.
  simulator.disconnect(1);
  await grow(6_000);
  index.exec('ROLLBACK');
  index.close();
  await until('the finished file is in the store', async () => {
    const { segments } = (await appliance.call(
      'GET',
      `/api/streams/${streams[1]?.streamId}/segments?begin=${site.beginMs}&end=${Date.now()}`,
    )) as { segments: { location: string }[] };
    return segments.some((segment) => segment.location === 'stored');
  });

  expect(await judged(site, ['source-closed'])).toEqual([]);
});

test('an index that is damaged or deleted is filled again from the files, and recording never waits for it', {
  timeout: 120_000,
}, async () => {
  const site = await recording(1);
  const { dataDirectory, simulator, appliance, streams, beginMs, grow } = site;
  const streamId = streams[0]?.streamId ?? '';
  const segments = async () => {
    const path = `/api/streams/${streamId}/segments?begin=${beginMs}&end=${Date.now()}`;
    const answer = (await appliance.call('GET', path)) as {
      segments: { location: string; runId: string; bytes: number; firstNumber: string; lastNumber: string }[];
    };
    return answer.segments.map(({ runId, bytes, firstNumber, lastNumber }) => ({
      runId,
      bytes,
      firstNumber,
      lastNumber,
    }));
  };
  simulator.disconnect(0);
  const before = await until('the first segment is listed', async () => {
    const listed = await segments();
    return listed.length === 1 ? listed : undefined;
  });
  const index = join(dataDirectory, 'db', 'index.sqlite');

  for (const damage of ['garbage', 'deleted'] as const) {
    const pid = await appliance.rolePid('keeper');
    // Not only killed: it must not be back before the damage is done.
    process.kill(pid, 'SIGSTOP');
    await damageFile(index, damage);
    process.kill(pid, 'SIGKILL');
    await grow();

    const after = await until(`the footage is listed again, the index was ${damage}`, async () => {
      const listed = await segments();
      return listed.length >= before.length && (await keeperState(appliance)).rebuild === undefined
        ? listed
        : undefined;
    });
    expect(after.slice(0, before.length)).toEqual(before);
  }

  expect(await judged(site, ['source-closed'])).toEqual([]);
});

test('cameras are recorded while databases of the release before become those of this one, however long that takes', {
  timeout: 120_000,
}, async () => {
  const indexes: Sqlite.Database[] = [];
  const site = await recording(1, async (dataDirectory) => {
    const [catalog, index] = await Promise.all(
      ['catalog', 'index'].map((name) => databaseBefore(name, join(dataDirectory, 'db'))),
    );
    catalog?.close();
    // Whoever wants to change its tables waits.
    index?.exec('BEGIN EXCLUSIVE');
    if (index !== undefined) indexes.push(index);
  });
  const { simulator, appliance, streams, grow } = site;

  // A file is finished that the keeper cannot take in now.
  simulator.disconnect(0);
  await grow(6_000);
  expect((await keeperState(appliance)).problems).not.toEqual([]);
  for (const index of indexes) {
    index.exec('ROLLBACK');
    index.close();
  }
  await until('the finished file is in the store', async () => {
    const path = `/api/streams/${streams[0]?.streamId}/segments?begin=${site.beginMs}&end=${Date.now()}`;
    const { segments } = (await appliance.call('GET', path)) as { segments: { location: string }[] };
    return segments.some(({ location }) => location === 'stored');
  });

  expect(await judged(site, ['source-closed'])).toEqual([]);
});

test('recording goes on while the object store is away, and the files follow by themselves when it is back', {
  timeout: 120_000,
}, async () => {
  const site = await recording(1);
  const { dataDirectory, simulator, appliance, streams, grow } = site;
  const objects = join(dataDirectory, 'objects');
  await rename(objects, `${objects}.away`);
  simulator.disconnect(0);
  await until('the keeper says that the store is away', async () =>
    (await keeperState(appliance)).problems.some((problem) => problem.code === 'store-away'),
  );
  await until('a file waits for the store', async () => (await keeperState(appliance)).backlog.segments > 0);
  await grow();
  // An empty directory in its place, as a disk that is not mounted leaves it, takes nothing either.
  await appliance.kill('keeper');
  await until('the keeper says that it is another store', async () =>
    (await keeperState(appliance)).problems.some((problem) => problem.code.startsWith('store-')),
  );
  await rm(objects, { recursive: true, force: true });
  await rename(`${objects}.away`, objects);
  await until('all files are in the store', async () => {
    const { backlog, problems } = await keeperState(appliance);
    return backlog.segments === 0 && problems.length === 0;
  });

  const [file = ''] = await segmentFiles(dataDirectory, streams[0]?.streamId ?? '');
  expect(file.startsWith(objects)).toBe(true);
  expect((await stat(file)).size).toBeGreaterThan(0);
  expect(await judged(site, ['source-closed'])).toEqual([]);
});

test('cameras are recorded by the last plan while the catalog is locked, damaged or gone', {
  timeout: 120_000,
}, async () => {
  const site = await recording(1);
  const { dataDirectory, appliance, grow } = site;
  const catalogPath = join(dataDirectory, 'db', 'catalog.sqlite');
  const catalog = new Sqlite(catalogPath);
  catalog.exec('BEGIN EXCLUSIVE');
  await appliance.kill('ingest');
  await grow();
  catalog.exec('ROLLBACK');
  // A copy as a backup tool makes it.
  await catalog.backup(`${catalogPath}.backup`);
  catalog.close();
  await until('the appliance answers', () => appliance.call('GET', '/readyz'));

  const untilPageSays = (words: string) =>
    until(`the page says that ${words}`, async () => {
      const page = await appliance.call('GET', '/', undefined, { expectStatus: 503 });
      return String(page).includes(words);
    });
  // A catalog that is gone is not made anew: its empty plan would end all recording.
  await damageFile(catalogPath, 'deleted');
  await appliance.kill('serve');
  await untilPageSays('the catalog is gone');
  await damageFile(catalogPath, 'garbage');
  await untilPageSays('the catalog is damaged');
  await appliance.kill('ingest');
  await grow();
  await damageFile(catalogPath, 'deleted');
  await copyFile(`${catalogPath}.backup`, catalogPath);
  await until('the appliance answers again', () => appliance.call('GET', '/readyz'), 60_000);

  // Killed twice, the recording process was away for a moment each time; nothing else was missed.
  expect(await judged(site, ['crashed', 'connecting'])).toEqual([]);
});

/** An empty database as the release before made it: all migrations but the newest. */
async function databaseBefore(name: string, directory: string): Promise<Sqlite.Database> {
  const folder = join(await temporaryDirectory(), name);
  await cp(join(import.meta.dirname, '../../storage', name, 'migrations'), folder, { recursive: true });
  const journal = join(folder, 'meta/_journal.json');
  const { entries, ...rest } = JSON.parse(await readFile(journal, 'utf8')) as { entries: unknown[] };
  await writeFile(journal, JSON.stringify({ ...rest, entries: entries.slice(0, -1) }));
  await mkdir(directory, { recursive: true });
  const database = new Sqlite(join(directory, `${name}.sqlite`));
  database.pragma('journal_mode = WAL');
  migrate(drizzle(database), { migrationsFolder: folder });
  return database;
}

async function damageFile(path: string, damage: 'garbage' | 'deleted'): Promise<void> {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) await rm(file, { force: true });
  if (damage === 'garbage') await writeFile(path, 'This is no database. '.repeat(10_000));
}
