/** How much of each day was recorded: pure arithmetic over sorted intervals. */

import type { GapReason } from '../model/run.ts';
import type { Day } from './days.ts';
import type { Gap, Span } from './stored-segment.ts';

export type DayCompleteness = {
  readonly day: Day;
  readonly beginMs: number;
  readonly endMs: number;
  /** Time that is in a fragment and in no gap. */
  readonly recordedMs: number;
  /** Time that should have been recorded and was not; an open gap counts up to now. */
  readonly missingMs: number;
  readonly missingMsByReason: Readonly<Partial<Record<GapReason, number>>>;
  /** recorded / (recorded + missing), or undefined when nothing was wanted that day. */
  readonly completeness: number | undefined;
};

/**
 * @param days       spans in order that don't overlap
 * @param recorded   begin and end of segments, by begin; they may touch or overlap
 * @param gaps       by begin; they may overlap each other and, inside a run, segments
 * @param nowMs      where an open gap ends for now
 */
export function completenessOf(
  days: readonly { readonly day: Day; readonly span: Span }[],
  recorded: Iterable<readonly [number, number]>,
  gaps: readonly Gap[],
  nowMs: number,
): DayCompleteness[] {
  const missing = gaps.map((gap) => ({ beginMs: gap.beginMs, endMs: gap.endMs ?? nowMs, reason: gap.reason }));
  const covered = union([...recorded].map(([beginMs, endMs]) => ({ beginMs, endMs })));
  const lost = union(missing);
  return days.map(({ day, span }) => {
    const byReason: Partial<Record<GapReason, number>> = {};
    for (const gap of missing) {
      const ms = overlapMs(gap, span);
      if (ms > 0) byReason[gap.reason] = (byReason[gap.reason] ?? 0) + ms;
    }
    const missingMs = totalOverlapMs(lost, span);
    const recordedMs = totalOverlapMs(covered, span) - overlapOfBoth(covered, lost, span);
    const wantedMs = recordedMs + missingMs;
    return {
      day,
      ...span,
      recordedMs,
      missingMs,
      missingMsByReason: byReason,
      completeness: wantedMs === 0 ? undefined : recordedMs / wantedMs,
    };
  });
}

/** The same time as spans that don't touch, in order. @param spans  by begin */
export function union(spans: Iterable<Span>): Span[] {
  const result: { beginMs: number; endMs: number }[] = [];
  for (const { beginMs, endMs } of spans) {
    const last = result.at(-1);
    if (last !== undefined && beginMs <= last.endMs) last.endMs = Math.max(last.endMs, endMs);
    else result.push({ beginMs, endMs });
  }
  return result;
}

function overlapMs(a: Span, b: Span): number {
  return Math.max(0, Math.min(a.endMs, b.endMs) - Math.max(a.beginMs, b.beginMs));
}

function totalOverlapMs(spans: readonly Span[], within: Span): number {
  let totalMs = 0;
  for (let i = firstEndingAfter(spans, within.beginMs); i < spans.length; i++) {
    const span = spans[i];
    if (span === undefined || span.beginMs >= within.endMs) break;
    totalMs += overlapMs(span, within);
  }
  return totalMs;
}

function overlapOfBoth(covered: readonly Span[], lost: readonly Span[], within: Span): number {
  let totalMs = 0;
  for (let i = firstEndingAfter(lost, within.beginMs); i < lost.length; i++) {
    const gap = lost[i];
    if (gap === undefined || gap.beginMs >= within.endMs) break;
    totalMs += totalOverlapMs(covered, {
      beginMs: Math.max(gap.beginMs, within.beginMs),
      endMs: Math.min(gap.endMs, within.endMs),
    });
  }
  return totalMs;
}

function firstEndingAfter(spans: readonly Span[], atMs: number): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((spans[middle]?.endMs ?? Number.POSITIVE_INFINITY) > atMs) high = middle;
    else low = middle + 1;
  }
  return low;
}
