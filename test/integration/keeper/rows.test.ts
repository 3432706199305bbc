/** Retention, holds, clock, gap ledger and a lost index, on real files. */

import { open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { must } from '../../../storage/base/assert.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { check, type Keeper, keeperRequests, registerKeeperMetrics } from '../../../storage/keeper/index.ts';
import type { Plan } from '../../../storage/model/camera.ts';
import { recordingPolicy } from '../../kit/plans.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { until } from '../../kit/until.ts';
import { createSite, expectNothing, minute, type Site, settled } from './kit.ts';

const now = Date.now();
const hour = 60 * minute;

function planOf(retentionHours: number, bytesMax?: number): Plan {
  return {
    version: 2,
    devices: [],
    sources: [
      {
        streamId: 'door',
        cameraId: 'cam',
        role: 'main',
        name: 'Door',
        source: { kind: 'rtsp', url: 'rtsp://camera', transport: 'tcp', tls: 'verify' },
        recording: recordingPolicy({ retentionHours, bytesMax }),
        revision: 1,
      },
    ],
  };
}

function requestsOf(site: Site, keeper: Keeper) {
  const registry = new Registry();
  registerKeeperMetrics({ keeper, registry }, { wallMs: () => Date.now() });
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const runCheck = (options: { level: 'presence' | 'size' | 'hash' }) =>
    check({ clock: systemClock, log: silentLog, store: site.store }, { paths: site.paths, ...options });
  const requests = keeperRequests({ keeper, registry, runCheck }, { signal: controller.signal });
  return (method: string, params: unknown) => must(requests[method], `there is a request ${method}`)(params);
}

test('footage older than its retention goes, row first, and its bytes later', async () => {
  const site = await createSite();
  await recordRun(site.paths, { seed: 'old', beginMs: now - 3 * hour, fragments: 20, firstCounter: 1 });
  await recordRun(site.paths, { seed: 'new', beginMs: now - 10 * minute, fragments: 20, firstCounter: 100 });
  const keeper = await site.startKeeper();
  await settled(keeper, 4);

  keeper.setPlan(planOf(1));
  await until('old rows are gone', () => site.index.totalsOf('door')?.segments === 2);

  expect(site.index.removals('door', { beginMs: 0, endMs: now })).toMatchObject([{ reason: 'age', segments: 2 }]);
  expect(await site.objects()).toHaveLength(4);
  expect(keeper.state.garbage.segments).toBe(2);
  await keeper.close();
  expectNothing(await site.findings());
});

test('a camera over its bytes loses its oldest, but nothing under hold', async () => {
  const site = await createSite();
  await recordRun(site.paths, {
    seed: 'a',
    beginMs: now - 30 * minute,
    fragments: 50,
    firstCounter: 1,
    payloadBytes: 20_000,
  });
  const keeper = await site.startKeeper();
  await settled(keeper, 5);
  const ask = requestsOf(site, keeper);
  const held = site.index.segmentsAfter('door', undefined)[0];

  const hold = await ask('hold-add', {
    streamId: 'door',
    beginMs: (held?.beginServerMs ?? 0) + 1,
    endMs: (held?.beginServerMs ?? 0) + 2,
    who: 'mia',
    why: 'break-in',
  });
  await ask('plan', planOf(24, 700_000));
  await until('two are removed', () => site.index.totalsOf('door')?.segments === 3);

  expect(site.index.segmentsAfter('door', undefined).map((segment) => segment.sequence)).toEqual([0, 3, 4]);
  await ask('hold-release', { holdId: (hold as { holdId: string }).holdId, who: 'tom' });
  await expect(ask('hold-release', { holdId: 'no', who: 'tom' })).rejects.toMatchObject({ code: 'not_found' });
  expect(site.index.holdsOf('door')).toMatchObject([{ who: 'mia', why: 'break-in', releasedBy: 'tom' }]);
  await keeper.close();
  expectNothing(await site.findings());
});

test('a hold outlives the index', async () => {
  const site = await createSite();
  await recordRun(site.paths, { seed: 'a', beginMs: now - 3 * hour, fragments: 20, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 2);
  await keeper.holds.add({
    streamId: 'door',
    beginMs: 0,
    endMs: undefined,
    who: 'mia',
    why: 'case 7',
    untilMs: undefined,
  });
  await keeper.close();
  await rm(site.paths.index);

  const again = await site.startKeeper();
  again.setPlan(planOf(1));
  await settled(again, 2);
  await until('retention had its turn', () => again.state.store.state === 'well');

  expect(site.index.holdsOf('door')).toMatchObject([{ why: 'case 7' }]);
  expect(site.index.totalsOf('door')?.segments).toBe(2);
});

test('a clock that jumps a year ahead removes nothing by age until a person confirms it', async () => {
  const site = await createSite();
  await recordRun(site.paths, { seed: 'a', beginMs: now - 400 * 24 * hour, fragments: 20, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 2);
  await keeper.close();

  const again = await site.startKeeper();
  again.setPlan(planOf(24));
  await settled(again, 2);
  const ask = requestsOf(site, again);
  await until('the doubt is told', () => !again.state.clock.isTrusted);
  expect(again.state.problems).toMatchObject([{ code: 'clock-doubt' }]);
  expect(await ask('metrics', {})).toContain('weir_keeper_clock_trusted 0');

  await ask('confirm-clock', {});
  await until('old rows are gone', () => site.index.totalsOf('door')?.segments === 0);
  expect(again.state.clock.isTrusted).toBe(true);
});

test('a range is removed on request, whole segments only, and it is on record who asked', async () => {
  const site = await createSite();
  const beginMs = now - 30 * minute;
  await recordRun(site.paths, { seed: 'a', beginMs, fragments: 50, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 5);
  const ask = requestsOf(site, keeper);

  const outcome = await ask('delete-range', {
    streamId: 'door',
    beginMs: beginMs + minute,
    endMs: beginMs + 3.5 * minute,
    who: 'mia',
  });

  expect(outcome).toEqual({ removed: 2, held: 0 });
  expect(site.index.segmentsAfter('door', undefined).map((segment) => segment.sequence)).toEqual([0, 3, 4]);
  expect(site.index.removals('door', { beginMs: 0, endMs: now })).toMatchObject([
    { reason: 'request', who: 'mia', segments: 2 },
  ]);
  await expect(ask('delete-range', { streamId: 'door' })).rejects.toMatchObject({ code: 'invalid_argument' });
  await keeper.close();
  expectNothing(await site.findings());
});

test('ledger lines and files become gap rows with their reasons, and old ledger files go', async () => {
  const site = await createSite();
  // All of it lies within the time that is not settled yet.
  const beginMs = Date.now() - 9.5 * minute;
  const first = await recordRun(site.paths, { seed: 'a', beginMs, fragments: 30, firstCounter: 1 });
  const second = await recordRun(site.paths, {
    seed: 'b',
    beginMs: first.endMs + 2 * minute,
    fragments: 10,
    firstCounter: 100,
  });
  const streamId = 'door';
  await site.tell(
    { kind: 'wanted', streamId, atMs: beginMs - 5_000 },
    { kind: 'run-began', streamId, runId: first.runId, atMs: beginMs },
    {
      kind: 'loss',
      streamId,
      runId: first.runId,
      beginMs: beginMs + 7_000,
      endMs: beginMs + 8_000,
      reason: 'packet-loss',
    },
    { kind: 'run-ended', streamId, runId: first.runId, atMs: first.endMs + 10_000, reason: 'source-silent' },
    { kind: 'waiting', streamId, atMs: first.endMs + 12_000, reason: 'unreachable' },
    { kind: 'run-began', streamId, runId: second.runId, atMs: first.endMs + 2 * minute },
    { kind: 'run-ended', streamId, runId: second.runId, atMs: second.endMs, reason: 'connection-lost' },
  );

  const keeper = await site.startKeeper();
  await settled(keeper, 4);
  await until('the last gap is open', () => site.index.openGaps().length === 1);

  const gaps = site.index.gapsBetween(streamId, { beginMs: 0, endMs: now });
  expect(
    gaps.map((gap) => [gap.beginMs - beginMs, gap.endMs === undefined ? undefined : gap.endMs - beginMs, gap.reason]),
  ).toEqual([
    [-5_000, 0, 'connecting'],
    [7_000, 8_000, 'packet-loss'],
    [180_000, 192_000, 'source-silent'],
    [192_000, 300_000, 'unreachable'],
    [360_000, undefined, 'connection-lost'],
  ]);
  expect(await requestsOf(site, keeper)('metrics', {})).toContain(
    'weir_stream_gap_seconds{stream="door",reason="unreachable"} 108',
  );
  await keeper.close();

  // The next process: its run closes the gap, and the ledger file of the one before is used up.
  const third = await recordRun(site.paths, {
    seed: 'c',
    beginMs: second.endMs + 2 * minute,
    fragments: 5,
    firstCounter: 200,
  });
  const directory = join(site.paths.state, 'ingest-0', 'ledger');
  const lines = [
    { kind: 'wanted', streamId, atMs: second.endMs + minute },
    { kind: 'run-began', streamId, runId: third.runId, atMs: second.endMs + 2 * minute },
  ];
  await writeFile(join(directory, '2-0.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const again = await site.startKeeper();
  await settled(again, 5);
  await until('no gap is open', () => site.index.openGaps().length === 0);
  expect(await readdir(directory)).toEqual(['2-0.jsonl']);
  expect(site.index.gapsBetween(streamId, { beginMs: second.endMs, endMs: now }).map((gap) => gap.reason)).toEqual([
    'connection-lost',
    'connecting',
  ]);
  await again.close();
  expectNothing(await site.findings());
});

test('an index that is lost is rebuilt from files and objects, gaps from the reasons of runs', async () => {
  const site = await createSite();
  const beginMs = now - 30 * minute;
  const first = await recordRun(site.paths, { seed: 'a', beginMs, fragments: 30, firstCounter: 1 });
  await recordRun(site.paths, {
    seed: 'b',
    beginMs: first.endMs + minute,
    fragments: 20,
    firstCounter: 100,
    reason: 'source-closed',
  });
  const keeper = await site.startKeeper();
  await settled(keeper, 5);
  await keeper.close();
  const before = site.index.segmentsAfter('door', undefined);
  for (const suffix of ['', '-wal', '-shm']) await rm(`${site.paths.index}${suffix}`, { force: true });

  const again = await site.startKeeper();
  await settled(again, 5);

  const after = site.index.segmentsAfter('door', undefined);
  expect(after.map(({ segmentId: _, ...rest }) => rest)).toEqual(before.map(({ segmentId: _, ...rest }) => rest));
  expect(site.index.gapsBetween('door', { beginMs, endMs: now })).toMatchObject([
    { beginMs: first.endMs, endMs: first.endMs + minute, reason: 'source-closed', origin: 'rebuild' },
  ]);
  await again.close();
  expectNothing(await site.findings());
});

test('an index that is damaged while it is used is moved aside and rebuilt, recording is taken in meanwhile', async () => {
  const site = await createSite();
  await recordRun(site.paths, { seed: 'a', beginMs: now - 30 * minute, fragments: 50, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 5);
  await keeper.holds.add({
    streamId: undefined,
    beginMs: 0,
    endMs: undefined,
    who: 'mia',
    why: 'x',
    untilMs: undefined,
  });
  keeper.index.checkpoint();

  const { size } = await stat(site.paths.index);
  const file = await open(site.paths.index, 'r+');
  for (let at = 4_096 * 2; at < size; at += 4_096) await file.write(Buffer.alloc(4_000, 0xa5), 0, 4_000, at);
  await file.close();
  await keeper.close().catch(() => {});
  await rm(`${site.paths.index}.clean`, { force: true });

  const again = await site.startKeeper();
  await recordRun(site.paths, { seed: 'b', beginMs: now - 5 * minute, fragments: 10, firstCounter: 100 });
  await settled(again, 6);

  expect((await readdir(join(site.paths.data, 'db'))).some((name) => name.includes('.damaged-'))).toBe(true);
  expect(site.index.holdsOf(undefined)).toHaveLength(1);
  await again.close();
  expectNothing(await site.findings());
});

test('a check runs on request and tells how far it is', async () => {
  const site = await createSite();
  await recordRun(site.paths, { seed: 'a', beginMs: now - 30 * minute, fragments: 20, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 2);
  const ask = requestsOf(site, keeper);

  const { checkId } = (await ask('check', { level: 'hash' })) as { checkId: string };
  const outcome = await until('it is finished', async () => {
    const progress = (await ask('check-progress', { checkId })) as { isFinished: boolean; result?: unknown };
    return progress.isFinished && progress;
  });

  expect(outcome.result).toMatchObject({ level: 'hash', findings: [], segments: 2, objects: 2, skipped: [] });
  await expect(ask('check-progress', { checkId: 'other' })).rejects.toMatchObject({ code: 'not_found' });
  await expect(ask('check', { level: 'deep' })).rejects.toMatchObject({ code: 'invalid_argument' });
});

test('a damaged file of holds stops all removal, loudly', async () => {
  const site = await createSite();
  await recordRun(site.paths, { seed: 'a', beginMs: now - 3 * hour, fragments: 20, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 2);
  await keeper.holds.add({ streamId: 'yard', beginMs: 0, endMs: undefined, who: 'mia', why: 'x', untilMs: undefined });
  await keeper.close();
  const path = join(site.paths.state, 'keeper', 'holds.json');
  await writeFile(path, (await readFile(path, 'utf8')).slice(0, 20));

  const again = await site.startKeeper();
  again.setPlan(planOf(1));
  await until('it is told', () => again.state.problems.some((problem) => problem.code === 'holds-unreadable'));
  await until('the store loop had its turn', () => again.state.store.state === 'well');

  expect(site.index.totalsOf('door')?.segments).toBe(2);
});

test('holds that are begun and released at the same time are all in their file', async () => {
  const site = await createSite();
  const keeper = await site.startKeeper();
  await until('the index is open', () => keeper.state.isIndexOpen);
  const hold = (why: string) => ({
    streamId: 'door',
    beginMs: 0,
    endMs: undefined,
    who: 'mia',
    why,
    untilMs: undefined,
  });
  const first = await keeper.holds.add(hold('first'));

  await Promise.all([
    keeper.holds.add(hold('second')),
    keeper.holds.add(hold('third')),
    keeper.holds.release(first.holdId, 'mia'),
    keeper.holds.add(hold('fourth')),
  ]);

  const text = await readFile(join(site.paths.state, 'keeper', 'holds.json'), 'utf8');
  const { holds } = JSON.parse(text) as { holds: { why: string }[] };
  expect(holds.map(({ why }) => why).sort()).toEqual(['fourth', 'second', 'third']);
});
