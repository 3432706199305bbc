/** Reading fragments of a stream, wherever they lie. See README.md. */

export type {
  FragmentRef,
  HintWatcher,
  IndexedSegment,
  SegmentIndex,
  SegmentRef,
  SegmentStore,
} from './references.ts';
export { type MissingParts, StreamReader, type StreamReaderDeps } from './stream-reader.ts';
