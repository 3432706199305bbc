import { expect, test } from 'vitest';
import type { RecordingMode, ScheduleSpan } from '../../../storage/model/camera.ts';
import { keptMsAt, modesWithin, strongestMode } from '../../../storage/model/kept-mode.ts';

const at = (text: string) => Date.parse(text);
const hour = 3_600_000;

/** Nights from 22 to 6 in Berlin are recorded, Monday's office hours keep events, the rest is live. */
const policy = {
  mode: 'live' as RecordingMode,
  retentionHours: 24,
  preRollMinutes: 5,
  schedule: {
    timeZone: 'Europe/Berlin',
    spans: [1, 2, 3, 4, 5, 6, 7].flatMap((weekday): ScheduleSpan[] => [
      { weekday: weekday as ScheduleSpan['weekday'], beginMinute: 22 * 60, endMinute: 1_440, mode: 'continuous' },
      { weekday: weekday as ScheduleSpan['weekday'], beginMinute: 0, endMinute: 6 * 60, mode: 'continuous' },
      ...(weekday === 1 ? [{ weekday, beginMinute: 480, endMinute: 600, mode: 'events' } as const] : []),
    ]),
  },
};

const withinOf = (begin: string, end: string) =>
  [...modesWithin(policy, { beginMs: at(begin), endMs: at(end) })].map((span) => [
    span.mode,
    (span.endMs - span.beginMs) / hour,
  ]);

test('a night goes on over midnight, and has nine hours when clocks go back and seven when they go forward', () => {
  expect(withinOf('2026-06-15T18:00Z', '2026-06-16T06:00Z')).toEqual([
    ['live', 2],
    ['continuous', 8],
    ['live', 2],
  ]);
  expect(withinOf('2026-10-24T20:00Z', '2026-10-25T06:00Z')).toEqual([
    ['continuous', 9],
    ['live', 1],
  ]);
  expect(withinOf('2026-03-28T21:00Z', '2026-03-29T05:00Z')).toEqual([
    ['continuous', 7],
    ['live', 1],
  ]);
});

test('footage over an edge goes by the mode that keeps it longer', () => {
  const over = (begin: string, end: string) => strongestMode(policy, { beginMs: at(begin), endMs: at(end) });

  expect(over('2026-06-15T19:59:30Z', '2026-06-15T20:00:00Z')).toBe('live');
  expect(over('2026-06-15T19:59:30Z', '2026-06-15T20:00:00.001Z')).toBe('continuous');
  expect(over('2026-06-15T05:59:59Z', '2026-06-15T06:00:30Z')).toBe('events');
  expect(over('2026-06-15T03:59:59Z', '2026-06-15T07:00:00Z')).toBe('continuous');
});

test('how long footage stays without an event depends on when it is from', () => {
  expect(keptMsAt(policy, at('2026-06-15T21:00Z'))).toBe(24 * hour);
  expect(keptMsAt(policy, at('2026-06-15T07:00Z'))).toBe(5 * 60_000);
  expect(keptMsAt(policy, at('2026-06-15T12:00Z'))).toBe(0);
});
