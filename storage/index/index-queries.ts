/** All questions one connection can be asked: readers and the keeper's own connection share them. */

import type { Database } from 'better-sqlite3';
import { type EventQueries, eventQueries } from './event-queries.ts';
import { type GapQueries, gapQueries } from './gap-queries.ts';
import { type LatelyQueries, latelyQueries } from './lately-queries.ts';
import { type PlaceQueries, placeQueries } from './place-rows.ts';
import { type SegmentQueries, segmentQueries } from './segment-queries.ts';
import { type StreamQueries, streamQueries } from './stream-queries.ts';

export type IndexQueries = {
  readonly segments: SegmentQueries;
  readonly gaps: GapQueries;
  readonly events: EventQueries;
  readonly streams: StreamQueries;
  readonly lately: LatelyQueries;
  readonly places: PlaceQueries;
};

/** Prepares every statement on a connection. */
export function indexQueries(database: Database): IndexQueries {
  return {
    segments: segmentQueries(database),
    gaps: gapQueries(database),
    events: eventQueries(database),
    streams: streamQueries(database),
    lately: latelyQueries(database),
    places: placeQueries(database),
  };
}
