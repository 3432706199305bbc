/**
 * Hints: what the owner of a stream tells its watchers at once. They wake a reader and spare it a scan; they are never the
 * truth, which is the journal file. A watcher that missed hints asks for a snapshot or scans.
 */

import type { Fragment } from './fragment.ts';
import type { FragmentNumber } from './fragment-number.ts';

export type Hint =
  /** A fragment got its number. Readers see nothing at or beyond the lowest number still open: the watermark. */
  | {
      readonly kind: 'begun';
      readonly streamId: string;
      readonly runId: string;
      /** Absolute path of the open segment file, and where the cluster will begin in it. */
      readonly path: string;
      readonly offset: number;
      readonly number: FragmentNumber;
      readonly serverTimestampMs: number;
      readonly producerTimestampMs: number;
      readonly mediaTimeMs: number;
    }
  /** Its bytes and its commit tags are in the file (page cache): any process can read it. */
  | {
      readonly kind: 'committed';
      readonly streamId: string;
      readonly runId: string;
      readonly path: string;
      readonly fragment: Fragment;
    }
  /** Everything of the run up to and including this number survives power loss: gates PERSISTED and the mirror. */
  | { readonly kind: 'durable'; readonly streamId: string; readonly runId: string; readonly number: FragmentNumber }
  | { readonly kind: 'aborted'; readonly streamId: string; readonly runId: string; readonly number: FragmentNumber }
  /** The file got its table and was renamed from `path` to `finishedPath`: the keeper may take it. */
  | {
      readonly kind: 'finished';
      readonly streamId: string;
      readonly runId: string;
      readonly path: string;
      readonly finishedPath: string;
    }
  | { readonly kind: 'run-ended'; readonly streamId: string; readonly runId: string; readonly reason: string };

/** One open file as a snapshot tells it, again for each further open number: the watcher reads head and fragments from the file itself. */
export type OpenSegment = {
  readonly streamId: string;
  readonly runId: string;
  readonly path: string;
  /** All bytes before it are committed fragments (or the head). */
  readonly committedBytes: number;
  /** A fragment being written, if any: nothing of it is visible to readers of fragments. */
  readonly openNumber: FragmentNumber | undefined;
};
