/**
 * Which recording mode holds at an instant. Wall-clock minutes decide, so a clock change needs no rule of its own: the walk to the
 * next change stops at every span's edge, every midnight and every step of the zone's offset. Pure; a schedule with a few spans
 * takes below a millisecond, so callers keep the answer until `untilMs`.
 */

import type { RecordingMode, RecordingPolicy, ScheduleSpan, WeeklySchedule } from './camera.ts';

const minuteMs = 60_000;
const dayMinutes = 1_440;
/** A week, and another one in which a clock change skipped the only span. */
const lookAheadMs = 15 * 86_400_000;

/**
 * @param wallMs  milliseconds since 1970 UTC
 * @returns       the mode then, and up to when it surely stays: its next change, or 15 days when there is none before, or
 *                infinity without a schedule
 */
export function recordingModeAt(
  policy: Pick<RecordingPolicy, 'mode' | 'schedule'>,
  wallMs: number,
): { readonly mode: RecordingMode; readonly untilMs: number } {
  const { schedule } = policy;
  if (schedule === undefined || schedule.spans.length === 0) {
    return { mode: policy.mode, untilMs: Number.POSITIVE_INFINITY };
  }
  const local = localClock(schedule.timeZone);
  const modeAt = (atMs: number) => spanAt(schedule, local(atMs))?.mode ?? policy.mode;
  const mode = modeAt(wallMs);
  const endMs = wallMs + lookAheadMs;
  let atMs = wallMs;
  while (atMs < endMs && modeAt(atMs) === mode) atMs = nextEdge(schedule, local, atMs);
  return { mode, untilMs: Math.min(atMs, endMs) };
}

/** Local time as minutes since 1970 began on a local clock, with its fraction. */
type LocalClock = (atMs: number) => number;

function localClock(timeZone: string): LocalClock {
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, calendar: 'iso8601', numberingSystem: 'latn', hourCycle: 'h23' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  return (atMs) => {
    const parts = format.formatToParts(atMs);
    const part = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((each) => each.type === type)?.value);
    const day = Date.UTC(part('year'), part('month') - 1, part('day'));
    const seconds = (part('hour') * 60 + part('minute')) * 60 + part('second');
    return day / minuteMs + seconds / 60 + (((atMs % 1_000) + 1_000) % 1_000) / minuteMs;
  };
}

function spanAt(schedule: WeeklySchedule, localMinute: number): ScheduleSpan | undefined {
  const weekday = weekdayOf(localMinute);
  const minute = minuteOfDay(localMinute);
  return schedule.spans.find(
    (span) => span.weekday === weekday && span.beginMinute <= minute && minute < span.endMinute,
  );
}

/** The next instant at which the mode may change. */
function nextEdge(schedule: WeeklySchedule, local: LocalClock, atMs: number): number {
  const now = local(atMs);
  const weekday = weekdayOf(now);
  const minute = minuteOfDay(now);
  let edge = dayMinutes;
  for (const span of schedule.spans) {
    if (span.weekday !== weekday) continue;
    for (const each of [span.beginMinute, span.endMinute]) if (each > minute && each < edge) edge = each;
  }
  const edgeMs = Math.round(atMs + (edge - minute) * minuteMs);
  const offset = offsetMs(local, atMs);
  return offsetMs(local, edgeMs) === offset ? edgeMs : offsetStep(local, atMs, edgeMs);
}

/** The first instant of another offset than that of `beforeMs`; there is one at or before `afterMs`. */
function offsetStep(local: LocalClock, beforeMs: number, afterMs: number): number {
  const offset = offsetMs(local, beforeMs);
  let before = beforeMs;
  let after = afterMs;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offsetMs(local, middle) === offset) before = middle;
    else after = middle;
  }
  return after;
}

function offsetMs(local: LocalClock, atMs: number): number {
  return Math.round(local(atMs) * minuteMs - atMs);
}

function minuteOfDay(localMinute: number): number {
  return ((localMinute % dayMinutes) + dayMinutes) % dayMinutes;
}

/** The first of January 1970 was a Thursday. */
function weekdayOf(localMinute: number): number {
  const day = Math.floor(localMinute / dayMinutes);
  return ((((day + 3) % 7) + 7) % 7) + 1;
}
