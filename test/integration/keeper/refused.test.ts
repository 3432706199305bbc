/** What fails for itself alone keeps nothing else from being taken in, stored or deleted. */

import { mkdir, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { appError } from '../../../storage/base/errors.ts';
import { type Log, silentLog } from '../../../storage/base/log.ts';
import type { Keeper } from '../../../storage/keeper/index.ts';
import { DirectoryStore, type ObjectStore } from '../../../storage/objects/index.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { someRunId } from '../../kit/segments.ts';
import { until } from '../../kit/until.ts';
import { createSite, expectNothing, minute, type Site, settled } from './kit.ts';

const now = Date.now();
const streamId = 'door';

/** A directory store that refuses some objects. */
class StrictStore extends DirectoryStore implements ObjectStore {
  isRefused: (key: string) => boolean = () => false;
  isAway = false;
  readonly loop: string;

  constructor(dependencies: { readonly log: Log }, options: { readonly directory: string }) {
    super(dependencies, options);
    this.loop = join(options.directory, '.loop');
  }

  override localPath(key: string): string {
    return this.isRefused(key) ? this.loop : super.localPath(key);
  }

  override async identity(): Promise<string> {
    if (this.isAway) throw appError('unavailable', 'no route to the store');
    return super.identity();
  }

  override async putFile(key: string, path: string): Promise<void> {
    if (this.isRefused(key)) throw appError('unavailable', 'EIO: i/o error, read');
    return super.putFile(key, path);
  }

  override async delete(key: string): Promise<void> {
    if (this.isRefused(key)) throw appError('permission_denied', 'EPERM: operation not permitted');
    return super.delete(key);
  }
}

async function createStrictSite(): Promise<Site & { readonly strict: StrictStore }> {
  const made: StrictStore[] = [];
  const site = await createSite({
    store: (paths) => {
      const store = new StrictStore({ log: silentLog }, { directory: paths.objects });
      made.push(store);
      return store;
    },
  });
  const [strict] = made;
  if (strict === undefined) throw new Error('no store');
  return { ...site, strict };
}

const codesOf = (keeper: Keeper) => keeper.state.problems.map((problem) => problem.code);

test('a finished file that cannot be read is told of, and all others are taken in', async () => {
  const site = await createSite();
  // A loop of links is refused like a bad sector: neither missing nor damaged.
  const directory = join(site.paths.journalFinished, 'bad');
  const path = join(directory, `000000000001-${someRunId('x')}-v1.mkv`);
  await mkdir(directory, { recursive: true });
  await symlink(path, path);
  await recordRun(site.paths, { seed: 'a', beginMs: now - 10 * minute, fragments: 20, firstCounter: 1 });

  const keeper = await site.startKeeper();
  await settled(keeper, 2);
  expect(keeper.state.problems).toMatchObject([{ code: 'files-unreadable', message: expect.stringContaining(path) }]);

  await rm(path);
  await until('it is forgotten', () => codesOf(keeper).length === 0);
  await keeper.close();
  expectNothing(await site.findings());
});

test('an object that cannot be read keeps a rebuild from none of the others', async () => {
  const site = await createStrictSite();
  await recordRun(site.paths, { seed: 'a', beginMs: now - 10 * minute, fragments: 30, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 3);
  await until('local copies are gone', async () => (await site.localFiles()).length === 0);
  const [segment] = keeper.index.queries.segments.oldestFrom(streamId, 0, 1);
  await keeper.close();
  site.strict.isRefused = (key) => key === segment?.objectKey;
  await symlink(site.strict.loop, site.strict.loop);
  for (const suffix of ['', '-wal', '-shm']) await rm(`${site.paths.index}${suffix}`, { force: true });

  const again = await site.startKeeper();

  await settled(again, 2);
  site.strict.isRefused = () => false;
  await again.close();
  const left = await site.findings();
  // Its bytes are whole, and in no row yet.
  expect(left).toEqual([expect.objectContaining({ where: segment?.objectKey })]);
});

test('an object that cannot be deleted keeps neither other garbage nor new footage, and gives no room', async () => {
  const site = await createStrictSite();
  await recordRun(site.paths, { seed: 'a', beginMs: now - 60 * minute, fragments: 40, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 4);
  const segments = keeper.index.queries.segments.oldestFrom(streamId, 0, 10);
  site.strict.isRefused = (key) => key === segments[0]?.objectKey;

  keeper.index.transaction((change) => {
    for (const segment of segments)
      change.segments.remove(segment, { reason: 'disk-full', isUrgent: true, nowMs: now });
  });
  await until('the others are gone', () => keeper.state.garbage.segments === 1);
  await recordRun(site.paths, { seed: 'b', beginMs: now - 10 * minute, fragments: 20, firstCounter: 1_000 });
  await settled(keeper, 2);

  expect(keeper.state.store.state).toBe('well');
  expect(codesOf(keeper)).toEqual(['bytes-undeletable']);
  await keeper.close();
  expectNothing(await site.findings());
});

test('a file that cannot be stored is told of, and all others are stored', async () => {
  const site = await createStrictSite();
  site.strict.isRefused = (key) => key.includes('/000000000001-');
  await recordRun(site.paths, { seed: 'a', beginMs: now - 60 * minute, fragments: 300, firstCounter: 1 });

  const keeper = await site.startKeeper({ periodMs: 5_000 });
  await until('all others are stored', () => keeper.state.isIndexOpen && keeper.state.backlog.segments === 1);
  await until('the rest is well', () => keeper.state.store.state === 'well' && keeper.state.rebuild === undefined);

  expect(keeper.state.problems).toMatchObject([{ code: 'files-unstorable' }]);
  expect(await site.objects()).toHaveLength(29);
  await keeper.close();
  expectNothing(await site.findings());
});

test('on a full journal disk copies of what the store has go first, also while it is away', async () => {
  const site = await createStrictSite();
  await recordRun(site.paths, { seed: 'a', beginMs: now - 60 * minute, fragments: 40, firstCounter: 1 });
  const keeper = await site.startKeeper({ hotBytesMax: 1_000_000 });
  await settled(keeper, 4);
  expect(await site.localFiles()).toHaveLength(4);
  // Else everything goes: this disk stays full.
  await keeper.holds.add({ streamId, beginMs: 0, endMs: undefined, who: 'mia', why: 'x', untilMs: undefined });
  await keeper.close();

  site.strict.isAway = true;
  const run = await recordRun(site.paths, {
    seed: 'b',
    beginMs: now - 10 * minute,
    fragments: 20,
    firstCounter: 1_000,
  });
  const again = await site.startKeeper({ hotBytesMax: 1_000_000, diskReserveBytes: Number.MAX_SAFE_INTEGER });
  await until('all are taken in', () => again.isIndexOpen && again.index.queries.streams.segmentCount() === 6);
  await until('copies are gone', async () => (await site.localFiles()).length === 2);

  expect(await site.localFiles()).toEqual(run.files.map((path) => basename(path)));
  expect(again.index.queries.streams.segmentCount()).toBe(6);
  await again.close();
  expectNothing(await site.findings());
});
