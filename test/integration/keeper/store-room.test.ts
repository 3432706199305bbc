/** Room of stores: what is removed for it is as much as is lacking, and on the store that lacks it. */

import { copyFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { check, Keeper, StoreMover } from '../../../storage/keeper/index.ts';
import { type Paths, pathsUnder } from '../../../storage/model/paths.ts';
import { DirectoryStore, type ObjectSpace, type ObjectStore, OrderedStores } from '../../../storage/objects/index.ts';
import { canMount, mountMemory } from '../../kit/disks.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { createSite, expectNothing, minute, settled } from './kit.ts';

const log = silentLog;
const clock = systemClock;
const everMs = { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER };
const now = Date.now();
const MiB = 1024 * 1024;

/** A disk of its own that somebody else has filled up to `freeBytes`, and that takes its time for a file. */
class SmallDisk extends DirectoryStore {
  freeBytes = 1_000 * MiB;
  putMs = 0;
  deletedBytes = 0;

  override async putFile(...[key, path, options]: Parameters<DirectoryStore['putFile']>): Promise<void> {
    const isDue = Date.now() + this.putMs;
    if (this.putMs > 0) await until('the disk has time', () => Date.now() >= isDue);
    return super.putFile(key, path, options);
  }

  override async delete(...[key, options]: Parameters<DirectoryStore['delete']>): Promise<void> {
    const { byteLength = 0 } = (await this.stat(key)) ?? {};
    await super.delete(key, options);
    this.freeBytes += byteLength;
    this.deletedBytes += byteLength;
  }

  override async space(): Promise<ObjectSpace> {
    return { freeBytes: this.freeBytes, totalBytes: 1_000 * MiB, device: -1 };
  }
}

async function findingsOf(paths: Paths, store: ObjectStore) {
  const { findings, skipped } = await check({ clock, log, store }, { paths, level: 'hash' });
  expect(skipped).toEqual([]);
  return findings;
}

test('what a full disk lacks is removed once, however long the store is busy with a backlog', async () => {
  let disk: SmallDisk | undefined;
  const site = await createSite({
    store: (paths) => {
      disk = new SmallDisk({ log }, { directory: join(paths.data, 'disk') });
      return disk;
    },
  });
  const reserveBytes = 10 * MiB;
  const later = pathsUnder(await temporaryDirectory());
  for (const i of [0, 1, 2, 3]) {
    const run = { fragments: 100, firstCounter: 1 + i * 1_000, beginMs: now - (600 - 100 * i) * minute };
    await recordRun(i < 2 ? site.paths : later, { seed: `run ${i}`, ...run });
  }
  const keeper = await site.startKeeper({ diskReserveBytes: reserveBytes });
  await settled(keeper, 20);
  const segmentBytes = keeper.index.queries.segments.after('door', undefined, 1)[0]?.byteLength ?? 0;

  if (disk === undefined) throw new Error('the site made its store');
  disk.freeBytes = reserveBytes - 3 * segmentBytes;
  disk.putMs = 500;
  for (const name of await readdir(join(later.journalFinished, 'door'))) {
    await rename(join(later.journalFinished, 'door', name), join(site.paths.journalFinished, 'door', name));
  }
  await until('the backlog is being stored', () => keeper.state.backlog.segments > 0);
  await until('the backlog is stored', () => keeper.state.backlog.segments === 0);

  expect(disk.deletedBytes / segmentBytes).toBeLessThan(5);
  await keeper.close();
  expectNothing(await findingsOf(site.paths, disk));
});

/** A directory store that takes files only while it has time, and can be away. */
class Wayward extends DirectoryStore {
  isBusy = false;
  isAway = false;

  override async putFile(...[key, path, options]: Parameters<DirectoryStore['putFile']>): Promise<void> {
    await until('the store has time', () => !this.isBusy);
    return super.putFile(key, path, options);
  }

  override async identity(): Promise<string> {
    if (this.isAway) throw appError('unavailable', 'the disk is not there');
    return super.identity();
  }

  override async space(): Promise<ObjectSpace> {
    if (this.isAway) throw appError('unavailable', 'the disk is not there');
    return super.space();
  }
}

/** Journal and first store on one disk of 32 MiB, and a last store elsewhere. */
async function createFastDisk() {
  const paths = pathsUnder(await temporaryDirectory());
  await mountMemory(join(paths.data, 'journal'), 32 * MiB);
  const [ssd, hdd] = ['journal/ssd', 'hdd'].map((name) => new Wayward({ log }, { directory: join(paths.data, name) }));
  if (ssd === undefined || hdd === undefined) throw new Error('both are made');
  const storeOf = (key: string) => (keeper.isIndexOpen ? keeper.index.queries.places.storeOf(key) : undefined);
  const stores = new OrderedStores(
    { clock, storeOf },
    {
      stores: [
        { name: 'ssd', store: ssd },
        { name: 'hdd', store: hdd },
      ],
      identities: { path: join(paths.data, 'stores.json'), mayMake: true },
    },
  );
  // A quarter of it is for recorders alone: 10 MiB.
  const keeper: Keeper = new Keeper(
    { clock, log, store: stores },
    { paths, periodMs: 20, diskReserveBytes: 40 * MiB, storeTimeoutMs: 60_000 },
  );
  const plans = ['ssd', 'hdd'].map((name) => ({ name, moveOnAfterHours: undefined, timeoutMs: 10_000 }));
  const mover = new StoreMover({ clock, log, keeper, stores }, { plans, directory: paths.moving, periodMs: 20 });
  onTestFinished(async () => {
    ssd.isBusy = false;
    await mover.close();
    await keeper.close();
  });
  return { paths, ssd, hdd, stores, keeper, mover };
}

test.skipIf(!canMount)(
  'footage on a fast store goes before what is stored nowhere while the next store is away',
  async () => {
    const { paths, ssd, hdd, stores, keeper, mover } = await createFastDisk();
    const payloadBytes = 0.3 * MiB;
    const later = pathsUnder(await temporaryDirectory());
    await recordRun(paths, { seed: 'old', beginMs: now - 60 * minute, fragments: 40, firstCounter: 1, payloadBytes });
    await recordRun(later, { seed: 'new', beginMs: now - 30 * minute, fragments: 40, firstCounter: 100, payloadBytes });
    await keeper.start();
    await mover.start();
    await settled(keeper, 4);
    await until('their store is known', () =>
      keeper.index.queries.segments
        .after('door', undefined, 10)
        .every(({ objectKey }) => keeper.index.queries.places.storeOf(objectKey) === 'ssd'),
    );

    const newest = () => keeper.index.queries.segments.oldestFrom('door', now - 31 * minute, 10);
    ssd.isBusy = true;
    hdd.isAway = true;
    // What lies in `finished` is taken for whole: a file on its way lies elsewhere on that disk.
    const coming = join(paths.data, 'journal', 'coming');
    for (const name of await readdir(join(later.journalFinished, 'door'))) {
      await copyFile(join(later.journalFinished, 'door', name), coming);
      await rename(coming, join(paths.journalFinished, 'door', name));
    }
    await until('something was removed', () => keeper.index.queries.streams.removals('door', everMs, 10).length > 0);

    await until('the new is taken in', () => newest().length === 4);
    expect(keeper.state.problems.map(({ code }) => code)).not.toContain('footage-given-up');
    ssd.isBusy = false;
    await until('the rest is stored', () => keeper.state.backlog.segments === 0);
    expect(newest()).toHaveLength(4);
    expect(keeper.index.queries.streams.segmentCount()).toBeGreaterThan(4);
    hdd.isAway = false;
    await mover.close();
    await keeper.close();
    expectNothing(await findingsOf(paths, stores));
  },
);
