/** Bounds of readers of media, each with how it was derived. */

import { assert } from '../../../storage/base/assert.ts';
import { limits } from '../../../storage/model/limits.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

export const mediaLimits = {
  /** What all readers together hold of clusters, in equal shares: 64 readers a megabyte each, 800 readers 80 KB. */
  piecesBytesMax: 64 * MiB,
  /** A share at most: half a second of the fastest camera; and at least, so that a fragment is not read in a hundred pieces. */
  pieceBytesMax: 1 * MiB,
  pieceBytesMin: 64 * KiB,
  /** Pieces and heads kept for readers that come a moment later: the newest fragments of a dozen cameras at 4 Mb/s. */
  sharedBytesMax: 16 * MiB,
  headsBytesMax: 4 * MiB,
  /** Listed ahead of what is sent: half a minute, soon enough that little of it is removed meanwhile. */
  batchFragments: 16,
  /** Fragments of one page of a list: AWS's bound and its default. */
  listMax: 1_000,
  listDefault: 100,
  /** Numbers of one request: AWS's bound. */
  numbersMax: 1_000,
  /** Readers of one stream at AWS, of GetMedia and of lists of fragments: as many times the site's quota factor are let in. */
  getMediaConnections: 3,
  fragmentListConnections: 5,
  /** And no more than this, of either: generous, since they share what they read. */
  connectionsPerStreamMax: 100,
  /** No fragment lasts longer, so one that holds a moment begins no longer before it. */
  fragmentMsMax: limits.segmentDurationMsMax,
} as const;

assert(mediaLimits.pieceBytesMax <= limits.objectRangeBytesMax, 'a piece is read from the store in one go');
