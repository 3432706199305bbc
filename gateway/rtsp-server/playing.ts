/** What PLAY begins and PAUSE ends: a place in a live feed, or recorded fragments at the pace of the clock. */

import type { Clock } from '../../storage/base/clock.ts';
import type { Log } from '../../storage/base/log.ts';
import type { FeedTrack } from '../rtp/index.ts';
import { LiveReader } from './play/live-reader.ts';
import type { ReaderOutput } from './play/output.ts';
import type { PlayOptions, RecordedTrack, ResumePoint } from './play/recorded-player.ts';
import { RecordedPlayer } from './play/recorded-player.ts';
import type { MediaDeps, Presentation } from './presentation.ts';

/** What a reader is being sent. */
export type Playing = {
  readonly kind: 'live' | 'recorded';
  /** Ends it; where it stood is asked for afterwards. */
  stop(): Promise<void>;
  /** Of recorded media. */
  readonly place: { readonly serverMs: number; readonly resume: ResumePoint | undefined } | undefined;
  readonly lastPositionUs: number;
};

export type PlayingEvents = {
  /** It ended by itself. `isFinal`: the reader is to be sent away. */
  readonly onEnded: (why: string, options: { readonly isFinal: boolean }) => void;
  readonly onDropped: () => void;
};

/** Joins the feed in this call. */
export function playLive(
  presentation: Presentation,
  deps: { readonly output: ReaderOutput; readonly tracks: ReadonlySet<FeedTrack>; readonly events: PlayingEvents },
): Playing {
  const { output, tracks, events } = deps;
  const reader = new LiveReader({
    output,
    tracks,
    onEnded: (why) => events.onEnded(why, { isFinal: true }),
    onDropped: events.onDropped,
  });
  const leave = presentation.feed?.join(reader);
  return {
    kind: 'live',
    stop: async () => leave?.(),
    place: undefined,
    lastPositionUs: 0,
  };
}

/** Begins to play in the background. */
export function playRecorded(
  deps: MediaDeps & {
    readonly clock: Clock;
    readonly log: Log;
    readonly output: ReaderOutput;
    readonly tracks: ReadonlyMap<number, RecordedTrack>;
    readonly events: PlayingEvents;
  },
  options: PlayOptions,
): Playing {
  const { clock, log, source, recordedBytes: bytes, output, tracks, events } = deps;
  const abort = new AbortController();
  const player = new RecordedPlayer({ clock, log, source, bytes, output, tracks }, options);
  const running = player
    .run(abort.signal)
    .then(
      (end) => {
        // A description that no longer holds ends the connection; after the end of a range a reader may go back.
        if (end !== undefined) events.onEnded(end, { isFinal: end !== 'end of the recording' });
      },
      (error: unknown) => {
        log.error('recorded media cannot be played', { streamId: options.streamId, error });
        events.onEnded('failed', { isFinal: true });
      },
    )
    .finally(() => abort.abort());
  return {
    kind: 'recorded',
    stop: () => {
      abort.abort();
      return running;
    },
    get place() {
      return player.place;
    },
    get lastPositionUs() {
      return player.lastPositionUs;
    },
  };
}
