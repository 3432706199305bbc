/** What readers of media need of the storage; `StreamReader` is one, as the role `serve` puts several together. */

import type { Fragment, FragmentTags } from '../../../storage/model/fragment.ts';
import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { SegmentHead } from '../../../storage/model/segment.ts';
import type { TimeRange } from '../../../storage/reader/index.ts';

export type { TimeAxis, TimePlace } from '../../../storage/reader/index.ts';

/** A segment and a fragment of it. Hand back to a `MediaSource` only what it handed out. */
export type MediaSegment = Pick<SegmentHead, 'streamId' | 'runId' | 'runReason' | 'firstCounter'>;
export type MediaFragment = { readonly fragment: Fragment; readonly segment: MediaSegment };

/** Methods (not function properties), so that a reader with richer references fits. */
export type MediaSource = {
  /**
   * The first `limit` fragments with numbers above the given one, of all when it is undefined, by number.
   * @throws AppError unavailable  with `isWhole`, when some of them cannot be told
   */
  fragmentsAfter(
    streamId: string,
    number: FragmentNumber | undefined,
    limit: number,
    options: { readonly isWhole: boolean },
  ): Promise<readonly MediaFragment[]>;
  /** By one of their times. @throws AppError unavailable */
  fragmentsByTime(streamId: string, range: TimeRange): Promise<readonly MediaFragment[]>;
  /** Those that are there. @throws AppError unavailable */
  fragmentsOfNumbers(
    streamId: string,
    numbers: readonly FragmentNumber[],
  ): Promise<ReadonlyMap<FragmentNumber, MediaFragment>>;
  /** The newest of what was recorded. */
  latest(streamId: string): Promise<MediaFragment | undefined>;
  /** User tags and the first bytes of the cluster, of a smaller one all. @throws AppError not_found, data_loss, unavailable */
  fragmentBytes(
    reference: MediaFragment,
    bytesMax: number,
  ): Promise<{ readonly tags: FragmentTags; readonly cluster: Uint8Array }>;
  /** Bytes of the segment. @throws AppError not_found, unavailable */
  openRange(segment: MediaSegment, offset: number, length: number): Promise<Uint8Array>;
  /** What stands before each cluster of the segment's run. @throws AppError not_found, data_loss, unavailable */
  runHead(segment: MediaSegment): Promise<Uint8Array>;
  /** Calls back when there may be new fragments, until the returned function is called. */
  onNew(streamId: string, callback: () => void): () => void;
};
