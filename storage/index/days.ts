/**
 * Calendar days of an IANA time zone as spans of UTC: 23, 24 or 25 hours, or none where a zone skipped a day. `Intl` knows the
 * zones; a day begins at the first moment whose local date is that day, so a midnight that does not exist is no special case.
 */

import { appError } from '../base/errors.ts';
import type { Span } from './stored-segment.ts';

/** A calendar day: `yyyy-mm-dd`. */
export type Day = string;

const dayMs = 86_400_000;
/** Zones lie between UTC-12 and UTC+14. */
const offsetMsMax = 15 * 3_600_000;

export class Calendar {
  readonly #format: Intl.DateTimeFormat;

  /** @throws AppError invalid_argument  no such time zone */
  constructor(timeZone: string) {
    try {
      this.#format = new Intl.DateTimeFormat('en-CA', {
        timeZone,
        calendar: 'iso8601',
        numberingSystem: 'latn',
        year: 'numeric',
        month: '2-digit',
        day: '2-digit',
      });
    } catch (cause) {
      throw appError('invalid_argument', 'no such time zone', {
        timeZone: timeZone.slice(0, 60),
        hint: 'Use a name of the IANA list, such as Europe/Berlin.',
        cause,
      });
    }
  }

  /** The local date of a moment. */
  dayOf(atMs: number): Day {
    const parts = this.#format.formatToParts(atMs);
    const part = (wanted: string) => parts.find(({ type }) => type === wanted)?.value;
    return `${part('year')}-${part('month')}-${part('day')}`;
  }

  /** When the day begins and ends. @throws AppError invalid_argument  no such date */
  spanOf(day: Day): Span {
    return { beginMs: this.#beginOf(day), endMs: this.#beginOf(nextDay(day)) };
  }

  /** All days that overlap a span, in order. */
  daysWithin(span: Span): { readonly day: Day; readonly span: Span }[] {
    const days: { day: Day; span: Span }[] = [];
    let day = this.dayOf(span.beginMs);
    for (let beginMs = this.#beginOf(day); beginMs < span.endMs; day = nextDay(day)) {
      const endMs = this.#beginOf(nextDay(day));
      if (endMs > beginMs) days.push({ day, span: { beginMs, endMs } });
      beginMs = endMs;
    }
    return days;
  }

  #beginOf(day: Day): number {
    const utcMs = parseDay(day);
    let before = utcMs - offsetMsMax;
    let after = utcMs + offsetMsMax;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.dayOf(middle) >= day) after = middle;
      else before = middle;
    }
    return after;
  }
}

/** @throws AppError invalid_argument  not a date */
function parseDay(day: Day): number {
  const utcMs = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  if (!Number.isFinite(utcMs) || new Date(utcMs).toISOString().slice(0, 10) !== day) {
    throw appError('invalid_argument', 'no such date', { day: day.slice(0, 20), hint: 'Write it as 2026-01-31.' });
  }
  return utcMs;
}

function nextDay(day: Day): Day {
  return new Date(parseDay(day) + dayMs).toISOString().slice(0, 10);
}
