/**
 * Every second between the oldest and the newest footage of a recorded stream is in a fragment or in a gap row (5), or was
 * removed, or was not wanted. Joints of up to `limits.gapToleranceMs` are none.
 */

import type { Span } from '../../index/index.ts';
import { limits } from '../../model/limits.ts';
import type { CheckContext } from './context.ts';

/** Rows of a run's end and of the next beginning come in one tick of the keeper, but not in one transaction. */
const secondLookMs = 3_000;
/** A stream is looked at in pieces, so that a year of it is not in memory at once. */
const pieceMs = 7 * 86_400_000;

export async function checkCoverage(context: CheckContext): Promise<void> {
  for (const streamId of context.index.snapshot((queries) => queries.streams.recordedByLedger())) {
    context.signal.throwIfAborted();
    const first = holesOf(context, streamId);
    if (first.length === 0) continue;
    await context.clock.sleep(secondLookMs, context.signal);
    const second = holesOf(context, streamId);
    for (const hole of second) {
      if (!first.some((each) => each.beginMs === hole.beginMs)) continue;
      context.find({
        invariant: 5,
        severity: 'alarm',
        what: `${((hole.endMs - hole.beginMs) / 1_000).toFixed(1)} s are neither in a fragment nor in a gap row, from ${new Date(hole.beginMs).toISOString()}`,
        where: `stream ${streamId}`,
        hint: 'Rows were removed by hand, or the keeper was ended in mid-work: start it once and check again.',
      });
    }
  }
}

/**
 * Spans between the oldest recording and the newest one that nothing accounts for. The newest is that with the highest number:
 * footage that is dated later was recorded before the clock was set back.
 */
function holesOf({ index }: CheckContext, streamId: string): Span[] {
  return index.snapshot(({ segments, streams, gaps }) => {
    const holes: Span[] = [];
    // Nothing is known of the time before the first recording; footage may have been brought in from there.
    const oldestMs = segments.oldestRecorded(streamId)?.beginServerMs;
    const newestMs = segments.latestRecorded(streamId)?.endServerMs;
    if (oldestMs === undefined || newestMs === undefined) return [];
    let coveredMs = oldestMs;
    for (let beginMs = oldestMs; beginMs < newestMs; beginMs += pieceMs) {
      const piece = { beginMs, endMs: Math.min(beginMs + pieceMs, newestMs) };
      const spans = [
        ...[...streams.intervals(streamId, piece, limits.segmentDurationMsMax)].map(([begin, end]) => ({
          beginMs: begin,
          endMs: end,
        })),
        ...gaps.between(streamId, piece, Number.MAX_SAFE_INTEGER),
        ...gaps.pausesBetween(streamId, piece, Number.MAX_SAFE_INTEGER),
        ...streams.removals(streamId, piece, limits.indexRowsMax),
      ].sort((a, b) => a.beginMs - b.beginMs);
      for (const span of spans) {
        if (span.beginMs - coveredMs > limits.gapToleranceMs) holes.push({ beginMs: coveredMs, endMs: span.beginMs });
        coveredMs = Math.max(coveredMs, span.endMs ?? Number.POSITIVE_INFINITY);
      }
    }
    return holes;
  });
}
