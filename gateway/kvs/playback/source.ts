/** What playback sessions need of the storage; `StreamReader` is one, as the role `serve` puts several together. */

import type { TimeRange } from '../../../storage/reader/index.ts';
import type { FragmentSource, PlayableFragment } from '../../playback/index.ts';

export type SessionSource = FragmentSource & {
  /** Fragments that begin within, by their time on the axis and, of those of one time, by number. */
  fragmentsByTime(streamId: string, range: TimeRange): Promise<readonly PlayableFragment[]>;
};

/** Counts a sample of a metric of AWS, of the stream of that name: `KvsMeter` is one. */
export type Meter = { add(metric: string, stream: string, value: number): void };
