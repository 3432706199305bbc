/** What playback sessions need of the storage; `StreamReader` is one, as the role `serve` puts several together. */

import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { TimeRange } from '../../../storage/reader/index.ts';
import type { FragmentSource, PlayableFragment } from '../../playback/index.ts';

export type SessionSource = FragmentSource & {
  /** The first `limit` fragments with numbers above the given one, by number: as they came. `isWhole`: none may be missing. */
  fragmentsAfter(
    streamId: string,
    number: FragmentNumber,
    limit: number,
    options: { readonly isWhole: boolean },
  ): Promise<readonly PlayableFragment[]>;
  /** Fragments that begin within, by their time on the axis and, of those of one time, by number. */
  fragmentsByTime(streamId: string, range: TimeRange): Promise<readonly PlayableFragment[]>;
};

/** Counts a sample of a metric of AWS, of the stream of that name: `KvsMeter` is one. */
export type Meter = { add(metric: string, stream: string, value: number): void };
