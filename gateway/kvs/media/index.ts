/** Readers of media: GetMedia, GetMediaForFragmentList, ListFragments. */

import type { Clock } from '../../../storage/base/clock.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { KvsOperations } from '../call.ts';
import type { KvsMeter } from '../meter/index.ts';
import { GetMedia } from './get-media.ts';
import { mediaLimits } from './limits.ts';
import { listFragments } from './list-fragments.ts';
import { MediaForFragmentList } from './media-for-fragment-list.ts';
import { MediaPieces } from './media-pieces.ts';
import type { MediaSource } from './source.ts';
import { StreamTails } from './stream-tails.ts';

export type { MediaFragment, MediaSegment, MediaSource } from './source.ts';

export type MediaReaders = {
  readonly operations: KvsOperations;
  /** To be called when cameras or streams changed: readers of streams that are gone end. */
  streamsChanged(): void;
  /** Ends the bodies that have no end. */
  close(): Promise<void>;
};

/** @param options.connectionsPerStreamMax  GetMedia, and GetMediaForFragmentList, of one stream at a time */
export function mediaReaders(
  deps: {
    readonly clock: Clock;
    readonly log: Log;
    readonly source: MediaSource;
    readonly meter: Pick<KvsMeter, 'add'>;
  },
  options: { readonly connectionsPerStreamMax?: number } = {},
): MediaReaders {
  const { source } = deps;
  const { connectionsPerStreamMax = mediaLimits.connectionsPerStreamMax } = options;
  const tails = new StreamTails({ source });
  const pieces = new MediaPieces({ source, readers: () => tails.readers + list.readers });
  const getMedia = new GetMedia({ ...deps, pieces, tails }, { connectionsPerStreamMax });
  const list = new MediaForFragmentList({ ...deps, pieces }, { connectionsPerStreamMax });
  return {
    operations: new Map([
      ['/getMedia', getMedia.operation],
      ['/getMediaForFragmentList', list.operation],
      ['/listFragments', listFragments({ source })],
    ]),
    streamsChanged: () => getMedia.streamsChanged(),
    close: () => getMedia.close(),
  };
}
