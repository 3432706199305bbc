/**
 * The timeline that people see: what was recorded and what is missing, at the resolution of their screen. Pure: rows of the
 * index in, spans out. What is narrower than the resolution is merged away, except that nothing recorded ever disappears.
 */

import type { GapReason } from '../../storage/model/run.ts';
import type { TimeRange } from './fragment-source.ts';

/** A row of the gap ledger. */
export type TimelineGap = TimeRange & { readonly reason: GapReason; readonly detail?: string };

export type TimelineInput = {
  /** Recorded intervals in any order; they may touch and overlap. */
  readonly recorded: readonly TimeRange[];
  readonly gaps: readonly TimelineGap[];
  readonly range: TimeRange;
  /** Two spans closer than this become one: milliseconds a pixel is a good value. 0 merges only what touches. */
  readonly resolutionMs: number;
};

/** A gap as shown: neighbours within the resolution are one, with the longest one's reason first. */
export type ShownGap = TimeRange & {
  readonly reason: GapReason;
  readonly detail: string | undefined;
  /** All reasons inside, the one with most time first. */
  readonly reasons: readonly GapReason[];
  /** How much of it was really missing, milliseconds. */
  readonly missingMs: number;
};

export type Timeline = {
  readonly spans: readonly TimeRange[];
  readonly gaps: readonly ShownGap[];
  /** Milliseconds of the range that are recorded, before merging. */
  readonly recordedMs: number;
  /** Milliseconds of the range that should have been recorded and are not, before merging. */
  readonly missingMs: number;
};

/** Fragment times are rounded to milliseconds and slewed: ends and beginnings this close touch. */
const touchingMs = 250;

/**
 * Merges recorded intervals and gaps of a range for showing.
 *
 * @returns  spans and gaps in order, cut to the range; spans never overlap spans, gaps never gaps
 */
export function timelineOf(input: TimelineInput): Timeline {
  const { range, resolutionMs } = input;
  const exact = mergedRanges(cut(input.recorded, range), touchingMs);
  const gaps = cut(input.gaps, range);
  return {
    spans: mergedRanges(exact, Math.max(resolutionMs, touchingMs)),
    gaps: mergedGaps(gaps, resolutionMs),
    recordedMs: lengthOf(exact),
    missingMs: lengthOf(mergedRanges(gaps, 0)),
  };
}

/** Intervals in order, where those at most `apartMs` from each other are one. */
export function mergedRanges(ranges: readonly TimeRange[], apartMs: number): TimeRange[] {
  const merged: { beginMs: number; endMs: number }[] = [];
  for (const range of inOrder(ranges)) {
    const last = merged.at(-1);
    if (last !== undefined && range.beginMs - last.endMs <= apartMs) last.endMs = Math.max(last.endMs, range.endMs);
    else merged.push({ beginMs: range.beginMs, endMs: range.endMs });
  }
  return merged;
}

function mergedGaps(gaps: readonly TimelineGap[], apartMs: number): ShownGap[] {
  const groups: TimelineGap[][] = [];
  let groupEndMs = Number.NEGATIVE_INFINITY;
  for (const gap of inOrder(gaps)) {
    const group = groups.at(-1);
    if (group !== undefined && gap.beginMs - groupEndMs <= apartMs) group.push(gap);
    else groups.push([gap]);
    groupEndMs = Math.max(groupEndMs, gap.endMs);
  }
  return groups.map(shownGap);
}

function shownGap(group: readonly TimelineGap[]): ShownGap {
  const byReason = new Map<GapReason, { totalMs: number; longest: TimelineGap }>();
  for (const gap of group) {
    const known = byReason.get(gap.reason);
    const totalMs = (known?.totalMs ?? 0) + gap.endMs - gap.beginMs;
    const isLonger = known === undefined || gap.endMs - gap.beginMs > known.longest.endMs - known.longest.beginMs;
    byReason.set(gap.reason, { totalMs, longest: isLonger ? gap : known.longest });
  }
  const ranked = [...byReason.entries()].sort(([, a], [, b]) => b.totalMs - a.totalMs);
  const merged = mergedRanges(group, 0);
  return {
    beginMs: merged[0]?.beginMs ?? 0,
    endMs: merged.at(-1)?.endMs ?? 0,
    reason: ranked[0]?.[0] ?? 'data-lost',
    detail: ranked[0]?.[1].longest.detail,
    reasons: ranked.map(([reason]) => reason),
    missingMs: lengthOf(merged),
  };
}

function inOrder<T extends TimeRange>(ranges: readonly T[]): T[] {
  return ranges.filter((range) => range.endMs > range.beginMs).sort((a, b) => a.beginMs - b.beginMs);
}

function cut<T extends TimeRange>(ranges: readonly T[], bounds: TimeRange): T[] {
  return ranges
    .filter((range) => range.endMs > bounds.beginMs && range.beginMs < bounds.endMs)
    .map((range) => ({
      ...range,
      beginMs: Math.max(range.beginMs, bounds.beginMs),
      endMs: Math.min(range.endMs, bounds.endMs),
    }));
}

function lengthOf(ranges: readonly TimeRange[]): number {
  return ranges.reduce((totalMs, range) => totalMs + range.endMs - range.beginMs, 0);
}
