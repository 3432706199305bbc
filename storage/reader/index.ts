/** Reading fragments of a stream, wherever they lie. See README.md. */

export type { TimePlace, TimeRange } from './by-time.ts';
export type {
  FragmentRef,
  HintWatcher,
  IndexedSegment,
  SegmentIndex,
  SegmentRef,
  SegmentStore,
  TimeAxis,
} from './references.ts';
export { type MissingParts, StreamReader, type StreamReaderDeps } from './stream-reader.ts';
