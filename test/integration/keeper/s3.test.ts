/** The keeper before a real MinIO that stops, refuses, hangs, loses its bucket or is killed under load: nothing is lost, and all drains. */

import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { check, type Keeper, rebuildIndex } from '../../../storage/keeper/index.ts';
import { type S3Options, S3Store } from '../../../storage/objects/index.ts';
import { canMount, mountMemory, resizeMemory } from '../../kit/disks.ts';
import { startFaultProxy } from '../../kit/fault-proxy.ts';
import { findMinio, type Minio, startMinio, withMinio } from '../../kit/minio.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { createSite, minute, type Site, settled } from './kit.ts';

const program = await findMinio();
const t0 = Date.now() - 60 * minute;
const MiB = 1024 * 1024;
const soonMs = 500;

async function siteOn(minio: Minio, options: S3Options = minio.storeOptions()): Promise<Site> {
  return createSite({ store: () => storeOf(options) });
}

function storeOf(options: S3Options): S3Store {
  const store = new S3Store({ clock: systemClock, log: silentLog }, options);
  onTestFinished(() => store.close());
  return store;
}

/** One run of as many segments; each has ten fragments. */
function record(
  site: Site,
  changes: { readonly segments: number; readonly first?: number; readonly payloadBytes?: number },
) {
  const { segments, first = 0, payloadBytes = 20_000 } = changes;
  const run = { seed: `run-${first}`, beginMs: t0 + first * minute, firstCounter: 1 + first * 10, payloadBytes };
  return recordRun(site.paths, { ...run, fragments: segments * 10 });
}

/** Puts things of others until nothing more fits. */
async function fill(minio: Minio): Promise<void> {
  const client = minio.client();
  await client.makeBucket('others');
  let put = 0;
  for (const byteLength of [8 * MiB, 1 * MiB]) {
    for (let isFull = false; !isFull; put++) {
      isFull = await client.putObject('others', `filler-${put}`, Buffer.alloc(byteLength), byteLength).then(
        () => false,
        () => true,
      );
    }
  }
}

/** Waits until all are stored; then every byte of every object is what it was, and nothing else is there. */
async function expectAllThere(site: Site, keeper: Keeper, minio: Minio, segments: number): Promise<void> {
  await settled(keeper, segments);
  await until('local copies are gone', async () => (await site.localFiles()).length === 0);
  await keeper.close();
  const store = storeOf(minio.storeOptions());
  const result = await check({ clock: systemClock, log: silentLog, store }, { paths: site.paths, level: 'hash' });
  expect(result).toMatchObject({ findings: [], skipped: [], segments, objects: segments });
}

describe.skipIf(program.missing !== undefined)(withMinio('keeper and S3', program), () => {
  test('finished files become objects, oldest first, and local copies go', async () => {
    const minio = await startMinio(program);
    const site = await siteOn(minio);
    await record(site, { segments: 12 });

    const keeper = await site.startKeeper();

    await expectAllThere(site, keeper, minio, 12);
  });

  test('a server that is stopped is waited for, and what was recorded meanwhile follows by itself', async () => {
    const minio = await startMinio(program);
    const site = await siteOn(minio);
    await record(site, { segments: 2 });
    const keeper = await site.startKeeper();
    await settled(keeper, 2);

    await minio.stop();
    await record(site, { segments: 5, first: 2 });
    await until('files wait', () => keeper.state.backlog.segments === 5);
    const away = await until('it is said', () => keeper.state.problems.find(({ code }) => code === 'store-away'));
    await minio.start();

    expect(away.hint).toContain('objects.s3.endpoint');
    await expectAllThere(site, keeper, minio, 7);
  });

  test('a server that is killed under load and comes back has every object whole, once', async () => {
    const minio = await startMinio(program);
    const proxy = await startFaultProxy(minio.port);
    const site = await siteOn(minio, minio.storeOptions({ port: proxy.port, idleMs: soonMs }));
    for (const first of [0, 10, 20]) await record(site, { segments: 10, first, payloadBytes: 100_000 });
    proxy.set({ kind: 'slow', bytesPerSecond: 4 * MiB });
    const keeper = await site.startKeeper();

    for (const stored of [3, 8]) {
      await until(`${stored} are stored`, () => keeper.isIndexOpen && 30 - keeper.state.backlog.segments >= stored);
      await minio.kill();
      await minio.start();
    }

    proxy.set({ kind: 'pass' });
    await expectAllThere(site, keeper, minio, 30);
  });

  test('connections that go silent under load end, and the rest follows', async () => {
    const minio = await startMinio(program);
    const proxy = await startFaultProxy(minio.port);
    const site = await siteOn(minio, minio.storeOptions({ port: proxy.port, idleMs: soonMs }));
    await record(site, { segments: 8, payloadBytes: 200_000 });
    proxy.set({ kind: 'slow', bytesPerSecond: 4 * MiB });
    const keeper = await site.startKeeper();
    await until('one is stored', () => keeper.isIndexOpen && keeper.index.queries.segments.backlog().segments < 8);

    proxy.set({ kind: 'silent' });
    await until('the store is away', () => keeper.state.store.state === 'away');
    const taken = await record(site, { segments: 2, first: 8 });
    await until('taking in goes on', () => keeper.index.queries.streams.segmentCount() === 10);
    proxy.set({ kind: 'pass' });

    expect(taken.files).toHaveLength(2);
    await expectAllThere(site, keeper, minio, 10);
  });

  test('wrong keys keep everything here until they are right', async () => {
    const minio = await startMinio(program);
    await storeOf(minio.storeOptions()).start();
    let secret = 'wrong';
    const site = await siteOn(minio, minio.storeOptions({ readSecretKey: async () => secret }));
    await record(site, { segments: 3 });
    const keeper = await site.startKeeper();
    const away = await until('it is said', () => keeper.state.problems.find(({ code }) => code === 'store-away'));

    secret = await minio.storeOptions().readSecretKey();

    expect(away.hint).toContain('secret key');
    await expectAllThere(site, keeper, minio, 3);
  });

  test('a bucket that somebody removed is not made anew behind his back', async () => {
    const minio = await startMinio(program);
    const site = await siteOn(minio);
    const keeper = await site.startKeeper();
    await until('the store is well', () => keeper.state.store.state === 'well');
    await minio.client().removeObject('weir', '.weir-store');
    await minio.client().removeBucket('weir');

    await record(site, { segments: 2 });
    await until('the store is away', () => keeper.state.store.state === 'away');

    expect(await minio.client().bucketExists('weir')).toBe(false);
    await until('both wait', () => keeper.state.backlog.segments === 2);
    expect(await site.localFiles()).toHaveLength(2);
  });

  test.skipIf(!canMount)('a full server gets the rest when it has room', async () => {
    const disk = join(await temporaryDirectory(), 'disk');
    await mkdir(disk);
    await mountMemory(disk, 64 * MiB);
    const minio = await startMinio(program, { directory: join(disk, 'minio') });
    await fill(minio);
    const site = await siteOn(minio);
    await record(site, { segments: 12, payloadBytes: 100_000 });
    const keeper = await site.startKeeper();
    await until('it is told', () =>
      keeper.state.problems.some(({ code }) => code === 'store-away' || code === 'files-unstorable'),
    );
    const waiting = keeper.state.backlog.segments;

    // Room of deleted objects is given back within minutes: MinIO reads how often only after it began to wait for the first time.
    resizeMemory(disk, 128 * MiB);

    expect(waiting).toBeGreaterThan(0);
    await expectAllThere(site, keeper, minio, 12);
  });

  test('an index is filled from objects alone, and an error that passes is not believed', async () => {
    const minio = await startMinio(program);
    const site = await siteOn(minio);
    await record(site, { segments: 8, payloadBytes: 60_000 });
    const keeper = await site.startKeeper();
    await settled(keeper, 8);
    await until('local copies are gone', async () => (await site.localFiles()).length === 0);
    await keeper.close();
    const before = site.index.segmentsAfter('door', undefined);
    const store = new ForgetfulStore({ clock: systemClock, log: silentLog }, minio.storeOptions());
    onTestFinished(() => store.close());

    const seen: number[] = [];
    const result = await rebuildIndex(
      { clock: systemClock, log: silentLog, store },
      {
        paths: site.paths,
        storeTimeoutMs: 60_000,
        signal: new AbortController().signal,
        onProgress: ({ objects }) => seen.push(objects),
      },
    );

    expect(result).toEqual({ segments: 8, unreadable: 0, gaps: 0 });
    expect(store.refused).toBe(1);
    const after = site.index.segmentsAfter('door', undefined);
    expect(after.map(({ segmentId: _, ...rest }) => rest)).toEqual(before.map(({ segmentId: _, ...rest }) => rest));
    expect((await readdir(dirname(site.paths.index))).filter((name) => name.includes('.damaged-'))).not.toEqual([]);
    // Heads and tables are read, not media.
    expect(store.bytes).toBeLessThan(8 * 600_000 * 0.6);
  });

  test('an index is left alone when the store is away', async () => {
    const minio = await startMinio(program);
    const site = await siteOn(minio);
    await record(site, { segments: 2 });
    const keeper = await site.startKeeper();
    await settled(keeper, 2);
    await keeper.close();
    await minio.stop();

    const rebuilding = rebuildIndex(
      { clock: systemClock, log: silentLog, store: site.store },
      { paths: site.paths, storeTimeoutMs: 60_000, signal: new AbortController().signal, onProgress: () => {} },
    );

    await expect(rebuilding).rejects.toMatchObject({ code: 'unavailable' });
    expect(site.index.segmentsAfter('door', undefined)).toHaveLength(2);
  });
});

/** Fails once for the first object that is read, as a server does that is just busy. */
class ForgetfulStore extends S3Store {
  refused = 0;
  bytes = 0;

  override async getRange(key: string, offset: number, length: number): Promise<Uint8Array> {
    if (this.refused === 0) {
      this.refused++;
      throw appError('unavailable', 'please reduce your request rate', { objectKey: key });
    }
    const bytes = await super.getRange(key, offset, length);
    this.bytes += bytes.byteLength;
    return bytes;
  }
}
