import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Hold, SegmentKind } from '../../../storage/index/index.ts';
import {
  type Candidate,
  type OldestOf,
  planRemovals,
  type QuotaInput,
  type QuotaStream,
  reserveBytesOf,
} from '../../../storage/keeper/quota-planner.ts';
import { limits } from '../../../storage/model/limits.ts';

const minute = 60_000;
const hour = 60 * minute;
const now = Date.UTC(2026, 0, 10);
const megabyte = 1_000_000;

/** `count` minutes of 1 MB each that end now. */
function minutesOf(streamId: string, count: number, changes: Partial<Candidate> = {}): Candidate[] {
  return Array.from({ length: count }, (_, i) => ({
    segmentId: (streamId.charCodeAt(0) << 20) + i,
    streamId,
    beginServerMs: now - (count - i) * minute,
    endServerMs: now - (count - i - 1) * minute,
    byteLength: megabyte,
    location: 'stored',
    recordingClass: 'continuous',
    recordingMode: 'continuous',
    ...changes,
  }));
}

function streamOf(streamId: string, candidates: readonly Candidate[], changes: Partial<QuotaStream> = {}): QuotaStream {
  return {
    streamId,
    cameraId: streamId,
    retentionHours: undefined,
    cameraBytesMax: undefined,
    bytes: candidates.filter((each) => each.streamId === streamId).reduce((sum, each) => sum + each.byteLength, 0),
    openFiles: 0,
    ...changes,
  };
}

function plan(
  candidates: readonly Candidate[],
  input: Partial<QuotaInput>,
  storeOf: (candidate: Candidate) => string | undefined = () => undefined,
) {
  const streams =
    input.streams ?? [...new Set(candidates.map((each) => each.streamId))].map((id) => streamOf(id, candidates));
  const whole: QuotaInput = {
    nowMs: now,
    isClockTrusted: true,
    holds: [],
    bytesMax: undefined,
    localBytes: 0,
    localBytesMax: undefined,
    places: [],
    removalsMax: 1_000_000,
    ...input,
    streams,
  };
  const oldest: OldestOf<Candidate> = (streamId, fromMs, kind) =>
    candidates
      .filter((each) => each.streamId === streamId && each.beginServerMs >= fromMs)
      .filter((each) => kind === undefined || (isOfKind(each, kind) && each.beginServerMs < kind.beforeMs))
      .sort((a, b) => a.beginServerMs - b.beginServerMs)
      .slice(0, 7);
  const oldestIn = (store: string, fromMs: number) =>
    candidates
      .filter((each) => storeOf(each) === store && each.endServerMs >= fromMs)
      .sort((a, b) => a.endServerMs - b.endServerMs)
      .slice(0, 7);
  const unstored = candidates
    .filter((each) => each.location === 'local')
    .sort((a, b) => a.beginServerMs - b.beginServerMs || a.segmentId - b.segmentId);
  const oldestUnstored = (after: Candidate | undefined) => {
    const first = after === undefined ? 0 : unstored.indexOf(after) + 1;
    return unstored.slice(first, first + 7);
  };
  return planRemovals(whole, oldest, { storeOf, oldestIn, oldestUnstored });
}

const isOfKind = (each: Candidate, kind: SegmentKind) =>
  each.recordingClass === kind.recordingClass && each.recordingMode === kind.recordingMode;

const hold = (changes: Partial<Hold>): Hold => ({
  holdId: 'h',
  streamId: undefined,
  beginMs: 0,
  endMs: undefined,
  who: 'mia',
  why: 'break-in',
  untilMs: undefined,
  createdMs: 0,
  releasedMs: undefined,
  releasedBy: undefined,
  ...changes,
});

test('removes what is older than its retention, and nothing younger', () => {
  const all = minutesOf('a', 120);

  const { removals } = plan(all, { streams: [streamOf('a', all, { retentionHours: 1 })] });

  expect(removals.map(({ segment }) => segment)).toEqual(all.slice(0, 60));
  expect(new Set(removals.map(({ reason }) => reason))).toEqual(new Set(['age']));
});

test('a clock in doubt stops removal by age, not removal by bytes', () => {
  const all = minutesOf('a', 120);
  const streams = [streamOf('a', all, { retentionHours: 1, cameraBytesMax: 100 * megabyte })];

  const { removals } = plan(all, { streams, isClockTrusted: false });

  expect(removals).toHaveLength(20);
  expect(removals[0]).toMatchObject({ reason: 'camera-bytes', segment: all[0] });
});

test('events outlive continuous footage', () => {
  const all = minutesOf('a', 180).map(
    (each, i): Candidate => (i % 60 === 0 ? { ...each, recordingClass: 'event' } : each),
  );

  const { removals } = plan(all, { streams: [streamOf('a', all, { retentionHours: 1, eventRetentionHours: 2.5 })] });

  expect(removals.filter(({ segment }) => segment.recordingClass === 'event').map(({ segment }) => segment)).toEqual([
    all[0],
  ]);
  expect(removals).toHaveLength(119);
});

test('an event never shortens how long footage stays', () => {
  const all = minutesOf('a', 180, { recordingClass: 'event' });

  const { removals } = plan(all, { streams: [streamOf('a', all, { retentionHours: 2, eventRetentionHours: 1 })] });

  expect(removals).toHaveLength(60);
});

test('in mode events the unmarked goes after the pre-roll, and says why; the marked by its own age', () => {
  const all = minutesOf('a', 180, { recordingMode: 'events' }).map(
    (each, i): Candidate => (i % 20 === 0 ? { ...each, recordingClass: 'event' } : each),
  );
  const streams = [streamOf('a', all, { retentionHours: 24, eventRetentionHours: 2, preRollMinutes: 10 })];

  const { removals } = plan(all, { streams });

  const of = (reason: string) => removals.filter((each) => each.reason === reason).map(({ segment }) => segment);
  expect(of('unmarked')).toEqual(all.slice(0, 170).filter((_, i) => i % 20 !== 0));
  expect(of('age')).toEqual(all.slice(0, 60).filter((_, i) => i % 20 === 0));
});

test('nothing goes for want of an event while events may still be on their way', () => {
  const all = minutesOf('a', 60, { recordingMode: 'events' });
  const streams = [streamOf('a', all, { retentionHours: 24, preRollMinutes: 10 })];

  expect(plan(all, { streams, areEventsKnown: false }).removals).toEqual([]);
  expect(plan(all, { streams }).removals).toHaveLength(50);
});

test('footage of which the mode is not known stays for the longest of the ages', () => {
  const all = minutesOf('a', 180, { recordingMode: 'unknown' });
  const streams = [streamOf('a', all, { retentionHours: 1, eventRetentionHours: 2, preRollMinutes: 10 })];

  expect(plan(all, { streams }).removals).toHaveLength(60);
});

test('where bytes are short the unmarked goes before events, but for the newest hour; then the oldest goes', () => {
  const all = minutesOf('a', 180).map((each, i): Candidate => (i < 30 ? { ...each, recordingClass: 'event' } : each));
  const streams = (bytesMax: number) => [streamOf('a', all, { cameraBytesMax: bytesMax * megabyte })];

  const some = plan(all, { streams: streams(170) }).removals.map(({ segment }) => segment);
  const more = plan(all, { streams: streams(80) }).removals.map(({ segment }) => segment);

  expect(some).toEqual(all.slice(30, 40));
  expect(more).toEqual([...all.slice(30, 120), ...all.slice(0, 10)]);
});

test('each open file is charged its whole size, so that room is there before it is needed', () => {
  const all = minutesOf('a', 100);
  const streams = [streamOf('a', all, { openFiles: 1, cameraBytesMax: 150 * megabyte })];

  const { removals } = plan(all, { streams });

  const excess = 100 * megabyte + limits.segmentBytes - 150 * megabyte;
  expect(removals).toHaveLength(Math.ceil(excess / megabyte));
});

test('a limit smaller than its open files keeps half of itself for finished footage', () => {
  const all = minutesOf('a', 100);

  const { removals } = plan(all, { streams: [streamOf('a', all, { openFiles: 2, cameraBytesMax: 40 * megabyte })] });

  expect(removals).toHaveLength(80);
});

test('a camera is limited over both its streams, oldest first', () => {
  const all = [...minutesOf('a', 10), ...minutesOf('b', 20)];
  const streams = ['a', 'b'].map((id) => streamOf(id, all, { cameraId: 'cam', cameraBytesMax: 15 * megabyte }));

  const { removals } = plan(all, { streams });

  const expected = [...all].sort((a, b) => a.beginServerMs - b.beginServerMs).slice(0, 15);
  expect(new Set(removals.map(({ segment }) => segment.segmentId))).toEqual(
    new Set(expected.map((each) => each.segmentId)),
  );
});

test('what one rule removes counts for the next', () => {
  const all = [...minutesOf('a', 120), ...minutesOf('b', 30)];
  const streams = [streamOf('a', all, { retentionHours: 1 }), streamOf('b', all)];

  const { removals } = plan(all, { streams, bytesMax: 90 * megabyte });

  expect(removals).toHaveLength(60);
});

test('nothing under hold is removed by any rule, and what is lacking is said', () => {
  const all = minutesOf('a', 120);
  const streams = [streamOf('a', all, { retentionHours: 1, cameraBytesMax: 10 * megabyte })];
  const holds = [hold({ streamId: 'a', beginMs: now - 100 * minute, endMs: now })];

  const { removals, shortBytes } = plan(all, { streams, holds });

  expect(removals.map(({ segment }) => segment)).toEqual(all.slice(0, 20));
  expect(shortBytes).toEqual({ 'camera-bytes': 90 * megabyte });
});

test('a hold in the middle is jumped over', () => {
  const all = minutesOf('a', 120);
  const holds = [hold({ beginMs: now - 110 * minute, endMs: now - 70 * minute })];

  const { removals } = plan(all, { streams: [streamOf('a', all, { retentionHours: 1 })], holds });

  expect(removals.map(({ segment }) => segment)).toEqual([...all.slice(0, 10), ...all.slice(50, 60)]);
});

test('local files over their limit go, stored ones do not', () => {
  const all = minutesOf('a', 20).map((each, i): Candidate => ({ ...each, location: i < 10 ? 'stored' : 'local' }));

  const { removals } = plan(all, { localBytes: 10 * megabyte, localBytesMax: 4 * megabyte });

  expect(removals.map(({ segment, reason }) => [segment, reason])).toEqual(
    all.slice(10, 16).map((each) => [each, 'local-bytes']),
  );
});

test('a disk that gets full frees what lies on it', () => {
  const all = minutesOf('a', 20).map((each, i): Candidate => ({ ...each, location: i < 10 ? 'stored' : 'local' }));
  const [freeBytes, reserveBytes] = [2 * megabyte, 5 * megabyte];
  const place = {
    ...{ name: 'store', freeBytes, reserveBytes, unstoredReserveBytes: reserveBytes },
    locations: ['stored'] as const,
  };

  expect(plan(all, { places: [place] }).removals.map(({ segment }) => segment)).toEqual(all.slice(0, 3));
  expect(plan(all, { places: [{ ...place, locations: ['local'] }] }).removals.map(({ segment }) => segment)).toEqual(
    all.slice(10, 13),
  );
  expect(plan(all, { places: [{ ...place, freeBytes: 9 * megabyte }] }).removals).toEqual([]);
});

test('footage that is nowhere else stays until recorders need its room, and goes oldest first then', () => {
  const all = minutesOf('a', 20).map((each, i): Candidate => ({ ...each, location: i < 10 ? 'stored' : 'local' }));
  const journal = {
    ...{ name: 'journal', reserveBytes: 8 * megabyte, unstoredReserveBytes: 2 * megabyte },
    locations: ['local'] as const,
  };
  const shared = { ...journal, locations: ['local', 'stored'] as const };

  const roomy = plan(all, { places: [{ ...journal, freeBytes: 3 * megabyte }] });
  const full = plan(all, { places: [{ ...journal, freeBytes: 0.5 * megabyte }] });
  const sharedRoomy = plan(all, { places: [{ ...shared, freeBytes: 0 }] });
  const sharedFull = plan(all, { places: [{ ...shared, freeBytes: -9 * megabyte }] });

  expect([roomy.removals, roomy.shortBytes]).toEqual([[], {}]);
  expect(full.removals.map(({ segment }) => segment)).toEqual(all.slice(10, 12));
  expect(sharedRoomy.removals.map(({ segment }) => segment)).toEqual(all.slice(0, 8));
  expect(sharedFull.removals.map(({ segment }) => segment)).toEqual(all.slice(0, 11));
});

test('an impossible limit removes everything it may, ends, and says what is lacking', () => {
  const all = minutesOf('a', 20);
  const [freeBytes, reserveBytes] = [0, 10 ** 15];
  const place = {
    ...{ name: 'journal', freeBytes, reserveBytes, unstoredReserveBytes: reserveBytes },
    locations: ['stored'] as const,
  };

  const { removals, shortBytes } = plan(all, { places: [place] });

  expect(removals).toHaveLength(20);
  expect(shortBytes['disk-full']).toBe(10 ** 15 - 20 * megabyte);
});

test('a long plan is cut off and says so', () => {
  const all = minutesOf('a', 300);

  const cut = plan(all, { streams: [streamOf('a', all, { retentionHours: 0 })], removalsMax: 50 });

  expect(cut.removals.map(({ segment }) => segment)).toEqual(all.slice(0, 50));
  expect(cut.isCutOff).toBe(true);
});

test('reserve grows with open files and with the disk, up to a bound', () => {
  expect(reserveBytesOf({ totalBytes: 100 * megabyte, openFiles: 1 })).toBe(limits.segmentBytes + 2 * megabyte);
  expect(reserveBytesOf({ totalBytes: 10 ** 15, openFiles: 0 })).toBe(limits.diskReserveBytesMax);
});

test('whatever the input: no hold is broken, nothing goes twice, and limits are kept or their lack is told', () => {
  const candidates = fc.array(
    fc.record({
      stream: fc.constantFrom('a', 'b', 'c'),
      ageMinutes: fc.integer({ min: 0, max: 300 }),
      size: fc.integer({ min: 1, max: 90 }),
    }),
    { maxLength: 60 },
  );
  const holds = fc.array(
    fc.record({
      stream: fc.constantFrom('a', 'b', undefined),
      from: fc.integer({ min: 0, max: 300 }),
      minutes: fc.integer({ min: 1, max: 100 }),
    }),
    {
      maxLength: 3,
    },
  );
  fc.assert(
    fc.property(
      candidates,
      holds,
      fc.integer({ min: 0, max: 2_000 }),
      fc.integer({ min: 0, max: 5 }),
      (raw, rawHolds, totalMax, retentionHours) => {
        const all = raw.map(
          ({ stream, ageMinutes, size }, i): Candidate => ({
            segmentId: i,
            streamId: stream,
            beginServerMs: now - (ageMinutes + 1) * minute,
            endServerMs: now - ageMinutes * minute,
            byteLength: size,
            location: 'stored',
            recordingClass: 'continuous',
            recordingMode: 'continuous',
          }),
        );
        const active = rawHolds.map(({ stream, from, minutes }) =>
          hold({ streamId: stream, beginMs: now - from * minute, endMs: now - (from - minutes) * minute }),
        );
        const streams = ['a', 'b', 'c'].map((id) => streamOf(id, all, { retentionHours }));

        const { removals, shortBytes } = plan(all, { streams, holds: active, bytesMax: totalMax });

        const ids = removals.map(({ segment }) => segment.segmentId);
        expect(new Set(ids).size).toBe(ids.length);
        const isHeld = (each: Candidate) =>
          active.some(
            (h) =>
              (h.streamId ?? each.streamId) === each.streamId &&
              each.endServerMs > h.beginMs &&
              each.beginServerMs < (h.endMs ?? 0),
          );
        expect(removals.filter(({ segment }) => isHeld(segment))).toEqual([]);
        const left = all.filter((each) => !ids.includes(each.segmentId));
        expect(left.filter((each) => each.endServerMs <= now - retentionHours * hour && !isHeld(each))).toEqual([]);
        const leftBytes = left.reduce((sum, each) => sum + each.byteLength, 0);
        expect(leftBytes - (shortBytes['total-bytes'] ?? 0)).toBeLessThanOrEqual(totalMax);
      },
    ),
  );
});

test('a full store loses what it has itself, whatever is older elsewhere, and nothing of which nobody knows where it is', () => {
  // Older than what may still be marked.
  const all = minutesOf('a', 30).map((each) => ({
    ...each,
    beginServerMs: each.beginServerMs - 24 * hour,
    endServerMs: each.endServerMs - 24 * hour,
  }));
  const storeOf = ({ segmentId }: Candidate) => {
    const i = all.findIndex((each) => each.segmentId === segmentId);
    return i < 5 ? 'hdd' : i < 8 ? undefined : 'ssd';
  };
  const place = { reserveBytes: 3 * megabyte, unstoredReserveBytes: 0, freeBytes: 0, locations: ['stored'] as const };
  const ssd = { ...place, name: 'ssd', stores: ['ssd'], isOnTheWay: true };
  const hdd = { ...place, name: 'hdd', stores: ['hdd'], isOnTheWay: false };
  const held = [hold({ streamId: 'a', beginMs: all[8]?.beginServerMs ?? 0, endMs: all[9]?.endServerMs ?? 0 })];
  const event = all.map((each, i) => (i === 10 ? { ...each, recordingClass: 'event' as const } : each));

  const removedFor = (places: QuotaInput['places'], candidates = all) =>
    plan(candidates, { places, holds: held }, storeOf).removals.map(({ segment }) => segment.segmentId);

  const ids = all.map(({ segmentId }) => segmentId);
  expect(removedFor([ssd])).toEqual(ids.slice(10, 13));
  expect(removedFor([ssd], event)).toEqual(ids.slice(11, 14));
  expect(removedFor([hdd])).toEqual(ids.slice(0, 3));
  expect(removedFor([ssd, hdd])).toEqual([...ids.slice(10, 13), ...ids.slice(0, 3)]);
});

test('where only footage that is stored nowhere gives room, no stored row is looked at', () => {
  const all = ['a', 'b'].flatMap((streamId) =>
    minutesOf(streamId, 300, { location: 'local' }).map(
      (each, i): Candidate => ({ ...each, recordingClass: i % 3 === 0 ? 'event' : 'continuous' }),
    ),
  );
  const byBegin = all.toSorted((a, b) => a.beginServerMs - b.beginServerMs || a.segmentId - b.segmentId);
  const place = { name: 'journal', freeBytes: 0, reserveBytes: 900 * megabyte, unstoredReserveBytes: 350 * megabyte };
  const hold = { holdId: 'h', streamId: 'b', beginMs: now - 300 * minute, endMs: now - 200 * minute } as Hold;

  const { removals, shortBytes } = planRemovals<Candidate>(
    {
      ...{ nowMs: now, isClockTrusted: true, holds: [hold], bytesMax: undefined, removalsMax: 1_000 },
      ...{ localBytes: 600 * megabyte, localBytesMax: 500 * megabyte },
      streams: [streamOf('a', all), streamOf('b', all)],
      places: [{ ...place, locations: ['local'] }],
    },
    () => {
      throw new Error('rows of all footage are walked');
    },
    { oldestUnstored: (after) => byBegin.slice(after === undefined ? 0 : byBegin.indexOf(after) + 1).slice(0, 7) },
  );

  // What no event marks goes first, but for its newest hour; of 600 minutes 100 are under hold.
  const unmarked = byBegin.filter(
    (each) => each.recordingClass === 'continuous' && each.beginServerMs < now - limits.unmarkedSpareMs,
  );
  const isHeld = (each: Candidate) => each.streamId === 'b' && each.beginServerMs < now - 200 * minute;
  const first = unmarked.filter((each) => !isHeld(each));
  const rest = byBegin.filter((each) => !isHeld(each) && !first.includes(each));
  expect(removals.map(({ segment }) => segment)).toEqual([...first, ...rest].slice(0, 350));
  expect(removals[0]?.reason).toBe('local-bytes');
  expect(removals.at(-1)?.reason).toBe('disk-full');
  expect(shortBytes).toEqual({});
});
