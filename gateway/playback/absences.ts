/**
 * Footage that is not there, and nothing is wrong: it was removed, or it was not to be recorded. Rows of the index in, spans with
 * plain words out. Whatever is recorded stands before them: a mark never lies over footage that is still there.
 */

import { isAppError } from '../../storage/base/errors.ts';
import { type IndexQueries, type Pause, type RemovalGroup, removalReasons } from '../../storage/index/index.ts';
import { pauseReasons } from '../../storage/model/ledger.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Absence, TimeRange } from './fragment-source.ts';

export type Absences = { readonly removals: readonly Absence[]; readonly pauses: readonly Absence[] };

export type AbsenceRows = { readonly removals: readonly RemovalGroup[]; readonly pauses: readonly Pause[] };

/** What can be asked at one moment: `IndexReader` is one. */
export type AbsenceIndex = { snapshot<T>(questions: (queries: IndexQueries) => T): T };

/** Segments that follow each other leave no more than this between them. */
const touchingMs = 1_000;
/** Marks of one reason in a range: what is nearer than a part of so many is one. */
const marksMax = 6_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** How near marks of one reason are one: below the resolution, or so that a range has no more than some thousand. */
export function absenceCellMs(range: TimeRange, resolutionMs: number): number {
  return Math.max(touchingMs, resolutionMs, Math.ceil((range.endMs - range.beginMs) / marksMax));
}

/** The rows of a range. Reads at most `limits.removalRowsMax` removals, the newest, and `limits.indexRowsMax` pauses. */
export function readAbsences(queries: IndexQueries, streamId: string, range: TimeRange, cellMs: number): AbsenceRows {
  return {
    removals: queries.streams.removalGroups(streamId, range, cellMs),
    pauses: queries.gaps.pausesBetween(streamId, range, limits.indexRowsMax),
  };
}

/**
 * What to show of a range.
 *
 * @param input.recorded  in order, without overlaps, as it is shown
 * @param input.cellMs    neighbours of one reason nearer than this are one; of `absenceCellMs`
 * @returns               each in order and cut to the range; no mark lies over what is recorded, no pause over a removal
 */
export function absencesOf(input: {
  readonly rows: AbsenceRows;
  readonly recorded: readonly TimeRange[];
  readonly range: TimeRange;
  readonly cellMs: number;
  readonly nowMs: number;
}): Absences {
  const { rows, recorded, range, cellMs, nowMs } = input;
  const removed = merged(cut(rows.removals, range), {
    apartMs: cellMs,
    keyOf: ({ reason, who }) => `${reason} ${who ?? ''}`,
    join: (a, b) => ({
      ...a,
      removedMs: Math.max(a.removedMs, b.removedMs),
      ageMs: Math.min(a.ageMs, b.ageMs),
    }),
  });
  const removals = removed
    .map(removalToAbsence)
    .flatMap((absence) => pieces(absence, recorded, cellMs))
    .sort(byBegin);
  const paused = rows.pauses.map(({ beginMs, endMs = nowMs, reason }) => ({ beginMs, endMs, reason }));
  const taken = union([...recorded, ...removals]);
  const pauses = merged(cut(paused, range), {
    apartMs: cellMs,
    keyOf: ({ reason = '' }) => reason,
    join: (a) => a,
  })
    .map(pauseToAbsence)
    .flatMap((absence) => pieces(absence, taken, cellMs))
    .sort(byBegin);
  return { removals, pauses };
}

/**
 * Why a range without media has none, as far as rows tell: what was removed comes before what was not to be recorded, since it was
 * there. Undefined: nobody knows, or the index is away.
 */
export function absenceWithin(
  index: AbsenceIndex,
  options: TimeRange & { readonly streamId: string; readonly nowMs: number },
): Absence | undefined {
  const { streamId, beginMs, endMs, nowMs } = options;
  const range = { beginMs, endMs };
  const cellMs = Math.max(touchingMs, endMs - beginMs);
  try {
    const rows = index.snapshot((queries) => readAbsences(queries, streamId, range, cellMs));
    const removals = cut(rows.removals, range).map(removalToAbsence);
    const pauses = rows.pauses.map(({ beginMs, endMs = nowMs, reason }) => ({ beginMs, endMs, reason }));
    return longest(removals) ?? longest(cut(pauses, range).map(pauseToAbsence));
  } catch (error) {
    if (isAppError(error, 'unavailable')) return undefined;
    throw error;
  }
}

/** How much of each span is not there, by why. @param spans  in order, without overlaps: days */
export function absentMsByText(
  absences: readonly Absence[],
  spans: readonly TimeRange[],
): readonly Readonly<Record<string, number>>[] {
  const sums = spans.map((): Record<string, number> => ({}));
  // By absence: a year has four hundred days, and some thousand of these, of which few lie in more than one.
  for (const { beginMs, endMs, text } of absences) {
    for (let at = firstEndingAfter(spans, beginMs); at < spans.length; at++) {
      const [span, sum] = [spans[at], sums[at]];
      if (span === undefined || sum === undefined || span.beginMs >= endMs) break;
      const absentMs = Math.min(endMs, span.endMs) - Math.max(beginMs, span.beginMs);
      if (absentMs > 0) sum[text] = (sum[text] ?? 0) + absentMs;
    }
  }
  return sums;
}

/** One sentence for an error: what is so, without a period. Names of persons are for the timeline. */
export function absenceText({ kind, reason, text }: Absence): string {
  if (kind === 'paused') return `nothing was recorded at that time: ${text}`;
  return reason === 'request'
    ? 'the footage of that time was removed on request'
    : `the footage of that time was ${text}`;
}

function removalToAbsence({ beginMs, endMs, reason, who, removedMs, ageMs }: RemovalGroup): Absence {
  return { beginMs, endMs, kind: 'removed', reason, removedMs, text: removalText({ reason, who, ageMs }) };
}

function removalText({ reason, who, ageMs }: Pick<RemovalGroup, 'reason' | 'who' | 'ageMs'>): string {
  if (reason === 'request') return who === undefined ? 'removed on request' : `removed on request by ${who}`;
  const age = ageText(ageMs);
  if (reason === 'age' && age !== undefined) return `removed: older than ${age}`;
  return `removed: ${removalReasons[reason]}`;
}

/** In whole days or hours, as retention is set; undefined of less than an hour, and of a clock that was wrong. */
function ageText(ageMs: number): string | undefined {
  if (ageMs >= 2 * dayMs) return `${Math.floor(ageMs / dayMs)} days`;
  const hours = Math.floor(ageMs / hourMs);
  return hours < 1 ? undefined : `${hours} hour${hours === 1 ? '' : 's'}`;
}

function pauseToAbsence({ beginMs, endMs, reason }: TimeRange & Pick<Pause, 'reason'>): Absence {
  const text = reason === undefined ? 'not to be recorded then' : pauseReasons[reason];
  return { beginMs, endMs, kind: 'paused', reason: reason ?? 'unknown', removedMs: undefined, text };
}

function longest(absences: readonly Absence[]): Absence | undefined {
  return absences.toSorted((a, b) => b.endMs - b.beginMs - (a.endMs - a.beginMs))[0];
}

function merged<T extends TimeRange>(
  spans: readonly T[],
  how: {
    readonly apartMs: number;
    readonly keyOf: (span: T) => string;
    readonly join: (before: T, next: T) => T;
  },
): T[] {
  const done: T[] = [];
  const growing = new Map<string, T>();
  for (const span of spans.toSorted(byBegin)) {
    const key = how.keyOf(span);
    const before = growing.get(key);
    if (before !== undefined && span.beginMs - before.endMs <= how.apartMs) {
      growing.set(key, { ...how.join(before, span), endMs: Math.max(before.endMs, span.endMs) });
      continue;
    }
    if (before !== undefined) done.push(before);
    growing.set(key, span);
  }
  return [...done, ...growing.values()];
}

/** What is left of a mark beside the spans, which are in order and apart. Narrower pieces than `narrowMs` are rounding. */
function pieces(absence: Absence, taken: readonly TimeRange[], narrowMs: number): Absence[] {
  const left: Absence[] = [];
  let fromMs = absence.beginMs;
  const keep = (endMs: number) => {
    // A short removal in the middle of nothing is shown; a sliver beside footage is not.
    const isWhole = fromMs === absence.beginMs && endMs === absence.endMs;
    if (endMs - fromMs >= narrowMs || (isWhole && endMs > fromMs)) left.push({ ...absence, beginMs: fromMs, endMs });
  };
  for (let at = firstEndingAfter(taken, fromMs); at < taken.length; at++) {
    const span = taken[at];
    if (span === undefined || span.beginMs >= absence.endMs) break;
    keep(Math.min(span.beginMs, absence.endMs));
    fromMs = Math.max(fromMs, span.endMs);
  }
  keep(absence.endMs);
  return left;
}

/** By halves: a year has some thousand spans, and as many marks. */
function firstEndingAfter(spans: readonly TimeRange[], atMs: number): number {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((spans[middle]?.endMs ?? 0) > atMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

function union(spans: readonly TimeRange[]): TimeRange[] {
  return merged(spans, { apartMs: 0, keyOf: () => '', join: (a) => a });
}

function cut<T extends TimeRange>(spans: readonly T[], { beginMs, endMs }: TimeRange): T[] {
  return spans
    .map((span) => ({ ...span, beginMs: Math.max(span.beginMs, beginMs), endMs: Math.min(span.endMs, endMs) }))
    .filter((span) => span.endMs > span.beginMs);
}

function byBegin(a: TimeRange, b: TimeRange): number {
  return a.beginMs - b.beginMs;
}
