/** Writing of gap and pause rows, so that they say what the ledger does now. Called inside a transaction. */

import type { Gap, IndexChange, NewGap } from '../index/index.ts';
import { limits } from '../model/limits.ts';
import type { LedgerState, Stretch } from './ledger-timeline.ts';

/** Whose rows, and from when on. */
export type WrittenLedger = {
  readonly streamKey: number;
  readonly streamId: string;
  readonly state: LedgerState;
  readonly settledMs: number;
};

/** Beyond every time we see: the end of what is asked for. */
export const endOfTimeMs = Number.MAX_SAFE_INTEGER;

/**
 * Ends what goes on at a moment, for a clock that was set back to it. What is dated later than now stays as it is, and what is
 * open there ends with the last that was heard.
 */
export function endAt(
  change: IndexChange,
  streamId: string,
  { atMs, nowMs, heardMs }: { readonly atMs: number; readonly nowMs: number; readonly heardMs: number },
): void {
  const window = { beginMs: atMs, endMs: endOfTimeMs };
  for (const gap of change.queries.gaps.between(streamId, window, limits.indexRowsMax)) {
    const { gapId, beginMs, endMs } = gap;
    if (gap.origin === 'loss') continue;
    if (beginMs < atMs) change.gaps.change({ gapId, beginMs, endMs: atMs });
    else if (beginMs <= nowMs) change.gaps.remove(gapId);
    else if (endMs === undefined && beginMs < heardMs) change.gaps.change({ gapId, beginMs, endMs: heardMs });
    else if (endMs === undefined) change.gaps.remove(gapId);
  }
  for (const { pauseId, beginMs, endMs } of change.queries.gaps.pausesBetween(streamId, window, limits.indexRowsMax)) {
    if (beginMs < atMs) change.gaps.endPause(pauseId, atMs);
    else if (beginMs <= nowMs) change.gaps.removePause(pauseId);
    else if (endMs === undefined && beginMs < heardMs) change.gaps.endPause(pauseId, heardMs);
    else if (endMs === undefined) change.gaps.removePause(pauseId);
  }
}

/** Rows that stay keep their id: players and pages may hold it. A row that began before the settled moment only moves its end. */
export function writeGaps(
  change: IndexChange,
  { streamKey, settledMs }: WrittenLedger,
  { known, wanted }: { readonly known: readonly Gap[]; readonly wanted: readonly NewGap[] },
): void {
  const left = new Set(known);
  for (const gap of wanted) {
    const beginMs = Math.floor(gap.beginMs);
    const same = [...left].find(
      (row) => Math.max(row.beginMs, settledMs) === beginMs && row.reason === gap.reason && row.detail === gap.detail,
    );
    if (same === undefined) {
      change.gaps.add(streamKey, gap);
      continue;
    }
    left.delete(same);
    const endMs = gap.endMs === undefined ? undefined : Math.ceil(gap.endMs);
    if (same.endMs !== endMs) change.gaps.change({ gapId: same.gapId, beginMs: same.beginMs, endMs });
  }
  for (const row of left) {
    if (row.beginMs >= settledMs) change.gaps.remove(row.gapId);
    else change.gaps.change({ gapId: row.gapId, beginMs: row.beginMs, endMs: settledMs });
  }
}

/** The time before the first line of a stream is no pause: nothing is known of it. */
export function writePauses(change: IndexChange, ledger: WrittenLedger, stretches: readonly Stretch[]): void {
  const wanted = stretches.flatMap((stretch) => (stretch.kind === 'unwanted' && stretch.beginMs > 0 ? [stretch] : []));
  const window = { beginMs: ledger.settledMs, endMs: endOfTimeMs };
  const historyId = ledger.state.history?.pauseId ?? 0;
  const rows = change.queries.gaps.pausesBetween(ledger.streamId, window, limits.indexRowsMax);
  const left = new Set(rows.filter(({ pauseId }) => pauseId > historyId));
  for (const pause of wanted) {
    const same = [...left].find((row) => row.beginMs === Math.floor(pause.beginMs));
    if (same === undefined) change.gaps.addPause(ledger.streamKey, { ...pause, reason: pause.why });
    else {
      left.delete(same);
      if (same.endMs !== pause.endMs) change.gaps.endPause(same.pauseId, pause.endMs);
    }
  }
  for (const row of left) if (row.beginMs >= ledger.settledMs) change.gaps.removePause(row.pauseId);
}
