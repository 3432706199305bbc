/**
 * Which seconds are missing, and why: what was wanted, less what is covered, with the reasons of the timeline. Pure. Together
 * with the coverage its result leaves no second out, but for joints of up to `limits.gapToleranceMs`.
 */

import type { NewGap, Span } from '../index/index.ts';
import { limits } from '../model/limits.ts';
import type { Missing, Stretch } from './ledger-timeline.ts';

export type GapInput = {
  readonly stretches: readonly Stretch[];
  /** Spans of fragments that were taken in, and of footage that was removed later; in any order. */
  readonly footage: readonly Span[];
  /** Spans inside of runs that have rows of their own; in any order. They say nothing of how far a run was taken in. */
  readonly losses: readonly Span[];
  /** Nothing before it is asked for; a gap that began earlier begins here. */
  readonly fromMs: number;
};

type Piece = {
  readonly beginMs: number;
  readonly endMs: number;
  readonly why: Missing;
  readonly runId: string | undefined;
};

/** Gap rows from `fromMs` on, in order; only the last may be open. */
export function gapsOf(input: GapInput): NewGap[] {
  const pieces = missingRegions(input).flatMap((region) => piecesOf(region, input.stretches));
  return merged(pieces).map(({ beginMs, endMs, why, runId }) => ({
    beginMs,
    endMs: endMs === Number.POSITIVE_INFINITY ? undefined : endMs,
    reason: why.reason,
    detail: why.detail,
    runId,
    origin: 'ledger',
  }));
}

/** Spans without those of another list. @param spans  in order, not touching */
export function without(spans: readonly Span[], taken: Iterable<Span>): Span[] {
  const sorted = [...taken].sort((a, b) => a.beginMs - b.beginMs);
  return spans.flatMap((span) => {
    const left: Span[] = [];
    let atMs = span.beginMs;
    for (const { beginMs, endMs } of sorted) {
      if (beginMs >= span.endMs) break;
      if (endMs <= atMs) continue;
      if (beginMs > atMs) left.push({ beginMs: atMs, endMs: beginMs });
      atMs = endMs;
    }
    if (atMs < span.endMs) left.push({ beginMs: atMs, endMs: span.endMs });
    return left;
  });
}

/** Spans that were wanted and are not covered, longer than a joint may be. */
function missingRegions({ stretches, footage, losses, fromMs }: GapInput): Span[] {
  const wanted: { beginMs: number; endMs: number }[] = [];
  for (const stretch of stretches) {
    const beginMs = Math.max(fromMs, stretch.beginMs);
    const endMs = stretch.endMs ?? Number.POSITIVE_INFINITY;
    if (stretch.kind === 'unwanted' || endMs <= beginMs) continue;
    const last = wanted.at(-1);
    if (last?.endMs === beginMs) last.endMs = endMs;
    else wanted.push({ beginMs, endMs });
  }
  return without(wanted, [...footage, ...losses, ...stillOpen(stretches, footage)]).filter(
    ({ beginMs, endMs }) => endMs - beginMs > limits.gapToleranceMs,
  );
}

/** What the run in progress has recorded since its newest finished file lies in an open one: nothing is missing yet. */
function stillOpen(stretches: readonly Stretch[], footage: readonly Span[]): Span[] {
  const last = stretches.at(-1);
  if (last?.kind !== 'recording' || last.endMs !== undefined) return [];
  const takenInMs = footage.reduce((latest, span) => Math.max(latest, span.endMs), last.beginMs);
  return [{ beginMs: takenInMs, endMs: Number.POSITIVE_INFINITY }];
}

function piecesOf(region: Span, stretches: readonly Stretch[]): Piece[] {
  return stretches.flatMap((stretch, i): Piece[] => {
    const stretchEndMs = stretch.endMs ?? Number.POSITIVE_INFINITY;
    const beginMs = Math.max(region.beginMs, stretch.beginMs);
    const endMs = Math.min(region.endMs, stretchEndMs);
    if (endMs <= beginMs || stretch.kind === 'unwanted') return [];
    if (stretch.kind === 'missing') return [{ beginMs, endMs, why: stretch, runId: undefined }];
    if (endMs === stretchEndMs) {
      return stretch.end === undefined ? [] : [{ beginMs, endMs, why: stretch.end, runId: stretch.runId }];
    }
    const before = stretches[i - 1];
    if (beginMs === stretch.beginMs) {
      const why: Missing = before?.kind === 'missing' ? before : { reason: 'connecting' };
      return [{ beginMs, endMs, why, runId: undefined }];
    }
    return [{ beginMs, endMs, why: { reason: 'data-lost' }, runId: stretch.runId }];
  });
}

/** Neighbours of one reason are one gap. */
function merged(pieces: readonly Piece[]): Piece[] {
  const result: Piece[] = [];
  for (const piece of pieces) {
    const last = result.at(-1);
    const isSame =
      last?.endMs === piece.beginMs && last.why.reason === piece.why.reason && last.why.detail === piece.why.detail;
    if (isSame && last !== undefined) result[result.length - 1] = { ...last, endMs: piece.endMs };
    else result.push(piece);
  }
  return result;
}
