/**
 * The gap ledger's raw material: lines that an `ingest` process appends to `state/<ingest>/ledger/*.jsonl` and the keeper
 * turns into gap rows. The file is synced with the journal, so a line may be lost together with the seconds it speaks of.
 */

import type { GapReason } from './run.ts';

/** Why a stream was not to be recorded. Words that end a sentence. */
export const pauseReasons = {
  'not-scheduled': 'not scheduled',
  'live-only': 'live view only, by its recording mode',
  'switched-off': 'the camera was switched off or removed',
  /** Of producers nobody knows when they should send. */
  pushed: 'nothing came from its producer',
} as const;

export type PauseReason = keyof typeof pauseReasons;

export type LedgerLine =
  /** From now on this stream should be recorded. Repeated at each start of a process. */
  | { readonly kind: 'wanted'; readonly streamId: string; readonly atMs: number }
  /** From now on it should not (removed, disabled, not scheduled): missing seconds are no gap. */
  | {
      readonly kind: 'unwanted';
      readonly streamId: string;
      readonly atMs: number;
      /** Absent in lines of older releases. */
      readonly why?: PauseReason;
    }
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
