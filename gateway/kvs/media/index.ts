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

/** @param options.quotaFactor  how many times what AWS allows, below our own bound; 0: that alone */
export function mediaReaders(
  deps: {
    readonly clock: Clock;
    readonly log: Log;
    readonly source: MediaSource;
    readonly meter: Pick<KvsMeter, 'add'>;
  },
  { quotaFactor }: { readonly quotaFactor: number },
): MediaReaders {
  const { source } = deps;
  const tails = new StreamTails({ source });
  const pieces = new MediaPieces({ source, readers: () => tails.readers + list.readers });
  const getMedia = new GetMedia(
    { ...deps, pieces, tails },
    { connectionsPerStreamMax: connectionsAllowed(mediaLimits.getMediaConnections, quotaFactor) },
  );
  const list = new MediaForFragmentList(
    { ...deps, pieces },
    { connectionsPerStreamMax: connectionsAllowed(mediaLimits.fragmentListConnections, quotaFactor) },
  );
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

/** Never less than one, however small the factor is. */
function connectionsAllowed(atAws: number, quotaFactor: number): number {
  const { connectionsPerStreamMax } = mediaLimits;
  if (quotaFactor === 0) return connectionsPerStreamMax;
  return Math.min(connectionsPerStreamMax, Math.max(1, Math.floor(atAws * quotaFactor)));
}
