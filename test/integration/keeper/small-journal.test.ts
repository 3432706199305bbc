/** A small journal disk and a store that is slower than the cameras, or a journal disk that is not there at all. */

import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { type CheckLevel, check, Keeper, type KeeperOptions } from '../../../storage/keeper/index.ts';
import { type Paths, pathsUnder } from '../../../storage/model/paths.ts';
import { DirectoryStore, type ObjectStore } from '../../../storage/objects/index.ts';
import { canMount, makeReadOnly, mountMemory } from '../../kit/disks.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { filesUnder, minute, settled } from './kit.ts';

const MiB = 1024 * 1024;
const now = Date.now();

/** A directory store that takes files only when it is told to. */
class SlowStore extends DirectoryStore implements ObjectStore {
  puts = 0;

  override async putFile(...[key, path, options]: Parameters<DirectoryStore['putFile']>): Promise<void> {
    await until('the store has time', () => this.puts > 0);
    this.puts--;
    return super.putFile(key, path, options);
  }
}

async function createSite() {
  const data = await temporaryDirectory();
  const paths: Paths = pathsUnder(data, { journalSpares: [join(data, 'spare')] });
  const store = new SlowStore({ log: silentLog }, { directory: paths.objects });
  onTestFinished(() => {
    store.puts = Number.POSITIVE_INFINITY;
  });
  return {
    paths,
    store,
    spare: { ...paths, journalOpen: join(data, 'spare', 'open'), journalFinished: join(data, 'spare', 'finished') },
    async startKeeper(options: Partial<KeeperOptions> = {}) {
      const keeper = new Keeper(
        { clock: systemClock, log: silentLog, store },
        { paths, periodMs: 20, diskReserveBytes: 0, storeTimeoutMs: 60_000, ...options },
      );
      onTestFinished(async () => {
        store.puts = Number.POSITIVE_INFINITY;
        await keeper.close();
      });
      await keeper.start();
      return keeper;
    },
    async findings(level: CheckLevel = 'hash') {
      const { findings } = await check({ clock: systemClock, log: silentLog, store }, { paths, level });
      return findings;
    },
  };
}

/** Four files of 3 MiB. */
function record(paths: Paths, seed: string, minutesAgo: number, firstCounter: number) {
  const beginMs = now - minutesAgo * minute;
  return recordRun(paths, { seed, beginMs, fragments: 40, firstCounter, payloadBytes: 0.3 * MiB });
}

const codesOf = (keeper: Keeper) => keeper.state.problems.map((problem) => problem.code);

/** A quarter of it is for recorders alone: 10 MiB. */
const diskReserveBytes = 40 * MiB;

test.skipIf(!canMount)('what waits for a slow store stays while the journal has room for recorders', async () => {
  const { paths, store, startKeeper, findings } = await createSite();
  await mountMemory(join(paths.data, 'journal'), 32 * MiB);
  await record(paths, 'a', 60, 1);
  const keeper = await startKeeper({ diskReserveBytes });
  await until('all are taken in', () => keeper.isIndexOpen && keeper.state.backlog.segments === 4);
  const looks = keeper.state.journalSpace;
  await until('room was looked at again', () => keeper.state.journalSpace !== looks);

  expect(keeper.state.backlog.segments).toBe(4);
  expect(codesOf(keeper)).not.toContain('footage-given-up');
  store.puts = 4;
  await settled(keeper, 4);
  await keeper.close();
  expect(await findings()).toEqual([]);
});

test.skipIf(!canMount)('when recorders need the room, the oldest goes, with a record of why and loudly', async () => {
  const { paths, store, startKeeper, findings } = await createSite();
  await mountMemory(join(paths.data, 'journal'), 32 * MiB);
  await record(paths, 'a', 60, 1);
  await record(paths, 'b', 30, 100);
  const keeper = await startKeeper({ diskReserveBytes });

  await until('it is told', () => keeper.isIndexOpen && codesOf(keeper).includes('footage-given-up'));
  await until('recorders have room', () => (keeper.state.journalSpace?.freeBytes ?? 0) >= 10 * MiB);
  const left = keeper.state.backlog.segments;
  const removals = keeper.index.queries.streams.removals('door', { beginMs: 0, endMs: now }, 10);

  expect(left).toBeGreaterThanOrEqual(5);
  expect(removals).toMatchObject([{ reason: 'disk-full', beginMs: now - 60 * minute }]);
  expect(removals.reduce((sum, each) => sum + each.segments, 0)).toBe(8 - left);
  store.puts = Number.POSITIVE_INFINITY;
  await settled(keeper, left);
  await keeper.close();
  expect(await findings()).toEqual([]);
});

test.skipIf(!canMount)('before anything is removed, files move to a spare directory on another disk', async () => {
  const { paths, spare, store, startKeeper, findings } = await createSite();
  await mountMemory(join(paths.data, 'journal'), 32 * MiB);
  await mountMemory(join(paths.data, 'spare'), 128 * MiB);
  await record(paths, 'a', 60, 1);
  await record(paths, 'b', 30, 100);
  const keeper = await startKeeper({ diskReserveBytes });

  await until('some moved', async () => (await filesUnder(spare.journalFinished)).length > 0);
  await until('recorders have room', () => (keeper.state.journalSpace?.freeBytes ?? 0) >= 10 * MiB);
  await until('all are taken in', () => keeper.state.backlog.segments === 8);
  expect(keeper.index.queries.streams.removals('door', { beginMs: 0, endMs: now }, 10)).toEqual([]);

  store.puts = Number.POSITIVE_INFINITY;
  await settled(keeper, 8);
  await until('no copies are left', async () => {
    const files = [...(await filesUnder(paths.journalFinished)), ...(await filesUnder(spare.journalFinished))];
    return files.length === 0;
  });
  expect(codesOf(keeper)).toEqual([]);
  await keeper.close();
  expect(await findings()).toEqual([]);
});

test.skipIf(!canMount)('nothing is given up while a spare directory takes more than one step can move', async () => {
  const { paths, spare, store, startKeeper, findings } = await createSite();
  await mountMemory(join(paths.data, 'journal'), 400 * MiB);
  await mkdir(join(paths.data, 'spare'));
  for (let i = 0; i < 6; i++) {
    const run = { beginMs: now - (60 - 5 * i) * minute, firstCounter: 1 + 1_000 * i, payloadBytes: 1.2 * MiB };
    await recordRun(paths, { seed: `run ${i}`, fragments: 40, ...run });
  }
  // A quarter of it is still not free when 256 MiB, one step, have moved.
  const keeper = await startKeeper({ diskReserveBytes: 4 * 390 * MiB });

  await until('more than a step moved', async () => (await filesUnder(spare.journalFinished)).length >= 23);
  await until('all are taken in', () => keeper.state.backlog.segments === 24);
  expect(keeper.index.queries.streams.removals('door', { beginMs: 0, endMs: now }, 10)).toEqual([]);

  store.puts = Number.POSITIVE_INFINITY;
  await settled(keeper, 24);
  await keeper.close();
  expect(await findings()).toEqual([]);
});

test.skipIf(!canMount)('a spare directory that cannot be written keeps no room from recorders', async () => {
  const { paths, startKeeper } = await createSite();
  await mountMemory(join(paths.data, 'journal'), 32 * MiB);
  await mountMemory(join(paths.data, 'spare'), 128 * MiB);
  onTestFinished(makeReadOnly(join(paths.data, 'spare')));
  await record(paths, 'a', 60, 1);
  await record(paths, 'b', 30, 100);
  const keeper = await startKeeper({ diskReserveBytes });

  await until('recorders have room', () => (keeper.state.journalSpace?.freeBytes ?? 0) >= 10 * MiB);
  expect(keeper.index.queries.segments.oldestFrom('door', now - 31 * minute, 10)).toHaveLength(4);
});

test('a journal disk that goes away stops nothing, and what it holds is stored when it is back', async () => {
  const { paths, spare, store, startKeeper, findings } = await createSite();
  await mkdir(join(paths.data, 'spare'));
  await record(paths, 'a', 60, 1);
  const keeper = await startKeeper();
  await until('all are taken in', () => keeper.isIndexOpen && keeper.state.backlog.segments === 4);

  const journal = join(paths.data, 'journal');
  await rename(journal, `${journal}-away`);
  store.puts = Number.POSITIVE_INFINITY;
  await until('it is told', () => codesOf(keeper).includes('journal-away'));
  await record(spare, 'b', 30, 100);
  await until('the others are stored', () => {
    const { segments } = keeper.index.queries;
    return segments.oldestFrom('door', now - 35 * minute, 10).filter((each) => each.location === 'stored').length === 4;
  });
  expect(codesOf(keeper)).not.toContain('bytes-lost');
  expect(keeper.state.store.state).toBe('well');

  await rename(`${journal}-away`, journal);
  await until('all are stored', () => keeper.state.backlog.segments === 0, 60_000);
  await until('all is well', () => keeper.state.problems.length === 0);
  await keeper.close();
  expect(await findings()).toEqual([]);
}, 90_000);
