/**
 * The gap ledger's raw material: lines that an `ingest` process appends to `state/<ingest>/ledger/*.jsonl` and the keeper
 * turns into gap rows. The file is synced with the journal, so a line may be lost together with the seconds it speaks of.
 */

import type { GapReason } from './run.ts';

export type LedgerLine =
  /** From now on this stream should be recorded. Repeated at each start of a process. */
  | { readonly kind: 'wanted'; readonly streamId: string; readonly atMs: number }
  /** From now on it should not (removed, disabled, not scheduled): missing seconds are no gap. */
  | { readonly kind: 'unwanted'; readonly streamId: string; readonly atMs: number }
  | { readonly kind: 'run-began'; readonly streamId: string; readonly runId: string; readonly atMs: number }
  | {
      readonly kind: 'run-ended';
      readonly streamId: string;
      readonly runId: string;
      readonly atMs: number;
      readonly reason: GapReason;
      readonly detail?: string;
    }
  /** While nothing is recorded: why not, from now on. */
  | {
      readonly kind: 'waiting';
      readonly streamId: string;
      readonly atMs: number;
      readonly reason: GapReason;
      readonly detail?: string;
    }
  /** Media missing inside a run, on the server timeline. */
  | {
      readonly kind: 'loss';
      readonly streamId: string;
      readonly runId: string;
      readonly beginMs: number;
      readonly endMs: number;
      readonly reason: GapReason;
      readonly detail?: string;
    };
