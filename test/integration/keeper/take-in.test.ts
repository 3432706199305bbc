/** Finished files become rows and objects, whatever happens in between. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { Plan, RecordingPolicy } from '../../../storage/model/camera.ts';
import type { ObjectStore } from '../../../storage/objects/index.ts';
import { DirectoryStore } from '../../../storage/objects/index.ts';
import { planOfSources, recordingPolicy } from '../../kit/plans.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { someRunId } from '../../kit/segments.ts';
import { until } from '../../kit/until.ts';
import { createSite, expectNothing, minute, settled } from './kit.ts';

const t0 = Date.now() - 60 * minute;

function planOf(recording: RecordingPolicy): Plan {
  const source = { kind: 'rtsp', url: 'rtsp://camera', transport: 'tcp', tls: 'verify' } as const;
  return planOfSources({
    streamId: 'door',
    cameraId: 'cam',
    role: 'main',
    name: 'Door',
    source,
    recording,
    revision: 1,
  });
}

/** A directory store that can be away or hang. */
class MoodyStore extends DirectoryStore implements ObjectStore {
  mood: 'well' | 'away' | 'hangs' = 'well';

  override async identity(): Promise<string> {
    await this.#answer();
    return super.identity();
  }

  override async putFile(key: string, path: string): Promise<void> {
    await this.#answer();
    return super.putFile(key, path);
  }

  async #answer(): Promise<void> {
    if (this.mood === 'away') throw appError('unavailable', 'no route to the store');
    if (this.mood === 'hangs') await until('the store answers', () => this.mood !== 'hangs');
  }
}

test('finished files become rows and objects, and local copies go', async () => {
  const site = await createSite();
  const run = await recordRun(site.paths, { seed: 'a', beginMs: t0, fragments: 35, firstCounter: 1 });

  const keeper = await site.startKeeper();
  await settled(keeper, run.files.length);

  expect(run.files).toHaveLength(4);
  const segments = site.index.segmentsBetween('door', { beginMs: t0, endMs: run.endMs });
  expect(segments.map((segment) => [segment.sequence, segment.location, segment.fragmentCount])).toEqual([
    [0, 'stored', 10],
    [1, 'stored', 10],
    [2, 'stored', 10],
    [3, 'stored', 5],
  ]);
  await until('local copies are gone', async () => (await site.localFiles()).length === 0);
  expect(await site.objects()).toHaveLength(4);
  await keeper.close();
  expectNothing(await site.findings());
});

test('a hot budget keeps the newest local copies', async () => {
  const site = await createSite();
  const run = await recordRun(site.paths, {
    seed: 'a',
    beginMs: t0,
    fragments: 30,
    firstCounter: 1,
    payloadBytes: 20_000,
  });

  const keeper = await site.startKeeper({ hotBytesMax: 450_000 });
  await settled(keeper, 3);
  await until('one local copy is gone', async () => (await site.localFiles()).length === 2);
  await keeper.close();

  const again = await site.startKeeper({ hotBytesMax: 450_000 });
  await settled(again, 3);
  expect(await site.localFiles()).toEqual(run.files.slice(1).map((path) => path.split('/').at(-1)));
  await again.close();
  expectNothing(await site.findings());
});

test('killed between any two steps, it loses nothing and repeats nothing', async () => {
  const site = await createSite();
  const child = new URL('./keeper-child.ts', import.meta.url).pathname;
  let files = 0;
  for (let round = 0; round < 12; round++) {
    const beginMs = t0 + round * 4 * minute;
    const run = await recordRun(site.paths, {
      seed: `r${round}`,
      beginMs,
      fragments: 25,
      firstCounter: 1 + 100 * round,
    });
    files += run.files.length;
    const process_ = spawn(process.execPath, [child, site.paths.data], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (round % 3 !== 0) await once(process_.stdout, 'data');
    // A different moment each round, from before the first row to after the last.
    await new Promise((resolve) => setTimeout(resolve, round % 3 === 0 ? 120 + round * 15 : round * 3));
    process_.kill('SIGKILL');
    await once(process_, 'exit');
  }

  const keeper = await site.startKeeper();
  await settled(keeper, files);
  await keeper.close();

  expect(await site.objects()).toHaveLength(files);
  expect(await site.localFiles()).toEqual([]);
  expectNothing(await site.findings());
});

test('while the store is away files stay, and drain oldest first when it is back', async () => {
  const stores: MoodyStore[] = [];
  const site = await createSite({
    store: (paths) => {
      const store = new MoodyStore({ log: silentLog }, { directory: paths.objects });
      stores.push(store);
      return store;
    },
  });
  const [store] = stores;
  if (store === undefined) throw new Error('no store');
  store.mood = 'away';
  await recordRun(site.paths, { seed: 'a', beginMs: t0, fragments: 30, firstCounter: 1 });

  const keeper = await site.startKeeper();
  await until('three wait', () => keeper.state.isIndexOpen && keeper.state.backlog.segments === 3);
  await until('the store is known to be away', () => keeper.state.store.state === 'away');
  expect(keeper.state.problems).toContainEqual(
    expect.objectContaining({ code: 'store-away', message: 'no route to the store' }),
  );
  expect(site.index.latestSegment('door')).toMatchObject({ location: 'local', isLocal: true });

  store.mood = 'well';
  await settled(keeper, 3);
  await until('the store is well', () => keeper.state.store.state === 'well' && keeper.state.problems.length === 0);
  await keeper.close();
  expectNothing(await site.findings());
});

test('a store that hangs does not keep new files from being taken in', async () => {
  const stores: MoodyStore[] = [];
  const site = await createSite({
    store: (paths) => {
      const store = new MoodyStore({ log: silentLog }, { directory: paths.objects });
      stores.push(store);
      return store;
    },
  });
  const [store] = stores;
  if (store === undefined) throw new Error('no store');
  const keeper = await site.startKeeper({ storeTimeoutMs: 100 });
  await until('the store is well', () => keeper.state.store.state === 'well');

  store.mood = 'hangs';
  await recordRun(site.paths, { seed: 'a', beginMs: t0, fragments: 20, firstCounter: 1 });
  await until('both are taken in', () => keeper.state.backlog.segments === 2);
  await until('the store is away', () => keeper.state.store.state === 'away');

  store.mood = 'well';
  await settled(keeper, 2);
  await keeper.close();
  expectNothing(await site.findings());
});

test('local files over their budget go while the store is away, with a record of why', async () => {
  const stores: MoodyStore[] = [];
  const site = await createSite({
    store: (paths) => {
      const store = new MoodyStore({ log: silentLog }, { directory: paths.objects });
      store.mood = 'away';
      stores.push(store);
      return store;
    },
  });
  await recordRun(site.paths, { seed: 'a', beginMs: t0, fragments: 40, firstCounter: 1, payloadBytes: 20_000 });

  const keeper = await site.startKeeper({ localBytesMax: 450_000 });

  await until(
    'two are left',
    async () => keeper.isIndexOpen && keeper.state.backlog.segments === 2 && (await site.localFiles()).length === 2,
  );
  expect(site.index.segmentsAfter('door', undefined).map((segment) => segment.sequence)).toEqual([2, 3]);
  expect(site.index.removals('door', { beginMs: 0, endMs: Date.now() })).toMatchObject([
    { reason: 'local-bytes', segments: 2 },
  ]);
  for (const store of stores) store.mood = 'well';
  await settled(keeper, 2);
  await keeper.close();
  expectNothing(await site.findings());
});

test('another store in its place is not written to until a person says so', async () => {
  const site = await createSite();
  await recordRun(site.paths, { seed: 'a', beginMs: t0, fragments: 10, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 1);
  await keeper.close();

  await rm(site.paths.objects, { recursive: true });
  await recordRun(site.paths, { seed: 'b', beginMs: t0 + 5 * minute, fragments: 10, firstCounter: 100 });
  const again = await site.startKeeper();
  await until('it is told from the old one', () => again.state.store.state === 'another');
  expect(await site.objects()).toEqual([]);
  expect(await site.localFiles()).toHaveLength(1);

  await again.adoptStore();
  await until('the new file is stored', async () => (await site.objects()).length === 1);
});

test('a finished file that was cut is kept as far as it is whole', async () => {
  const site = await createSite();
  const { files } = await recordRun(site.paths, {
    seed: 'a',
    beginMs: t0,
    fragments: 10,
    firstCounter: 1,
    payloadBytes: 5_000,
  });
  await truncate(files[0] ?? '', 30_000);

  const keeper = await site.startKeeper();
  await settled(keeper, 1);

  expect(site.index.latestSegment('door')?.fragmentCount).toBe(5);
  await keeper.close();
  expectNothing(await site.findings());
});

test('a finished file that is garbage is put aside, and others are taken in', async () => {
  const site = await createSite();
  const { files } = await recordRun(site.paths, { seed: 'a', beginMs: t0, fragments: 20, firstCounter: 1 });
  await writeFile(files[0] ?? '', Buffer.alloc(5_000, 0xa5));

  const keeper = await site.startKeeper();
  await settled(keeper, 1);
  await keeper.close();

  expect(site.index.latestSegment('door')?.sequence).toBe(1);
});

test('files that a dead writer left open are finished and taken in, their torn end is a gap', async () => {
  const site = await createSite();
  const { files, runId } = await recordRun(site.paths, {
    seed: 'a',
    beginMs: t0,
    fragments: 10,
    firstCounter: 1,
    payloadBytes: 5_000,
  });
  const [finished = ''] = files;
  const name = finished.split('/').at(-1) ?? '';
  const directory = join(site.paths.journalOpen, 'ingest-0.1', 'door');
  await mkdir(directory, { recursive: true });
  await mkdir(join(site.paths.state, 'ingest-0'), { recursive: true });
  await writeFile(join(site.paths.state, 'ingest-0', 'epoch.json'), JSON.stringify({ version: 1, epoch: 2 }));
  await rename(finished, join(directory, name));
  await truncate(join(directory, name), 30_000);

  const keeper = await site.startKeeper();
  await settled(keeper, 1);

  expect(site.index.latestSegment('door')).toMatchObject({ fragmentCount: 5, runId });
  const gaps = await until('the gap is told', () => {
    const found = site.index.gapsBetween('door', { beginMs: t0, endMs: Date.now() + minute });
    return found.length > 0 && found;
  });
  expect(gaps[0]).toMatchObject({ beginMs: t0 + 30_000, reason: 'torn-tail', runId });
  await keeper.close();
  expectNothing(await site.findings());
});

test('a camera that is not recorded for a while keeps a ring of that while, and all of the time before and after', async () => {
  const site = await createSite();
  const keeper = await site.startKeeper();
  keeper.setPlan(planOf(recordingPolicy({ mode: 'live' })));
  const [runId, nextRunId] = [someRunId('a'), someRunId('b')];
  const [pauseMs, goOnMs] = [t0 + 70_000, t0 + 310_000];
  await site.tell(
    { kind: 'wanted', streamId: 'door', atMs: t0 - 1_000 },
    { kind: 'run-began', streamId: 'door', runId, atMs: t0 },
    { kind: 'unwanted', streamId: 'door', atMs: pauseMs },
  );

  // Files of a minute: the pause begins in the second and ends in the sixth.
  await recordRun(site.paths, { seed: 'a', beginMs: t0, fragments: 50, firstCounter: 1 });
  await settled(keeper, 2);
  await until('the ring is known', () => keeper.state.ring.files === 3);
  await site.tell(
    { kind: 'wanted', streamId: 'door', atMs: goOnMs },
    { kind: 'run-began', streamId: 'door', runId: nextRunId, atMs: goOnMs },
  );
  keeper.setPlan(planOf(recordingPolicy()));
  await recordRun(site.paths, { seed: 'b', beginMs: t0 + 300_000, fragments: 20, firstCounter: 1_000 });
  await settled(keeper, 4);

  expect(keeper.state.ring.files).toBe(3);
  expect(await site.localFiles()).toHaveLength(3);
  expect(site.index.gapsBetween('door', { beginMs: t0, endMs: t0 + 400_000 })).toEqual([]);
  await keeper.close();
  expectNothing(await site.findings());
});

test('mode live keeps a ring of files and no rows', async () => {
  const site = await createSite();
  const keeper = await site.startKeeper();
  keeper.setPlan(planOf(recordingPolicy({ mode: 'live' })));
  await until('the index is open', () => keeper.isIndexOpen);
  const { files } = await recordRun(site.paths, { seed: 'a', beginMs: t0, fragments: 30, firstCounter: 1 });
  const old = await open(files[0] ?? '', 'r+');
  await old.utimes(new Date(t0), new Date(t0));
  await old.close();

  await until('the old file is gone', async () => (await site.localFiles()).length === 2);
  await until('the ring is known', () => keeper.state.ring.files === 2);

  expect(await site.localFiles()).toHaveLength(2);
  expect(await site.objects()).toEqual([]);
  expect(site.index.totalsOf('door')?.segments).toBe(0);
  await keeper.close();
  expectNothing(await site.findings());
});

test('of what KVS producers send no line speaks: the plan alone says whether it is a ring', async () => {
  const site = await createSite();
  const keeper = await site.startKeeper();
  const ofProducer = (recording: RecordingPolicy): Plan => {
    const plan = planOf(recording);
    return { ...plan, sources: plan.sources.map((planned) => ({ ...planned, source: { kind: 'kvs' as const } })) };
  };
  keeper.setPlan(ofProducer(recordingPolicy({ mode: 'live' })));
  await until('the index is open', () => keeper.isIndexOpen);
  const beginMs = Date.now();
  await site.tell({ kind: 'unwanted', streamId: 'door', atMs: beginMs });

  await recordRun(site.paths, { seed: 'a', beginMs, fragments: 20, firstCounter: 1 });
  await until('the ring is known', () => keeper.state.ring.files === 2);
  keeper.setPlan(ofProducer(recordingPolicy()));
  await recordRun(site.paths, { seed: 'b', beginMs: beginMs + 5 * minute, fragments: 20, firstCounter: 1_000 });
  await settled(keeper, 2);

  expect(keeper.state.ring.files).toBe(2);
  expect(await site.objects()).toHaveLength(2);
  expect(site.index.gapsBetween('door', { beginMs, endMs: beginMs + 10 * minute })).toEqual([]);
  await keeper.close();
  expectNothing(await site.findings());
});

test('while the ledger cannot be read rings are trimmed, footage gets its rows, and gaps wait for its lines', async () => {
  const site = await createSite();
  const keeper = await site.startKeeper();
  keeper.setPlan(planOf(recordingPolicy({ mode: 'live' })));
  await until('the index is open', () => keeper.isIndexOpen);
  // Read like a bad sector.
  const bad = join(site.paths.state, 'ingest-0', 'ledger', '1-0.jsonl');
  await mkdir(bad, { recursive: true });
  await until('it is told', () => keeper.state.problems.some(({ code }) => code === 'taking-in-fails'));
  // The plan knows of it since the index is open.
  const { files } = await recordRun(site.paths, { seed: 'a', beginMs: Date.now(), fragments: 30, firstCounter: 1 });
  await utimes(files[0] ?? '', new Date(t0), new Date(t0));
  const run = { streamId: 'yard', seed: 'b', beginMs: t0, fragments: 20, firstCounter: 1 };
  const { runId, endMs } = await recordRun(site.paths, run);

  await until('the old file is gone', () => keeper.state.ring.files === 2);
  await until('footage is stored', async () => (await site.objects()).length === 2);
  expect(site.index.gapsBetween('yard', { beginMs: 0, endMs: Date.now() })).toEqual([]);

  await rm(bad, { recursive: true });
  await site.tell(
    { kind: 'wanted', streamId: 'yard', atMs: t0 - minute },
    { kind: 'run-began', streamId: 'yard', runId, atMs: t0 },
    { kind: 'run-ended', streamId: 'yard', runId, atMs: endMs, reason: 'source-closed' },
  );
  await until('gaps are told', () => site.index.gapsBetween('yard', { beginMs: 0, endMs: Date.now() }).length === 2);
  await until('all is well', () => keeper.state.problems.length === 0);
  await keeper.close();
  expectNothing(await site.findings());
});

test('while gaps cannot be told, of whatever reason, rings are trimmed and footage is stored', async () => {
  const site = await createSite();
  const keeper = await site.startKeeper();
  keeper.setPlan(planOf(recordingPolicy({ mode: 'live' })));
  await until('the index is open', () => keeper.isIndexOpen);
  await site.tell({ kind: 'wanted', streamId: 'gate', atMs: t0 });
  await until('it is read', () => site.index.openGaps().length === 1);
  keeper.index.transaction((change) => {
    const gate = change.ledger.streams().find(({ streamId }) => streamId === 'gate');
    change.ledger.settle(gate?.streamKey ?? 0, { state: '{', settledMs: 0, lineId: 0 });
  });
  await recordRun(site.paths, { streamId: 'gate', seed: 'c', beginMs: t0, fragments: 10, firstCounter: 1 });
  await until('it is told', () => keeper.state.problems.some(({ code }) => code === 'taking-in-fails'));

  const { files } = await recordRun(site.paths, { seed: 'a', beginMs: t0, fragments: 30, firstCounter: 1 });
  await utimes(files[0] ?? '', new Date(t0), new Date(t0));
  await recordRun(site.paths, { streamId: 'yard', seed: 'b', beginMs: t0, fragments: 20, firstCounter: 1 });

  await until('the old file is gone', () => keeper.state.ring.files === 2);
  await until('footage is stored', async () => (await site.objects()).length === 3);
});
