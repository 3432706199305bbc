/**
 * What playback needs of the storage: fragments of a stream by server time, their bytes, and word of new ones.
 * `StreamReader` of storage/reader is one; the shapes are narrow so that playlists and layouts are tested from plain values.
 */

import { type Fragment, fragmentEndMs } from '../../storage/model/fragment.ts';
import type { SegmentHead } from '../../storage/model/segment.ts';

/** What a segment's head says about all its fragments. */
export type PlayableSegment = Pick<
  SegmentHead,
  'streamId' | 'runId' | 'runReason' | 'runStartServerMs' | 'timecodeScaleNs' | 'tracks'
>;

/** A fragment and the segment that holds it. Hand back to a `FragmentSource` only what it handed out. */
export type PlayableFragment = { readonly fragment: Fragment; readonly segment: PlayableSegment };

/** An interval of server time, milliseconds since 1970 UTC; the end is exclusive. */
export type TimeRange = { readonly beginMs: number; readonly endMs: number };

/** What of a range is not there on purpose. `text` says why, as the end of a sentence. */
export type Absence = TimeRange & {
  readonly kind: 'removed' | 'paused';
  /** A removal's or a pause's reason; `unknown` of a pause that nobody explained. */
  readonly reason: string;
  readonly text: string;
  /** When the last of it was removed, wall time; undefined of a pause. */
  readonly removedMs: number | undefined;
};

/** Where fragments come from. Methods (not function properties), so that a reader with richer references fits. */
export type FragmentSource = {
  /** Fragments that overlap the range, in order; the first `limit` of them. */
  fragmentsBetween(
    streamId: string,
    range: TimeRange & { readonly limit?: number },
  ): Promise<readonly PlayableFragment[]>;
  /** The newest fragment, or undefined for an empty stream. */
  latest(streamId: string): Promise<PlayableFragment | undefined>;
  /** The whole Cluster element. @throws AppError not_found  removed meanwhile */
  clusterBytes(reference: PlayableFragment): Promise<Uint8Array>;
  /** Calls back after each new fragment until the returned function is called. */
  onNew(streamId: string, callback: () => void): () => void;
  /** Why a range has no fragments, as far as it is known; a source without it knows of none. */
  absence?(streamId: string, range: TimeRange): Absence | undefined;
};

/** Server time at which a fragment ends. */
export function fragmentEnd({ fragment }: PlayableFragment): number {
  return fragmentEndMs(fragment);
}
