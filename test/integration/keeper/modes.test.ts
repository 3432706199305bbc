/** Recording modes at a keeper: what is taken in, what goes and when, and what events keep. */

import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { Keeper } from '../../../storage/keeper/index.ts';
import { keeperRequests, rebuildIndex } from '../../../storage/keeper/index.ts';
import type { RecordingPolicy, ScheduleSpan } from '../../../storage/model/camera.ts';
import { planOfSources, recordingPolicy } from '../../kit/plans.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { someRunId } from '../../kit/segments.ts';
import { until } from '../../kit/until.ts';
import { createSite, expectNothing, minute, type Site } from './kit.ts';

const streamId = 'door';
const hour = 60 * minute;
const now = Date.now();
/** The segments of these runs begin here, on a full minute. */
const begin = now - (now % minute) - 3 * hour;

/** The real clock, ahead by what a test says: days pass at once. */
function createShiftedClock(aheadMs: number): Clock & { aheadMs: number } {
  return {
    ...systemClock,
    aheadMs,
    wallMs() {
      return Date.now() + this.aheadMs;
    },
    monotonicMs() {
      return systemClock.monotonicMs() + this.aheadMs;
    },
  };
}

function planOf(recording: Partial<RecordingPolicy>, revision = 1) {
  const source = { kind: 'rtsp', url: 'rtsp://camera', transport: 'tcp', tls: 'verify' } as const;
  const planned = { streamId, cameraId: 'cam', role: 'main', name: 'Door', source, revision } as const;
  return planOfSources({ ...planned, recording: recordingPolicy(recording) });
}

/** Minutes since the begin at which segments begin that the index has. */
const segments = (site: Site) =>
  site.index
    .segmentsBetween(streamId, { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER })
    .map((segment) => Math.floor((segment.beginServerMs - begin) / minute));
const gaps = (site: Site) => site.index.gapsBetween(streamId, { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER });

/** Records ten minutes and says so. */
async function recordTen(site: Site, { firstCounter = 1, atMs = begin, seed = 'a' } = {}) {
  const runId = someRunId(seed);
  await site.tell({ kind: 'wanted', streamId, atMs }, { kind: 'run-began', streamId, runId, atMs });
  await recordRun(site.paths, { seed, beginMs: atMs, fragments: 100, firstCounter });
  await site.tell({ kind: 'unwanted', streamId, atMs: atMs + 10 * minute });
}

const whole = async (site: Site, keeper: Keeper, count: number) => {
  await until(`${count} segments have rows`, () => keeper.state.isIndexOpen && segments(site).length === count);
};

/** A keeper whose index was there before any footage. */
async function startedKeeper(site: Site, recording: Partial<RecordingPolicy>, options = {}): Promise<Keeper> {
  const keeper = await site.startKeeper({ eventGraceMs: 0, ...options });
  keeper.setPlan(planOf(recording));
  await until('the index is whole', () => keeper.state.isIndexOpen && keeper.state.rebuild === undefined);
  return keeper;
}

test('in mode events the unmarked goes after the pre-roll and the marked stays, with nothing for check to find', async () => {
  const clock = createShiftedClock(begin - minute - now);
  const site = await createSite({ clock });
  const keeper = await startedKeeper(site, { mode: 'events', preRollMinutes: 30, eventRetentionHours: 100 });
  await recordTen(site);
  const registry = new Registry();
  const requests = keeperRequests(
    { keeper, registry, runCheck: async () => ({ findings: [], skipped: [] }) as never },
    { signal: new AbortController().signal },
  );
  const ask = (method: string, params: unknown) => requests[method]?.(params);
  clock.aheadMs += 20 * minute;
  await whole(site, keeper, 10);

  const marked = { streamId, kind: 'motion', source: 'api', detail: {} };
  await ask('event-put', { ...marked, rangeId: 'a', beginMs: begin + 2.5 * minute, endMs: begin + 2.6 * minute });
  await ask('event-put', { ...marked, rangeId: 'b', beginMs: begin + 7.5 * minute, endMs: null });
  await ask('event-end', { rangeId: 'b', endMs: begin + 8.5 * minute });
  await ask('event-put', { ...marked, rangeId: 'c', beginMs: begin + 5.5 * minute, endMs: begin + 5.6 * minute });
  await ask('event-remove', { rangeId: 'c' });
  clock.aheadMs += 30 * minute;

  await until('the unmarked are gone', () => segments(site).length === 3);
  expect(segments(site)).toEqual([2, 7, 8]);
  const removed = site.index.removals(streamId, { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER });
  expect(new Set(removed.map(({ reason }) => reason))).toEqual(new Set(['unmarked']));
  expect(gaps(site)).toEqual([]);
  await until('bytes are gone', () => keeper.state.backlog.segments === 0);
  expectNothing(await site.findings());
});

test('events that were marked while the keeper was away still find their footage', async () => {
  const clock = createShiftedClock(begin - minute - now);
  const site = await createSite({ clock });
  const first = await startedKeeper(site, { mode: 'events', preRollMinutes: 15 });
  await recordTen(site);
  clock.aheadMs += 11 * minute;
  await whole(site, first, 10);
  await first.close();
  clock.aheadMs += hour;
  const keeper = await site.startKeeper({ eventGraceMs: minute });
  keeper.setPlan(planOf({ mode: 'events', preRollMinutes: 15 }));
  await until('the index is open', () => keeper.state.isIndexOpen && keeper.state.journalSpace !== undefined);

  const beginMs = begin + 4.5 * minute;
  keeper.events.put({ rangeId: 'a', streamId, kind: 'line', source: 'onvif', beginMs, endMs: beginMs, detail: {} });
  clock.aheadMs += 2 * minute;
  keeper.lookNow();

  await until('the unmarked are gone', () => segments(site).length === 1);
  expect(segments(site)).toEqual([4]);
});

test('a change of policy shortens nothing that was recorded before it', async () => {
  const clock = createShiftedClock(begin - minute - now);
  const site = await createSite({ clock });
  const keeper = await startedKeeper(site, { mode: 'continuous', retentionHours: 2 });
  await recordTen(site);
  clock.aheadMs += 11 * minute;
  await whole(site, keeper, 10);
  keeper.setPlan(planOf({ mode: 'events', preRollMinutes: 1, retentionHours: 2 }, 2));
  await recordTen(site, { firstCounter: 1_000, atMs: begin + 12 * minute, seed: 'b' });

  clock.aheadMs += hour;

  await until('what was recorded since is gone', () => segments(site).length === 10);
  expect(Math.max(...segments(site))).toBe(9);
});

/** Recorded from minute 2 to minute 6 of the hour in which the footage lies, live otherwise; in UTC. */
function fourMinutes(): Partial<RecordingPolicy> {
  const date = new Date(begin);
  const minuteOfDay = date.getUTCHours() * 60 + date.getUTCMinutes();
  const span: ScheduleSpan = {
    weekday: (date.getUTCDay() || 7) as ScheduleSpan['weekday'],
    beginMinute: Math.min(minuteOfDay + 2, 1_438),
    endMinute: Math.min(minuteOfDay + 6, 1_440),
    mode: 'continuous',
  };
  return { mode: 'live', schedule: { timeZone: 'UTC', spans: [span] }, retentionHours: 100 };
}

test('of a schedule every second inside its span is kept, though all lines about its edges were lost', async () => {
  const clock = createShiftedClock(begin - minute - now);
  const site = await createSite({ clock });
  const keeper = await startedKeeper(site, fourMinutes());
  const runId = someRunId('a');
  await site.tell({ kind: 'unwanted', streamId, atMs: begin }, { kind: 'run-began', streamId, runId, atMs: begin });
  await recordRun(site.paths, { seed: 'a', beginMs: begin, fragments: 100, firstCounter: 1 });
  clock.aheadMs += 11 * minute;

  await whole(site, keeper, 4);

  expect(segments(site)).toEqual([2, 3, 4, 5]);
});

test('a process that died over both edges leaves a gap inside the span and none outside', async () => {
  const clock = createShiftedClock(begin - minute - now);
  const site = await createSite({ clock });
  await startedKeeper(site, fourMinutes());
  await site.tell({ kind: 'unwanted', streamId, atMs: begin });
  clock.aheadMs += 9 * minute;

  await site.tellAs('2-0', { kind: 'unwanted', streamId, atMs: begin + 8 * minute });

  await until('the gap is told', () => gaps(site).length > 0);
  expect(gaps(site).map(({ beginMs, endMs = Number.NaN, reason }) => [beginMs - begin, endMs - begin, reason])).toEqual(
    [[2 * minute, 6 * minute, 'crashed']],
  );
});

test('an index that is filled anew, by a keeper that has no plan, keeps what events keep', async () => {
  const site = await createSite();
  const keeper = await startedKeeper(site, { mode: 'continuous', retentionHours: 4, eventRetentionHours: 100 });
  await recordTen(site);
  await whole(site, keeper, 10);
  const range = { rangeId: 'e1', streamId, kind: 'motion', source: 'api', detail: {} };
  keeper.events.put({ ...range, beginMs: begin, endMs: begin + 10 * minute });
  keeper.setPlan(planOf({ mode: 'continuous', retentionHours: 1, eventRetentionHours: 100 }, 2));
  await until('all is stored', () => keeper.state.backlog.segments === 0);
  await keeper.close();

  const result = await rebuildIndex(
    { clock: systemClock, log: silentLog, store: site.store },
    { paths: site.paths, storeTimeoutMs: 10_000, signal: new AbortController().signal, onProgress: () => {} },
  );
  const later = await site.startKeeper({ eventGraceMs: 0 });
  await until('the index is open', () => later.state.isIndexOpen);
  const looks = later.state.journalSpace;
  await until('room was looked at', () => later.state.journalSpace !== looks);

  expect(result.segments).toBe(10);
  expect(later.state.clock.isTrusted).toBe(true);
  expect(later.index.state.policies()).toMatchObject([{ retentionHours: 1, eventRetentionHours: 100 }]);
  expect(segments(site)).toHaveLength(10);
});
