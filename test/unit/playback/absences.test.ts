import { expect, test } from 'vitest';
import {
  type AbsenceRows,
  absenceCellMs,
  absencesOf,
  absenceText,
  absenceWithin,
  absentMsByText,
} from '../../../gateway/playback/absences.ts';
import { appError } from '../../../storage/base/errors.ts';
import type { RemovalGroup } from '../../../storage/index/index.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const range = { beginMs: 0, endMs: day };

function removal(beginMs: number, endMs: number, change: Partial<RemovalGroup> = {}): RemovalGroup {
  return { beginMs, endMs, reason: 'age', who: undefined, removedMs: 31 * day, ageMs: 30.2 * day, ...change };
}

function shown(rows: Partial<AbsenceRows>, recorded: readonly { beginMs: number; endMs: number }[] = []) {
  const input = { rows: { removals: [], pauses: [], ...rows }, recorded, range, nowMs: day };
  return absencesOf({ ...input, cellMs: absenceCellMs(range, 0) });
}

test('neighbours of one reason are one mark, and those of another person are not', () => {
  const { removals } = shown({
    removals: [
      removal(-hour, hour, { removedMs: 40 * day, ageMs: 39 * day }),
      removal(hour + 500, 2 * hour),
      removal(2 * hour, 3 * hour, { reason: 'request', who: 'anna', removedMs: 2 * day }),
      removal(3 * hour, 4 * hour, { reason: 'request', who: 'ben', removedMs: 3 * day }),
    ],
  });

  expect(removals).toEqual([
    {
      beginMs: 0,
      endMs: 2 * hour,
      kind: 'removed',
      reason: 'age',
      removedMs: 40 * day,
      text: 'removed: older than 30 days',
    },
    {
      ...{ beginMs: 2 * hour, endMs: 3 * hour, kind: 'removed', reason: 'request', removedMs: 2 * day },
      text: 'removed on request by anna',
    },
    {
      ...{ beginMs: 3 * hour, endMs: 4 * hour, kind: 'removed', reason: 'request', removedMs: 3 * day },
      text: 'removed on request by ben',
    },
  ]);
});

test('no mark lies over footage that is still there, and no pause over a removal', () => {
  const { removals, pauses } = shown(
    {
      removals: [removal(hour, 5 * hour)],
      pauses: [{ pauseId: 1, beginMs: 0, endMs: 6 * hour, reason: 'not-scheduled' }],
    },
    [
      { beginMs: 2 * hour, endMs: 3 * hour },
      { beginMs: 5 * hour - 400, endMs: 5.5 * hour },
    ],
  );

  const spans = (absences: typeof removals) => absences.map(({ beginMs, endMs }) => [beginMs / hour, endMs / hour]);
  expect(spans(removals)).toEqual([
    [1, 2],
    [3, 5 - 400 / hour],
  ]);
  expect(spans(pauses)).toEqual([
    [0, 1],
    [5.5, 6],
  ]);
});

test('a minute that was removed by itself is seen in a day, and slivers beside footage are not', () => {
  const { removals } = shown({ removals: [removal(hour, hour + 100), removal(2 * hour, 3 * hour)] }, [
    { beginMs: 2 * hour + 900, endMs: 3 * hour - 900 },
  ]);

  expect(removals).toMatchObject([{ beginMs: hour, endMs: hour + 100 }]);
});

test('however many rows there are, a range has some thousand marks at most', () => {
  const removals = Array.from({ length: 40_000 }, (_, i) => removal(i * 2_000, i * 2_000 + 500));

  expect(shown({ removals }).removals.length).toBeLessThanOrEqual(2_001);
});

test('words say what rows know: ages, reasons, and that nobody said why', () => {
  const textOf = (change: Partial<RemovalGroup>) => shown({ removals: [removal(0, hour, change)] }).removals[0]?.text;
  const paused = shown({
    pauses: [
      { pauseId: 1, beginMs: 0, endMs: hour, reason: undefined },
      { pauseId: 2, beginMs: 2 * hour, endMs: undefined, reason: 'switched-off' },
    ],
  }).pauses;

  expect(textOf({ ageMs: 47.5 * hour })).toBe('removed: older than 47 hours');
  expect(textOf({ ageMs: -day })).toBe('removed: older than its retention');
  expect(textOf({ reason: 'disk-full' })).toBe('removed: the disk was getting full');
  expect(textOf({ reason: 'request' })).toBe('removed on request');
  expect(paused).toMatchObject([
    { beginMs: 0, endMs: hour, reason: 'unknown', text: 'not to be recorded then' },
    { beginMs: 2 * hour, endMs: day, reason: 'switched-off', text: 'the camera was switched off or removed' },
  ]);
});

test('sums of days are by words', () => {
  const { removals } = shown({ removals: [removal(0, hour), removal(2 * hour, 3 * hour)] });
  const ends = [0.5, 2.25, 2.75, 9, 10].map((hours) => hours * hour);
  const days = ends.map((endMs, at) => ({ beginMs: ends[at - 1] ?? 0, endMs }));

  const sums = absentMsByText(removals, days).map((sum) => sum['removed: older than 30 days']);

  expect(sums).toEqual([0.5 * hour, 0.75 * hour, 0.5 * hour, 0.25 * hour, undefined]);
});

test('a year of days is summed by what is absent, not once a day', () => {
  const day = (at: number) => ({ beginMs: at * 24 * hour, endMs: (at + 1) * 24 * hour });
  const days = Array.from({ length: 400 }, (_, at) => day(at));
  let reads = 0;
  const absences = Array.from({ length: 6_000 }, (_, at) => ({
    ...{ kind: 'paused' as const, reason: 'pushed', text: 'nothing came', removedMs: undefined },
    get beginMs() {
      reads++;
      return at * hour;
    },
    endMs: at * hour + minute,
  }));

  const sums = absentMsByText(absences, days);

  expect(sums.slice(249, 252)).toEqual([{ 'nothing came': 24 * minute }, {}, {}]);
  expect(reads).toBe(absences.length);
});

test('a range without media was removed before it was not to be recorded, and persons are not named to players', () => {
  const rows: AbsenceRows = {
    removals: [removal(0, minute), removal(2 * minute, 10 * minute, { reason: 'request', who: 'anna' })],
    pauses: [{ pauseId: 1, beginMs: 10 * minute, endMs: hour, reason: 'not-scheduled' }],
  };
  const why = (beginMs: number, endMs: number) => {
    const within = <T extends { beginMs: number; endMs?: number | undefined }>(of: readonly T[]) =>
      of.filter((row) => row.beginMs < endMs && (row.endMs ?? day) > beginMs);
    const queries = {
      streams: { removalGroups: () => within(rows.removals) },
      gaps: { pausesBetween: () => within(rows.pauses) },
    };
    const index = { snapshot: <T>(ask: (all: never) => T) => ask(queries as never) };
    const found = absenceWithin(index, { streamId: 'door', beginMs, endMs, nowMs: day });
    return found === undefined ? undefined : absenceText(found);
  };

  expect(why(0, 1)).toBe('the footage of that time was removed: older than 30 days');
  expect(why(0, hour)).toBe('the footage of that time was removed on request');
  expect(why(20 * minute, hour)).toBe('nothing was recorded at that time: not scheduled');
  expect(why(2 * hour, 3 * hour)).toBeUndefined();
});

test('while the index is away nothing is known', () => {
  const index = {
    snapshot: () => {
      throw appError('unavailable', 'the index is not there yet');
    },
  };

  expect(absenceWithin(index, { streamId: 'door', ...range, nowMs: day })).toBeUndefined();
});
