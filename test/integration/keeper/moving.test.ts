/** Segments move from store to store, each verified before its old copy goes, and a kill between any two steps loses none. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { IndexReader } from '../../../storage/index/index.ts';
import { check, Keeper, StoreMover, type StorePlan } from '../../../storage/keeper/index.ts';
import { type Paths, pathsUnder } from '../../../storage/model/paths.ts';
import {
  DirectoryStore,
  type NamedStore,
  type ObjectSpace,
  type ObjectStore,
  OrderedStores,
  S3Store,
} from '../../../storage/objects/index.ts';
import { canMount, mountMemory } from '../../kit/disks.ts';
import { findMinio, startMinio, withMinio } from '../../kit/minio.ts';
import { planOfSources, recordingPolicy } from '../../kit/plans.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { minute } from './kit.ts';

const program = await findMinio();
const log = silentLog;
const clock = systemClock;
const now = Date.now();
const timeoutMs = 10_000;
const MiB = 1024 * 1024;

type Site = {
  readonly paths: Paths;
  readonly stores: OrderedStores;
  /** A keeper and a mover, closed when the test ends. */
  run(plans: readonly StorePlan[]): Promise<{ keeper: Keeper; mover: StoreMover; close(): Promise<void> }>;
  /** Objects of each store, by name. */
  objects(): Promise<Record<string, number>>;
};

function siteOn(root: string, named: readonly [NamedStore, ...NamedStore[]], clock: Clock = systemClock): Site {
  const paths = pathsUnder(root);
  const index = new IndexReader({ clock, log }, { path: paths.index });
  const identities = { path: join(root, 'stores.json'), mayMake: true };
  const storeOf = (key: string) => index.snapshot((queries) => queries.places.storeOf(key));
  const stores = new OrderedStores({ clock, storeOf }, { stores: named, identities });
  onTestFinished(async () => {
    await index.close();
    await stores.close();
  });
  return {
    paths,
    stores,
    async run(plans) {
      const keeper = new Keeper({ clock, log, store: stores }, { paths, periodMs: 20, diskReserveBytes: 0 });
      const mover = new StoreMover({ clock, log, keeper, stores }, { plans, directory: paths.moving, periodMs: 20 });
      const close = async () => {
        await mover.close();
        await keeper.close();
      };
      onTestFinished(close);
      await keeper.start();
      await mover.start();
      return { keeper, mover, close };
    },
    async objects() {
      const counts: Record<string, number> = {};
      for (const { name, store } of named) {
        counts[name] = 0;
        for await (const _ of store.list('')) counts[name]++;
      }
      return counts;
    },
  };
}

function directoryStore(root: string, name: string): NamedStore {
  return { name, store: new DirectoryStore({ log }, { directory: join(root, name) }) };
}

/** As from another machine: its objects are no files here. */
function remote(store: ObjectStore): ObjectStore {
  return {
    start: () => store.start(),
    close: () => store.close(),
    identity: () => store.identity(),
    putFile: (key, path, options) => store.putFile(key, path, options),
    getRange: (key, offset, length) => store.getRange(key, offset, length),
    localPath: () => undefined,
    delete: (key) => store.delete(key),
    list: (prefix) => store.list(prefix),
    stat: (key) => store.stat(key),
    space: () => store.space(),
  };
}

function plan(name: string, moveOnAfterHours?: number): StorePlan {
  return { name, moveOnAfterHours, timeoutMs };
}

async function expectWhole({ paths, stores }: Site, segments: number): Promise<void> {
  const result = await check({ clock, log, store: stores }, { paths, level: 'hash' });
  expect(result).toMatchObject({ findings: [], skipped: [], segments, objects: segments });
}

async function untilObjects(site: Site, wanted: Record<string, number>): Promise<void> {
  await until(`objects are ${JSON.stringify(wanted)}`, async () => {
    const found = await site.objects();
    return Object.entries(wanted).every(([name, count]) => found[name] === count);
  });
}

test('what a stream of the tier WARM has goes on at once, old and new, and what others have stays', async () => {
  const root = await temporaryDirectory();
  const site = siteOn(root, [directoryStore(root, 'ssd'), directoryStore(root, 'hdd')]);
  const others = { seed: 'other', beginMs: now - 10 * minute, fragments: 20, firstCounter: 1 };
  await recordRun(site.paths, { seed: 'old', beginMs: now - 180 * minute, fragments: 30, firstCounter: 1 });
  await recordRun(site.paths, { streamId: 'yard', ...others });
  const { keeper, close } = await site.run([plan('ssd'), plan('hdd')]);
  await untilObjects(site, { ssd: 5, hdd: 0 });
  const source = { kind: 'kvs' } as const;
  const planned = {
    cameraId: 'c',
    role: 'main',
    name: 'Door',
    source,
    recording: recordingPolicy(),
    revision: 1,
  } as const;

  keeper.setPlan(
    planOfSources({ ...planned, streamId: 'door', storageTier: 'WARM' }, { ...planned, streamId: 'yard' }),
  );
  await untilObjects(site, { ssd: 2, hdd: 3 });
  await recordRun(site.paths, { seed: 'new', beginMs: now - 5 * minute, fragments: 20, firstCounter: 100 });
  await untilObjects(site, { ssd: 2, hdd: 5 });

  const storesOf = (streamId: string) =>
    keeper.index.queries.segments
      .after(streamId, undefined, 10)
      .map(({ objectKey }) => keeper.index.queries.places.storeOf(objectKey));
  expect([new Set(storesOf('door')), new Set(storesOf('yard'))]).toEqual([new Set(['hdd']), new Set(['ssd'])]);
  await close();
  await expectWhole(site, 7);
});

test('what has the age moves on, what is younger stays, and readers find both', async () => {
  const root = await temporaryDirectory();
  const site = siteOn(root, [directoryStore(root, 'ssd'), directoryStore(root, 'hdd')]);
  await recordRun(site.paths, { seed: 'old', beginMs: now - 180 * minute, fragments: 30, firstCounter: 1 });
  await recordRun(site.paths, { seed: 'new', beginMs: now - 30 * minute, fragments: 20, firstCounter: 100 });

  const { keeper, close } = await site.run([plan('ssd', 1), plan('hdd')]);
  await until('three moved', async () => (await site.objects().catch(() => ({ hdd: 0 }))).hdd === 3);
  await untilObjects(site, { ssd: 2, hdd: 3 });

  const segments = keeper.index.queries.segments.after('door', undefined, 10);
  expect(segments.map(({ objectKey }) => keeper.index.queries.places.storeOf(objectKey))).toEqual([
    'hdd',
    'hdd',
    'hdd',
    'ssd',
    'ssd',
  ]);
  for (const { objectKey, byteLength } of segments) {
    expect((await site.stores.getRange(objectKey, 0, byteLength)).byteLength).toBe(byteLength);
  }
  await close();
  await expectWhole(site, 5);
});

test('a copy that is not what was recorded never takes the place of the old one', async () => {
  const root = await temporaryDirectory();
  class Lying extends DirectoryStore {
    isLying = true;
    override async putFile(key: string, path: string): Promise<void> {
      if (!this.isLying) return super.putFile(key, path);
      const bytes = await readFile(path);
      bytes[bytes.byteLength >> 1] = (bytes[bytes.byteLength >> 1] ?? 0) ^ 1;
      await writeFile(join(root, 'changed'), bytes);
      return super.putFile(key, join(root, 'changed'));
    }
  }
  const hdd = new Lying({ log }, { directory: join(root, 'hdd') });
  const site = siteOn(root, [directoryStore(root, 'ssd'), { name: 'hdd', store: hdd }]);
  await recordRun(site.paths, { seed: 'a', beginMs: now - 180 * minute, fragments: 10, firstCounter: 1 });

  const { mover, keeper } = await site.run([plan('ssd', 0), plan('hdd')]);
  await until('it is refused', () => mover.refused.size === 1);

  const [segment] = keeper.index.queries.segments.after('door', undefined, 1);
  expect(keeper.index.queries.places.storeOf(segment?.objectKey ?? '')).toBe('ssd');
  expect((await site.objects()).ssd).toBe(1);
  expect(mover.refused.problem?.message).toContain('not what was recorded');
});

test.skipIf(!canMount)(
  'what moves to a store elsewhere is read back beside the data, and a full disk there is named',
  async () => {
    const root = await temporaryDirectory();
    const elsewhere = { name: 'bucket', store: remote(directoryStore(root, 'bucket').store) };
    const site = siteOn(root, [directoryStore(root, 'ssd'), elsewhere]);
    const { moving } = site.paths;
    // Recorders on that disk keep 64 MiB.
    await mountMemory(moving, 80 * MiB);
    await writeFile(join(moving, 'filler'), Buffer.alloc(40 * MiB));
    await mkdir(join(moving, 'weir-object-of-a-killed-one'));
    await recordRun(site.paths, { seed: 'a', beginMs: now - 180 * minute, fragments: 10, firstCounter: 1 });

    const { mover, keeper, close } = await site.run([plan('ssd', 0), plan('bucket')]);
    const told = `no room on this machine for a copy of a segment in ${moving}`;
    await until('it is told', () =>
      mover.problems.some(({ code, message }) => code === 'moving-fails' && message.includes(told)),
    );
    expect(keeper.state.store.state).toBe('well');
    await rm(join(moving, 'filler'));
    await until('it moved', () => mover.moved === 1);

    expect(await readdir(moving)).toEqual([]);
    await close();
    await expectWhole(site, 1);
  },
);

test('a segment that was in none of the stores moves when it is found again', async () => {
  const root = await temporaryDirectory();
  class Forgetful extends DirectoryStore {
    isBlank = true;
    override async stat(key: string) {
      return this.isBlank ? undefined : super.stat(key);
    }
  }
  const ssd = new Forgetful({ log }, { directory: join(root, 'ssd') });
  let laterMs = 0;
  const shifted = { ...clock, monotonicMs: () => clock.monotonicMs() + laterMs };
  const site = siteOn(root, [{ name: 'ssd', store: ssd }, directoryStore(root, 'hdd')], shifted);
  await recordRun(site.paths, { seed: 'a', beginMs: now - 180 * minute, fragments: 10, firstCounter: 1 });
  const { mover, close } = await site.run([plan('ssd', 0), plan('hdd')]);
  await until('it is told', () => mover.refused.size === 1);
  expect(mover.problems[0]?.message).toContain('it is in none of the stores');

  ssd.isBlank = false;
  laterMs = 15_000;

  await untilObjects(site, { ssd: 0, hdd: 1 });
  await until('nothing is told', () => mover.problems.length === 0);
  await close();
  await expectWhole(site, 1);
});

test('a store that has no room left hands on before the age', async () => {
  const root = await temporaryDirectory();
  class Small extends DirectoryStore {
    isFull = false;
    override async space(): Promise<ObjectSpace> {
      return { freeBytes: this.isFull ? 1_000 : 900_000_000, totalBytes: 1_000_000_000, device: 1 };
    }
  }
  const ssd = new Small({ log }, { directory: join(root, 'ssd') });
  const site = siteOn(root, [{ name: 'ssd', store: ssd }, directoryStore(root, 'hdd')]);
  await recordRun(site.paths, { seed: 'a', beginMs: now - 30 * minute, fragments: 20, firstCounter: 1 });
  const { keeper, close } = await site.run([plan('ssd', 1_000), plan('hdd')]);
  await until(
    'both are stored',
    () => keeper.isIndexOpen && keeper.index.queries.places.oldestOf('ssd', now, 9).length === 2,
  );

  ssd.isFull = true;

  await untilObjects(site, { ssd: 0, hdd: 2 });
  await close();
  await expectWhole(site, 2);
});

test('a disk that was unmounted gets nothing, and what waits moves when it is back', async () => {
  const root = await temporaryDirectory();
  const site = siteOn(root, [directoryStore(root, 'ssd'), directoryStore(root, 'hdd')]);
  const first = await site.run([plan('ssd'), plan('hdd')]);
  await until('the index is whole', () => first.keeper.isIndexOpen && first.keeper.state.rebuild === undefined);
  await first.close();
  await rename(join(root, 'hdd'), join(root, 'away'));
  await mkdir(join(root, 'hdd'));

  await recordRun(site.paths, { seed: 'a', beginMs: now - 180 * minute, fragments: 20, firstCounter: 1 });
  const { keeper, close } = await site.run([plan('ssd', 0), plan('hdd')]);
  await until(
    'both are stored',
    () => keeper.isIndexOpen && keeper.index.queries.segments.latest('door') !== undefined,
  );
  await until('nothing waits', () => keeper.state.backlog.segments === 0);
  expect(await readdir(join(root, 'hdd'))).toEqual([]);
  await rmdir(join(root, 'hdd'));
  await rename(join(root, 'away'), join(root, 'hdd'));

  await untilObjects(site, { ssd: 0, hdd: 2 });
  await close();
  await expectWhole(site, 2);
});

test('a store that is named twice, by another path, is never moved onto itself', async () => {
  const root = await temporaryDirectory();
  await mkdir(join(root, 'ssd'));
  await symlink(join(root, 'ssd'), join(root, 'hdd'));
  const site = siteOn(root, [directoryStore(root, 'ssd'), directoryStore(root, 'hdd')]);
  await site.stores.start();
  await recordRun(site.paths, { seed: 'a', beginMs: now - 180 * minute, fragments: 10, firstCounter: 1 });

  const { mover, keeper, close } = await site.run([plan('ssd', 0), plan('hdd')]);
  await until('it is told', () => mover.problems.length > 0 || mover.moved > 0);

  expect(mover.problems[0]?.message).toContain('one store has two names');
  expect(mover.moved).toBe(0);
  await until('it is stored all the same', () => keeper.state.backlog.segments === 0);
  await close();
  const { findings } = await check(
    { clock, log, store: site.stores.stores[0].store },
    { paths: site.paths, level: 'hash' },
  );
  expect(findings).toEqual([]);
});

test('what is deleted while another disk is in the place of a store is not deleted yet', async () => {
  const root = await temporaryDirectory();
  const site = siteOn(root, [directoryStore(root, 'ssd'), directoryStore(root, 'hdd')]);
  await recordRun(site.paths, { seed: 'a', beginMs: now - 180 * minute, fragments: 10, firstCounter: 1 });
  const { keeper, close } = await site.run([plan('ssd', 0), plan('hdd')]);
  await until('it moved', async () => (await site.objects().catch(() => ({ hdd: 0 }))).hdd === 1);
  const objectKey = keeper.index.queries.segments.after('door', undefined, 1)[0]?.objectKey ?? '';
  await close();

  await rename(join(root, 'hdd'), join(root, 'unmounted'));
  await mkdir(join(root, 'hdd'));
  await writeFile(join(root, 'hdd', '.weir-store'), 'another\n');
  // Another process: it has not seen the disk that was there.
  const later = siteOn(root, [directoryStore(root, 'ssd'), directoryStore(root, 'hdd')]);
  await expect(later.stores.delete(objectKey)).rejects.toMatchObject({ code: 'failed_precondition' });
  await rm(join(root, 'hdd'), { recursive: true });
  await rename(join(root, 'unmounted'), join(root, 'hdd'));

  expect((await site.objects()).hdd).toBe(1);
});

test('a keeper that is killed while segments move has each of them whole and once', async () => {
  const root = await temporaryDirectory();
  const site = siteOn(root, [directoryStore(root, 'ssd'), directoryStore(root, 'hdd')]);
  for (let n = 0; n < 6; n++) {
    const beginMs = now - (600 - n * 20) * minute;
    await recordRun(site.paths, { seed: `run-${n}`, beginMs, fragments: 100, firstCounter: 1 + n * 100 });
  }
  const script = join(import.meta.dirname, 'moving-child.ts');

  const moved = async () => (await site.objects().catch(() => ({ hdd: 0 }))).hdd ?? 0;
  let kills = 0;
  while (kills < 5 && (await moved()) < 60) {
    const child = spawn(process.execPath, [script, root, join(root, 'ssd'), join(root, 'hdd')], { stdio: 'pipe' });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    const ended = once(child, 'close');
    const crashed = ended.then(([code]) => {
      throw new Error(`the keeper ended with ${code} before it moved anything: ${complaint}`);
    });
    await Promise.race([once(child.stdout, 'data'), crashed]);
    await systemClock.sleep(kills * 11);
    child.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
    kills++;
  }
  expect(kills).toBeGreaterThan(0);

  const { close } = await site.run([plan('ssd', 0), plan('hdd')]);
  await untilObjects(site, { ssd: 0, hdd: 60 });
  await close();
  await expectWhole(site, 60);
});

test('an index that is lost while a disk is away is not believed whole without it', async () => {
  const root = await temporaryDirectory();
  const site = siteOn(root, [directoryStore(root, 'ssd'), directoryStore(root, 'hdd')]);
  await recordRun(site.paths, { seed: 'old', beginMs: now - 180 * minute, fragments: 30, firstCounter: 1 });
  const first = await site.run([plan('ssd', 0), plan('hdd')]);
  await until('all moved', () => first.mover.moved === 3);
  await first.close();
  for (const suffix of ['', '-wal', '-shm'])
    await rename(`${site.paths.index}${suffix}`, join(root, `lost${suffix}`)).catch(() => {});
  await rename(join(root, 'hdd'), join(root, 'away'));
  await mkdir(join(root, 'hdd'));

  const { keeper, close } = await site.run([plan('ssd', 0), plan('hdd')]);
  await until('it is tried', () => keeper.isIndexOpen && keeper.state.store.state === 'away');
  await recordRun(site.paths, { seed: 'new', beginMs: now - 30 * minute, fragments: 10, firstCounter: 100 });
  await until('what is new is stored meanwhile', () => {
    const segment = keeper.index.queries.segments.latest('door');
    return segment?.location === 'stored';
  });
  expect(keeper.state.rebuild).not.toBeUndefined();
  expect(await readdir(join(root, 'hdd'))).toEqual([]);
  await rmdir(join(root, 'hdd'));
  await rename(join(root, 'away'), join(root, 'hdd'));

  await until('it is whole', () => keeper.state.rebuild === undefined);
  await close();
  await expectWhole(site, 4);
});

test('an index that is lost knows all stores again', async () => {
  const root = await temporaryDirectory();
  const site = siteOn(root, [directoryStore(root, 'ssd'), directoryStore(root, 'hdd')]);
  await recordRun(site.paths, { seed: 'old', beginMs: now - 180 * minute, fragments: 30, firstCounter: 1 });
  await recordRun(site.paths, { seed: 'new', beginMs: now - 30 * minute, fragments: 20, firstCounter: 100 });
  const first = await site.run([plan('ssd', 1), plan('hdd')]);
  await until('three moved', () => first.mover.moved === 3);
  await first.close();
  for (const suffix of ['', '-wal', '-shm'])
    await rename(`${site.paths.index}${suffix}`, join(root, `lost${suffix}`)).catch(() => {});

  const { keeper, close } = await site.run([plan('ssd', 1), plan('hdd')]);
  await until('it is whole', () => keeper.isIndexOpen && keeper.state.rebuild === undefined);
  await until('all are placed', () => {
    const segments = keeper.index.queries.segments.after('door', undefined, 10);
    return segments.length === 5 && segments.every(({ objectKey }) => keeper.index.queries.places.storeOf(objectKey));
  });

  await close();
  await expectWhole(site, 5);
});

describe.skipIf(program.missing !== undefined)(withMinio('from a disk to S3', program), () => {
  test('segments move to the bucket, wait while it is away, and follow oldest first', async () => {
    const minio = await startMinio(program);
    const root = await temporaryDirectory();
    const s3 = { name: 's3', store: new S3Store({ clock, log }, minio.storeOptions()) };
    const site = siteOn(root, [directoryStore(root, 'ssd'), s3]);
    await recordRun(site.paths, {
      seed: 'a',
      beginMs: now - 180 * minute,
      fragments: 20,
      firstCounter: 1,
      payloadBytes: 50_000,
    });
    const { mover, close } = await site.run([plan('ssd', 0), plan('s3')]);
    await until('two moved', () => mover.moved === 2);

    await minio.stop();
    await recordRun(site.paths, { seed: 'b', beginMs: now - 90 * minute, fragments: 30, firstCounter: 100 });
    await until('they are on the disk', async () => {
      const names = await readdir(join(root, 'ssd'), { recursive: true });
      return names.filter((name) => name.endsWith('.mkv')).length === 3;
    });
    await minio.start();

    await untilObjects(site, { ssd: 0, s3: 5 });
    await close();
    await expectWhole(site, 5);
  });
});
