/** A segment: one Matroska file of consecutive fragments of one run, about a minute long; the object in the store. */

import type { Fragment } from './fragment.ts';
import type { Track } from './track.ts';

export const segmentFormatVersion = 1;

/** What stands in the head of a segment file, before its first cluster. */
export type SegmentHead = {
  readonly streamId: string;
  /** 32 lower-case hexadecimal digits, also the Matroska SegmentUID. */
  readonly runId: string;
  /** Counter of the first fragment number; names the file. */
  readonly firstCounter: number;
  /** 0 for the first segment of a run, then 1, 2, ... */
  readonly sequence: number;
  /** Why this run began: a code of `run.ts`. */
  readonly runReason: string;
  /** Server time of media time 0 of the run, milliseconds since 1970 UTC. */
  readonly runStartServerMs: number;
  readonly timecodeScaleNs: number;
  readonly tracks: readonly Track[];
  /** The producer's own header bytes (EBML head to the first cluster), verbatim; empty for pulled cameras. */
  readonly producerHead: Uint8Array;
  /** Digest of the run's previous segment, 32 bytes; zeros for the first: the hash chain. */
  readonly previousDigest: Uint8Array;
};

/** A finished segment as its fragment table tells it. */
export type Segment = SegmentHead & {
  readonly byteLength: number;
  readonly fragments: readonly Fragment[];
  /** SHA-256 over the head's bytes and every commit record: 32 bytes. */
  readonly digest: Uint8Array;
};

/** `<stream id>/<yyyy-mm-dd>/<first counter>-<run id>-v1.mkv`: the day is UTC, of the first fragment's server timestamp. */
export function objectKey(segment: {
  readonly streamId: string;
  readonly runId: string;
  readonly firstCounter: number;
  readonly beginServerMs: number;
}): string {
  const day = new Date(segment.beginServerMs).toISOString().slice(0, 10);
  return `${segment.streamId}/${day}/${segmentFileName(segment)}`;
}

/** `<first counter, 12 digits>-<run id>-v1.mkv`: names sort by counter. */
export function segmentFileName(segment: { readonly runId: string; readonly firstCounter: number }): string {
  return `${String(segment.firstCounter).padStart(12, '0')}-${segment.runId}-v${segmentFormatVersion}.mkv`;
}
