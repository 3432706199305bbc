/** What the index says about segments, gaps, holds and removals: rows in our words. */

import type { FragmentNumber } from '../model/fragment-number.ts';
import type { PauseReason } from '../model/ledger.ts';
import type { GapReason } from '../model/run.ts';
import type { Track } from '../model/track.ts';

/** A span of server time unless said otherwise, milliseconds since 1970 UTC: begin inside, end outside. */
export type Span = { readonly beginMs: number; readonly endMs: number };

/**
 * By which age what no event marks goes: that of the mode it was recorded in, of the one that keeps longer where it changed. Unknown:
 * from before there were modes, before its policy was known, or found after the index was lost; the longest age counts.
 */
export type KeptMode = 'continuous' | 'events' | 'unknown';

/** One taken-in segment. */
export type StoredSegment = {
  readonly segmentId: number;
  readonly streamId: string;
  readonly runId: string;
  readonly sequence: number;
  readonly firstNumber: FragmentNumber;
  readonly lastNumber: FragmentNumber;
  readonly firstCounter: number;
  readonly lastCounter: number;
  readonly beginServerMs: number;
  readonly endServerMs: number;
  readonly beginProducerMs: number;
  readonly endProducerMs: number;
  readonly byteLength: number;
  readonly fragmentCount: number;
  readonly objectKey: string;
  /** `local`: the finished journal file is the only copy. `stored`: the object is durable. */
  readonly location: 'local' | 'stored';
  /** The finished journal file is (or was a moment ago) still there. */
  readonly isLocal: boolean;
  readonly digest: Uint8Array;
  readonly previousDigest: Uint8Array;
  /** `event`: an event range marks some of it. */
  readonly recordingClass: 'continuous' | 'event';
  readonly recordingMode: KeptMode;
  readonly cipher: string | undefined;
  readonly keyId: string | undefined;
  readonly runReason: string;
  readonly runStartServerMs: number;
  readonly timecodeScaleNs: number;
  readonly tracks: readonly Track[];
};

/** Where a gap row comes from: between runs, inside a run, or derived after the index was lost. */
export type GapOrigin = 'ledger' | 'loss' | 'rebuild';

/** A span that should have been recorded and was not. */
export type Gap = {
  readonly gapId: number;
  readonly streamId: string;
  readonly beginMs: number;
  /** Undefined while nothing is recorded yet. */
  readonly endMs: number | undefined;
  readonly reason: GapReason;
  readonly detail: string | undefined;
  readonly runId: string | undefined;
  readonly origin: GapOrigin;
};

export type NewGap = Omit<Gap, 'gapId' | 'streamId'>;

/** A span in which a stream was not to be recorded: what is missing there is no gap. */
export type Pause = {
  readonly pauseId: number;
  readonly beginMs: number;
  /** Undefined while it goes on. */
  readonly endMs: number | undefined;
  /** Undefined: nobody said why. */
  readonly reason: PauseReason | undefined;
};

/** A legal hold: footage that overlaps its span is never removed while it is active. */
export type Hold = {
  readonly holdId: string;
  /** Undefined: all streams. */
  readonly streamId: string | undefined;
  readonly beginMs: number;
  /** Undefined: also all that is still to come. */
  readonly endMs: number | undefined;
  readonly who: string;
  readonly why: string;
  /** When it lapses by itself; undefined: when it is released. */
  readonly untilMs: number | undefined;
  readonly createdMs: number;
  readonly releasedMs: number | undefined;
  readonly releasedBy: string | undefined;
};

/** Why footage was removed. */
export const removalReasons = {
  age: 'older than its retention',
  unmarked: 'no event marked it in time',
  'camera-bytes': 'its camera had more bytes than it may',
  'total-bytes': 'all cameras had more bytes than they may',
  'local-bytes': 'the object store was away and local files had more bytes than they may',
  'disk-full': 'the disk was getting full',
  request: 'a person asked for it',
} as const;

export type RemovalReason = keyof typeof removalReasons;

/** What was removed and why: neighbours of one UTC day and reason share a row. */
export type Removal = {
  readonly streamId: string;
  readonly beginMs: number;
  readonly endMs: number;
  readonly segments: number;
  readonly bytes: number;
  readonly reason: RemovalReason;
  readonly who: string | undefined;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
};

/** Removals next to each other, as one. */
export type RemovalGroup = Pick<Removal, 'beginMs' | 'endMs' | 'reason' | 'who'> & {
  /** When the last of it was removed, wall time. */
  readonly removedMs: number;
  /** How old the youngest of it was when it was removed, as far as rows tell: they are exact where the oldest went first. */
  readonly ageMs: number;
};

/** What one stream holds. */
export type StreamTotals = {
  readonly streamId: string;
  readonly cameraId: string | undefined;
  readonly segments: number;
  readonly bytes: number;
  readonly durationMs: number;
  /** Begin of the oldest and end of the newest segment, server time; undefined for an empty stream. */
  readonly oldestMs: number | undefined;
  readonly newestMs: number | undefined;
};
