/** The door of the index. */

export { union } from './completeness.ts';
export { Calendar } from './days.ts';
export type { StoredEventRange } from './event-queries.ts';
export type { IndexQueries } from './index-queries.ts';
export { IndexReader } from './index-reader.ts';
export { type IndexChange, IndexWriter } from './index-writer.ts';
export type { Lately, LatelyDay, SegmentCounts } from './lately-queries.ts';
export type { LedgerEntry, LedgerEvent, LedgerStream } from './ledger-rows.ts';
export type { PlacedSegment } from './place-rows.ts';
export type { NotStored, SegmentKind, TimeAxis } from './segment-queries.ts';
export type { Garbage } from './segment-rows.ts';
export type { StreamPolicy } from './state-rows.ts';
export {
  type Gap,
  type Hold,
  type KeptMode,
  type NewGap,
  type Pause,
  type Removal,
  type RemovalGroup,
  type RemovalReason,
  removalReasons,
  type Span,
  type StoredSegment,
  type StreamTotals,
} from './stored-segment.ts';
export { isHoldActive } from './stream-queries.ts';
