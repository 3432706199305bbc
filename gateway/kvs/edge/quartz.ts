/**
 * Schedules of edge agents as schedules of ours: a Quartz cron expression begins a job, which lasts so many seconds; ours are spans
 * of a week, to the minute. Pure. A span begins with the minute in which its job does and ends with the one in which it ends, so
 * that never a second less is recorded. What no week repeats (days of a month, months, years) cannot be mapped.
 */

import type { EdgeSchedule } from '../../../storage/catalog/index.ts';
import type { ScheduleSpan } from '../../../storage/model/camera.ts';
import { limits } from '../../../storage/model/limits.ts';

export type MappedSchedule =
  | { readonly kind: 'spans'; readonly spans: readonly ScheduleSpan[] }
  /** It is a schedule, yet none of a week. */
  | { readonly kind: 'unmappable'; readonly reason: string };

const dayMinutes = 24 * 60;
const weekMinutes = 7 * dayMinutes;
const weekdayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** Undefined: it is no Quartz cron expression. */
export function mapSchedule({ expression, durationS }: EdgeSchedule): MappedSchedule | undefined {
  const fields = expression.trim().toUpperCase().split(/\s+/);
  const [seconds = '', minutes = '', hours = '', dayOfMonth = '', month = '', dayOfWeek = '', year = '*'] = fields;
  if (fields.length < 6 || fields.length > 7) return undefined;
  // Quartz: one of the two fields of days says nothing.
  if (!isForm(dayOfMonth, 'day') || !isForm(month, 'month') || !isForm(dayOfWeek, 'day') || !isForm(year, 'year')) {
    return undefined;
  }
  if (dayOfMonth === '?' && dayOfWeek === '?') return undefined;
  const at = { seconds: valuesOf(seconds, 0, 59), minutes: valuesOf(minutes, 0, 59), hours: valuesOf(hours, 0, 23) };
  if (at.seconds === undefined || at.minutes === undefined || at.hours === undefined) return undefined;
  for (const [field, what] of [
    [dayOfMonth, 'days of the month'],
    [month, 'months'],
    [year, 'years'],
  ] as const) {
    if (field !== '*' && field !== '?')
      return { kind: 'unmappable', reason: `it names ${what}, and schedules here are of a week` };
  }
  if (/[L#]/.test(dayOfWeek))
    return { kind: 'unmappable', reason: 'it counts days of a month, and schedules here are of a week' };
  const weekdays =
    dayOfWeek === '*' || dayOfWeek === '?' ? weekdayNames.map((_, day) => day + 1) : weekdaysOf(dayOfWeek);
  if (weekdays === undefined) return undefined;

  const minutesOfWeek = new Uint8Array(weekMinutes);
  for (const weekday of weekdays) {
    // Quartz counts from Sunday, ISO 8601 from Monday.
    const dayBegin = ((weekday + 5) % 7) * dayMinutes;
    for (const hour of at.hours) {
      for (const minute of at.minutes) {
        mark(minutesOfWeek, dayBegin + hour * 60 + minute, { seconds: at.seconds, durationS });
      }
    }
  }
  const spans = spansOf(minutesOfWeek);
  if (spans.length > limits.scheduleSpansMax) {
    const reason = `it comes to ${spans.length} spans of a week, and ${limits.scheduleSpansMax} are the most`;
    return { kind: 'unmappable', reason };
  }
  return { kind: 'spans', spans };
}

/** Marks the minutes of jobs that begin in this minute. An hour is the longest job, so the week goes round once at most. */
function mark(
  minutesOfWeek: Uint8Array,
  begin: number,
  { seconds, durationS }: { readonly seconds: readonly number[]; readonly durationS: number },
): void {
  const end = begin + Math.ceil((Math.max(...seconds) + durationS) / 60);
  for (let minute = begin; minute < end; minute++) minutesOfWeek[minute % weekMinutes] = 1;
}

function spansOf(minutesOfWeek: Uint8Array): ScheduleSpan[] {
  const spans: ScheduleSpan[] = [];
  for (const weekday of [1, 2, 3, 4, 5, 6, 7] as const) {
    const day = minutesOfWeek.subarray((weekday - 1) * dayMinutes, weekday * dayMinutes);
    for (let beginMinute = day.indexOf(1); beginMinute >= 0; ) {
      const off = day.indexOf(0, beginMinute);
      const endMinute = off < 0 ? dayMinutes : off;
      spans.push({ weekday, beginMinute, endMinute, mode: 'continuous' });
      beginMinute = off < 0 ? -1 : day.indexOf(1, off);
    }
  }
  return spans;
}

function weekdaysOf(field: string): readonly number[] | undefined {
  const numbered = field.replace(/[A-Z]{3}/g, (name) => {
    const day = weekdayNames.indexOf(name);
    return day < 0 ? name : String(day + 1);
  });
  return valuesOf(numbered, 1, 7);
}

/** Lists of numbers, ranges and steps: `*`, `5`, `1-5`, `10/15`, `1-31/2`. A range may go round, as from Friday to Monday. */
function valuesOf(field: string, min: number, max: number): readonly number[] | undefined {
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const match = /^(?:(\*)|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part);
    if (match === null) return undefined;
    const [, star, firstText, lastText, stepText] = match;
    const first = star === undefined ? Number(firstText) : min;
    // A single number with a step goes on to the end.
    const last = lastText !== undefined ? Number(lastText) : star !== undefined || stepText !== undefined ? max : first;
    const step = stepText === undefined ? 1 : Number(stepText);
    if (first < min || first > max || last < min || last > max || step < 1) return undefined;
    const end = last < first ? last + max - min + 1 : last;
    for (let value = first; value <= end; value += step) values.add(value > max ? value - (max - min + 1) : value);
  }
  return [...values];
}

/** Whether a field of days, months or years could be one: those that no week has are told from nonsense. */
function isForm(field: string, kind: 'day' | 'month' | 'year'): boolean {
  if (kind === 'day') return /^(\?|[*0-9A-Z][-0-9A-Z,/#*]*)$/.test(field) && field.length <= 64;
  return /^[*0-9A-Z][-0-9A-Z,/*]*$/.test(field) && field.length <= 64;
}
