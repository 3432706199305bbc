/** What readers get and what the reader needs of others, each as narrow as it is used. */

import type { Fragment } from '../model/fragment.ts';
import type { FragmentNumber } from '../model/fragment-number.ts';
import type { Hint, OpenSegment } from '../model/hint.ts';
import { objectKey, type SegmentHead, segmentFileName } from '../model/segment.ts';

/** A segment wherever it lies now: it moves from open to finished to the store while a reader holds this. */
export type SegmentRef = Pick<
  SegmentHead,
  'streamId' | 'runId' | 'firstCounter' | 'sequence' | 'runReason' | 'runStartServerMs' | 'timecodeScaleNs' | 'tracks'
> & {
  /** Where it will be, or is, in the object store. */
  readonly objectKey: string;
  /** The open file it was found in; undefined when it was finished already. */
  readonly openPath: string | undefined;
};

export type FragmentRef = { readonly fragment: Fragment; readonly segment: SegmentRef };

/** A segment as the index tells it. */
export type IndexedSegment = Omit<SegmentRef, 'openPath'> & {
  readonly segmentId: number;
  readonly beginServerMs: number;
  readonly beginProducerMs: number;
  readonly lastNumber: FragmentNumber;
};

/** By which of a fragment's two times something is asked for. */
export type TimeAxis = 'server' | 'producer';

/** The index as far as reading fragments goes; every method may throw `unavailable`. `IndexReader` is one. */
export type SegmentIndex = {
  /** Segments that overlap the span, of server time if not told otherwise, by begin; at most `limit` and `limits.indexRowsMax`. */
  segmentsBetween(
    streamId: string,
    span: { readonly beginMs: number; readonly endMs: number },
    options?: { readonly axis?: TimeAxis; readonly limit?: number },
  ): IndexedSegment[];
  /** Segments that hold a number above the given one, by their last number; at most `limit` and `limits.indexRowsMax`. */
  segmentsAfter(streamId: string, number: FragmentNumber | undefined, limit?: number): IndexedSegment[];
  latestSegment(streamId: string): IndexedSegment | undefined;
  /** Undefined when the segment is gone meanwhile. */
  fragmentsOf(segmentId: number): readonly Fragment[] | undefined;
};

/** Where finished segments are kept. @throws AppError not_found  from `getRange`: no such object */
export type SegmentStore = { getRange(key: string, offset: number, length: number): Promise<Uint8Array> };

/** Tells what the owner of the streams does; `LaneClient` is one. A snapshot replaces everything known before. */
export type HintWatcher = {
  watch(callbacks: {
    onHint(hint: Hint): void;
    onSnapshot(snapshot: { readonly open: readonly OpenSegment[] }): void;
    onLost(): void;
  }): () => void;
};

/** A segment with its fragments, as a file tells it. */
export type LoadedSegment = { readonly segment: SegmentRef; readonly fragments: readonly Fragment[] };

/** Tells segments apart, wherever they lie. */
export function segmentKey(segment: { readonly runId: string; readonly firstCounter: number }): string {
  return segmentFileName(segment);
}

/** The reference to a segment that was read from a file; it has at least one fragment. */
export function refOf(head: SegmentHead, first: Fragment, openPath: string | undefined): SegmentRef {
  const { streamId, runId, firstCounter, sequence, runReason, runStartServerMs, timecodeScaleNs, tracks } = head;
  const key = objectKey({ streamId, runId, firstCounter, beginServerMs: first.serverTimestampMs });
  const facts = { streamId, runId, firstCounter, sequence, runReason, runStartServerMs, timecodeScaleNs, tracks };
  return { ...facts, objectKey: key, openPath };
}
