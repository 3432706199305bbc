/** Bounds of media that producers send, each with how it was derived. Those that AWS documents may be set. */

import { limits } from '../../storage/model/limits.ts';

const MiB = 1024 * 1024;
const seconds = 1_000;
const minutes = 60 * seconds;

/** What AWS documents for PutMedia, and a site may set otherwise. */
export type PutMediaQuotas = {
  /** A connection is ended after this, at the beginning of a fragment: so long are a producer's credentials good. */
  readonly connectionMsMax: number;
  readonly fragmentMsMax: number;
  readonly fragmentBytesMax: number;
  /** A producer that renews its credentials has two for a moment; of more the newest is refused. */
  readonly connectionsOfStreamMax: number;
};

export const putMediaQuotasDefault: PutMediaQuotas = {
  connectionMsMax: 45 * minutes,
  fragmentMsMax: limits.fragmentDurationMsMax,
  fragmentBytesMax: limits.fragmentBytesMax,
  connectionsOfStreamMax: 2,
};

export const putMediaLimits = {
  /** Connections of one recording process: 100 streams with two each, and room. */
  connectionsMax: 256,
  /** A connection that is older than allowed and never begins another fragment ends so much later. */
  connectionGraceMs: 30 * seconds,
  /** AWS: a connection without data is ended after this, and told three times before. */
  silenceMsMax: 30 * seconds,
  idleMs: 10 * seconds,
  /** An open fragment holds back what readers see: beside a newer connection of its stream it may be silent for so long. */
  silenceMsBesideNewer: 5 * seconds,
  /** And, however slowly its bytes come, be open for so long: three times what a fragment may last. Its producer sends it again. */
  openMsMaxBesideNewer: 60 * seconds,
  /** Tags behind a whole fragment may still be its own: a producer sends them with its last bytes, a bad network a moment later. */
  tagsWaitMs: 200,
  /** However long bytes that are no tags of it go on coming. */
  tagsWaitMsMax: 2 * seconds,
  /** A whole fragment that is not durable after this counts as not persisted: a busy spinning disk syncs within 10 s. */
  persistMsMax: 30 * seconds,

  /** All of them hold so much on the way to the disk: 100 uploads at 4 Mb/s survive a disk that stalls for 5 s without a pause. */
  bytesMax: 256 * MiB,
  /** One of them: above this it is not read on, and its socket fills. */
  flightBytesMax: 8 * MiB,
  /** What one read may add to it: a block, and what was pending. */
  shareBytesMax: 8 * MiB + 64 * MiB,
  /** Beginnings of elements that are not whole yet, beyond `heldBytesFree` each: two of the largest frames, dozens of usual ones. */
  heldBytesMax: 128 * MiB,
  /** Key frames of usual cameras: whoever sends them is not bothered by others. */
  heldBytesFree: 1 * MiB,
  /** EBML head to first cluster, with three times the longest CodecPrivate: with our own head it stays below a segment head's bound. */
  headBytesMax: 768 * 1024,
  /** Names and codec ids of tracks, together: the producer SDK allows 32 characters each. */
  trackTextBytesMax: 4 * 1024,
  /** Tags that wait for their fragment; above what AWS takes there is nothing to wait for. */
  tagsWaitingMax: 64,
  /** Acknowledgements that wait for a producer that does not read: above this it is not read either. */
  acksWaitingMax: 4_096,
  /** In one message of the lane. */
  acksOfEventMax: 512,
} as const;
