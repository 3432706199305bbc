/** What the fragmenter says: runs, fragments and blocks, in order. The recorder turns them into files. */

import type { AccessUnit } from '../../storage/model/access-unit.ts';
import type { FragmentTrack } from '../../storage/model/fragment.ts';
import type { GapReason, RunEndReason } from '../../storage/model/run.ts';
import type { Track } from '../../storage/model/track.ts';

/** Why a unit was not recorded. */
export type DropReason =
  /** Its video cannot be decoded yet: no key frame since the beginning. */
  | 'before-key'
  /** Earlier than the key frame that the run begins with. */
  | 'before-run'
  /** Its track is not part of the run; the next run takes it in. */
  | 'track-left-out'
  /** Its fragment was closed long ago. */
  | 'too-late'
  /** Its time does not fit the other units of the session. */
  | 'time-jump'
  /** The run ended before every track had shown up in its last fragment. */
  | 'run-end'
  /** Empty, or larger than any picture. */
  | 'bad-size'
  /** The journal took nothing at that time. */
  | 'not-writable';

/** Media missing inside a run, milliseconds of its timeline. */
export type MediaLoss = { readonly beginMs: number; readonly endMs: number; readonly reason: GapReason };

export type RunBegin = {
  /** The tracks that all of its fragments have. */
  readonly tracks: readonly Track[];
  /** Added to the run's media time it gives the session's, microseconds. */
  readonly offsetUs: number;
  /** Lies at media time 0. Borrowed until return. */
  readonly first: AccessUnit;
};

export type FragmentStart = {
  readonly mediaTimeMs: number;
  /** Its first unit. Borrowed until return. */
  readonly first: AccessUnit;
};

export type FragmentEnd = {
  readonly durationMs: number;
  readonly isKey: boolean;
  readonly hasLoss: boolean;
  readonly tracks: readonly FragmentTrack[];
  readonly losses: readonly MediaLoss[];
};

/** Calls come as `beginRun (beginFragment block+ commitFragment)* endRun`; `dropped` at any time. */
export type FragmentSink = {
  beginRun(run: RunBegin): void;
  beginFragment(start: FragmentStart): void;
  /** @param bytes  borrowed until return */
  block(trackNumber: number, relativeMs: number, isKey: boolean, bytes: Uint8Array): void;
  commitFragment(end: FragmentEnd): void;
  endRun(reason: RunEndReason): void;
  dropped(unit: AccessUnit, reason: DropReason): void;
};
