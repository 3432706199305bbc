/** What a `SegmentWriter` is made of and told, and what it tells of the fragment being written. */

import type { Clock } from '../base/clock.ts';
import type { AppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { FragmentTags, FragmentTrack } from '../model/fragment.ts';
import type { FragmentNumber } from '../model/fragment-number.ts';
import type { Hint } from '../model/hint.ts';
import type { GapReason } from '../model/run.ts';
import type { Track } from '../model/track.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { SyncRequest } from './durability.ts';
import type { JournalFiles } from './journal-files.ts';

export type SegmentWriterOptions = {
  /** The epoch's directory (`Epoch.directory`) and `journal/finished`: the stream's own directories are made below. */
  readonly openDirectory: string;
  readonly finishedDirectory: string;
  /**
   * The two directories are there, or nothing is written: another place takes writes as well, and below the mount point of a disk
   * that went away footage would be hidden when it comes back. Otherwise they are made, since nothing is better.
   */
  readonly isPlaceExpected?: boolean;
  readonly streamId: string;
  /** 32 lower-case hexadecimal digits. */
  readonly runId: string;
  readonly runReason: string;
  /** Server time of media time 0. */
  readonly runStartServerMs: number;
  readonly tracks: readonly Track[];
  readonly timecodeScaleNs: number;
  readonly producerHead?: Uint8Array;
  /** The run's first segment is so much shorter, so that a hundred cameras do not finish files at once; 0 .. 59,999. */
  readonly segmentOffsetMs: number;
  /** `each-fragment`: one fdatasync a fragment, for acknowledged producers; `shared`: the period of `Durability`. */
  readonly durability: 'each-fragment' | 'shared';
};

export type SegmentWriterDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly budget: ByteBudget;
  readonly durability: { synced(request: SyncRequest): Promise<void> };
  readonly onHint: (hint: Hint) => void;
  /** Called once, at the first failure: nothing more is taken. The owner calls `end`, and begins a new run when it can. */
  readonly onFailed: (error: AppError, reason: GapReason) => void;
  readonly files?: JournalFiles;
};

export type FragmentBegin = {
  readonly number: FragmentNumber;
  readonly counter: number;
  readonly serverTimestampMs: number;
  readonly producerTimestampMs: number;
  readonly mediaTimeMs: number;
};

export type FragmentCommit = {
  readonly durationMs: number;
  readonly isKey: boolean;
  readonly hasLoss: boolean;
  readonly tracks: readonly FragmentTrack[];
  readonly tags?: FragmentTags;
};

/** Where the bytes of the fragment being written are: `tail` (a copy) follows what lies in the file up to `joinOffset`. */
export type OpenFragmentView = {
  readonly path: string;
  readonly clusterOffset: number;
  readonly joinOffset: number;
  readonly tail: Uint8Array;
  readonly number: FragmentNumber;
  readonly serverTimestampMs: number;
};
