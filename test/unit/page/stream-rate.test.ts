/** How much a stream adds to what is kept. */

import { expect, test } from 'vitest';
import type { Recording } from '../../../appliance/page/src/api.ts';
import {
  modesOf,
  type StreamFacts,
  type StreamRate,
  streamRate,
} from '../../../appliance/page/src/storage/stream-rate.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** A Monday. */
const nowMs = Date.UTC(2026, 0, 12);
const megabyte = 1e6;

const recording: Recording = {
  ...{ mode: 'continuous', schedule: null, retentionHours: 30 * 24, eventRetentionHours: null, preRollMinutes: 10 },
};

type Counts = NonNullable<StreamFacts['lately']>['days'][number]['counts'];

/** One segment is a minute and a megabyte. */
function facts(plan: {
  readonly recording?: Partial<Recording> | null;
  /** Of seven days, oldest first: null is a day without footage. */
  readonly days: readonly (Partial<Counts> | null)[];
  readonly segments?: number;
  readonly reachMs?: number;
  readonly firstMs?: number;
  readonly createdMs?: number;
  readonly endMs?: number;
  readonly completeSinceMs?: number;
  readonly held?: number;
  readonly isHeldOnAndOn?: boolean;
  readonly isFetched?: boolean;
}): StreamFacts {
  const empty = { continuous: 0, continuousMarked: 0, unmarked: 0, marked: 0 };
  const days = plan.days.map((counts, i) => {
    const beginMs = nowMs - (plan.days.length - i) * day;
    const first = Math.max(beginMs, plan.firstMs ?? 0);
    return { beginMs, endMs: beginMs + day, firstMs: counts === null ? null : first, counts: { ...empty, ...counts } };
  });
  const lately = days.reduce((sum, { counts }) => sum + counts.continuous + counts.continuousMarked + counts.marked, 0);
  const segments = plan.segments ?? lately;
  return {
    stored: {
      createdMs: plan.createdMs ?? 0,
      totals: {
        ...{ segments, bytes: segments * megabyte, durationMs: segments * minute, endMs: plan.endMs ?? nowMs },
        beginMs: plan.firstMs ?? nowMs - (plan.reachMs ?? 7 * day),
      },
    },
    lately: {
      days,
      completeSinceMs: plan.completeSinceMs ?? null,
      heldSegments: plan.held ?? 0,
      isHeldOnAndOn: plan.isHeldOnAndOn ?? false,
    },
    recording: plan.recording === null ? undefined : { ...recording, ...plan.recording },
    isFetched: plan.isFetched ?? true,
    nowMs,
  };
}

const week = (counts: Partial<Counts> | null) => Array.from({ length: 7 }, () => counts);
/** Megabytes a day by the days they are kept. */
const shown = ({ parts }: StreamRate) =>
  Object.fromEntries(
    parts.filter((part) => part.bytesPerDay > 0).map((part) => [part.days, Math.round(part.bytesPerDay / megabyte)]),
  );
const workHours = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, beginMinute: 480, endMinute: 960 }));

test('a camera that always records adds what it added in a day', () => {
  const rate = streamRate(facts({ days: week({ continuous: 1440 }) }));

  expect(shown(rate)).toEqual({ 30: 1440 });
  expect(rate).toMatchObject({ isKnown: true, isOfAge: false, heldBytes: 0, storedBytes: 7 * 1440 * megabyte });
});

test('a camera that began an hour ago is counted by that hour', () => {
  const days = [null, null, null, null, null, null, { continuous: 60 }];

  expect(shown(streamRate(facts({ days, firstMs: nowMs - hour })))).toEqual({ 30: 1440 });
});

test('nothing is told of a camera that began minutes ago, of one of which nothing came for a week, and before it was asked', () => {
  const days = [null, null, null, null, null, null, { continuous: 5 }];
  const young = facts({ days, firstMs: nowMs - 5 * minute });

  const rates = [young, facts({ days: week(null), segments: 100 }), { ...facts({ days }), lately: undefined }];

  expect(rates.map(streamRate)).toMatchObject([1, 2, 3].map(() => ({ isKnown: false, parts: [] })));
});

test('a camera that records eight hours a day adds a third, at any time of the day and in its first hours', () => {
  const schedule = { timeZone: 'UTC', spans: workHours.map((span) => ({ ...span, mode: 'continuous' as const })) };
  const own = { mode: 'live', schedule } as const;
  const young = [null, null, null, null, null, null, { continuous: 120 }];

  const rates = [
    facts({ recording: own, days: week({ continuous: 480 }) }),
    // It was added at 14:00 yesterday, and its hours ended at 16:00.
    facts({ recording: own, days: young, firstMs: nowMs - 10 * hour, endMs: nowMs - 8 * hour }),
  ].map(streamRate);

  expect(rates.map(shown)).toEqual([{ 30: 480 }, { 30: 480 }]);
});

test('days on which a camera was away are not counted, but those on which a publisher sends nothing are', () => {
  const days = [null, null, null, null, null, null, { continuous: 1440 }];

  const [camera, publisher] = [true, false].map((isFetched) => streamRate(facts({ days, isFetched })));

  expect(shown(camera as StreamRate)).toEqual({ 30: 1440 });
  expect(shown(publisher as StreamRate)).toEqual({ 30: 206 });
});

test('where older footage had to go for room, only what came since is counted', () => {
  const days = [null, null, null, null, null, { continuous: 720 }, { continuous: 1440 }];

  const rate = streamRate(facts({ days, completeSinceMs: nowMs - 1.5 * day }));

  expect(shown(rate)).toEqual({ 30: 1440 });
});

test('mode events adds what events mark, for the age of events; what none marks is its pre-roll', () => {
  const own = { mode: 'events', eventRetentionHours: 14 * 24 } as const;

  const { parts } = streamRate(facts({ recording: own, days: week({ marked: 36, unmarked: 2 }), segments: 254 }));

  expect(parts).toEqual([
    { bytesPerDay: 36 * megabyte, days: 14, isPreRoll: false },
    { bytesPerDay: 1440 * megabyte, days: 10 / 1440, isPreRoll: true },
  ]);
});

test('a single event of today is one of a day, however young it is', () => {
  const days = [null, null, null, null, null, null, { marked: 3 }];

  const [old, young] = [0, nowMs - 6 * hour].map((createdMs) =>
    streamRate(facts({ recording: { mode: 'events' }, days, firstMs: nowMs - hour, createdMs })),
  );

  expect((old as StreamRate).parts[0]?.bytesPerDay).toBe(3 * megabyte);
  expect((young as StreamRate).parts[0]?.bytesPerDay).toBe(12 * megabyte);
});

test('events of a camera that always records stay for their own age, where that is longer', () => {
  const days = week({ continuous: 1340, continuousMarked: 100 });

  const long = streamRate(facts({ recording: { retentionHours: 168, eventRetentionHours: 720 }, days }));
  const short = streamRate(facts({ recording: { retentionHours: 168, eventRetentionHours: 24 }, days }));

  expect(shown(long)).toEqual({ 7: 1340, 30: 100 });
  expect(short.parts.map((part) => part.days)).toEqual([7, 7]);
});

test('a camera that is off, removed or live only adds nothing, and that is known', () => {
  const off = streamRate(facts({ recording: null, days: week({ continuous: 1440 }) }));
  const live = streamRate(facts({ recording: { mode: 'live' }, days: week({ continuous: 1440 }) }));

  expect([off, live]).toMatchObject([1, 2].map(() => ({ isKnown: true, parts: [], storedBytes: 10_080 * megabyte })));
});

test('what holds keep is told apart, and a hold without end keeps all that comes', () => {
  const held = streamRate(
    facts({ days: week({ continuous: 1440 }), segments: 20_000, held: 9_920, reachMs: 300 * day }),
  );
  const endless = streamRate(
    facts({ recording: { mode: 'events' }, days: week({ marked: 30, unmarked: 1410 }), isHeldOnAndOn: true }),
  );

  expect(held).toMatchObject({ heldBytes: 9_920 * megabyte, isOfAge: false });
  expect(endless.parts).toEqual([{ bytesPerDay: 1440 * megabyte, days: Infinity, isPreRoll: false }]);
});

test('a camera whose footage reaches back to its age is of age', () => {
  const days = week({ continuous: 1440 });

  expect(streamRate(facts({ days, segments: 30 * 1440, reachMs: 30 * day })).isOfAge).toBe(true);
});

test('the modes of a week are those of its hours: its own one counts where the schedule leaves any', () => {
  const whole = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, beginMinute: 0, endMinute: 1440 }));
  const of = (spans: typeof whole) =>
    modesOf({ ...recording, schedule: { timeZone: 'UTC', spans: spans.map((span) => ({ ...span, mode: 'events' })) } });

  expect([...of(whole)]).toEqual(['events']);
  expect([...of(workHours)]).toEqual(['continuous', 'events']);
});
