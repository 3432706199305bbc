/** A stream that somebody watches: its feed, made playable by browsers, and its producers on each worker. */

import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, appError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { FeedLease, FeedTrack } from '../../rtp/index.ts';
import { bridgeLimits } from './limits.ts';
import type { PlayableLane } from './playable-lane.ts';
import { viewerCodecOf } from './producer-parameters.ts';
import { type Seat, StreamAtWorker } from './stream-at-worker.ts';
import { StreamTimes } from './stream-times.ts';
import { Viewer } from './viewer.ts';
import type { BridgeWorker, Watched, WatchOptions } from './watched.ts';

export type WatchedStreamDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly lease: FeedLease;
  /** The lane behind the feed. */
  readonly lane: () => PlayableLane | undefined;
  readonly takePlace: () => () => void;
  /** Nobody watches any more. */
  readonly onEmpty: () => void;
};

export class WatchedStream {
  readonly #deps: WatchedStreamDeps;
  readonly #streamId: string;
  readonly #times = new StreamTimes();
  #trouble: AppError | undefined;
  readonly #workers = new Map<BridgeWorker, { readonly place: StreamAtWorker; viewers: number }>();
  readonly #viewers = new Map<Viewer, string>();

  constructor(deps: WatchedStreamDeps, { streamId }: { readonly streamId: string }) {
    this.#deps = deps;
    this.#streamId = streamId;
  }

  /** True when it will never deliver again: whoever comes needs another one. */
  get isOver(): boolean {
    return this.#deps.lease.feed.isOver;
  }

  get figures(): { readonly viewers: number; readonly lines: number } {
    const lines = [...this.#workers.values()].reduce((sum, { place }) => sum + place.figures.lines, 0);
    return { viewers: this.#viewers.size, lines };
  }

  /** @throws AppError  as `StreamBridges.watch` */
  async watch({ worker, canPlay, viewer: name, signal }: WatchOptions): Promise<Watched> {
    const viewer: Viewer = new Viewer({ onReleased: () => this.#gone(viewer, worker) });
    this.#viewers.set(viewer, name);
    const place = this.#enter(worker);
    try {
      const tracks = await this.#described(viewer);
      const seat = async (kind: 'video' | 'audio'): Promise<Seat | undefined> => {
        const track = trackFor(tracks, kind, canPlay);
        if (track === undefined) return undefined;
        return viewer.hold(await place.seat(track, (why) => viewer.end(why)));
      };
      const video = await seat('video');
      const audio = await seat('audio');
      this.#requireWatching(viewer);
      if (signal?.aborted === true) throw appError('cancelled', 'the viewer is gone');
      if (video === undefined && audio === undefined) {
        throw this.#nothingPlayable();
      }
      audio?.begin();
      return {
        ...(video === undefined ? {} : { video: { producer: video.producer, begin: () => video.begin() } }),
        ...(audio === undefined ? {} : { audio: { producer: audio.producer } }),
        notes: [...this.#notes, ...tracks.flatMap(noteFor)],
        onEnded: (callback) => viewer.onEnded(callback),
        release: () => viewer.release(),
      };
    } catch (error) {
      viewer.release();
      throw error;
    }
  }

  /** Names of those who watch, or are about to. */
  get names(): readonly string[] {
    return [...this.#viewers.values()];
  }

  /** Ends all viewers. */
  end(reason: string): void {
    for (const viewer of [...this.#viewers.keys()]) viewer.end(reason);
  }

  /** Ends all viewers: the stream cannot be converted. */
  fail(error: AppError): void {
    this.#trouble = error;
    this.end(error.message);
  }

  get #notes(): readonly string[] {
    return this.#deps.lane()?.notes ?? [];
  }

  async #described(viewer: Viewer): Promise<readonly FeedTrack[]> {
    this.#trouble = undefined;
    const { feed } = this.#deps.lease;
    const ended = new Promise<undefined>((resolve) => viewer.onEnded(() => resolve(undefined)));
    this.#deps.lane()?.retry();
    for (let waits = 1; ; waits++) {
      const described = feed.described(bridgeLimits.describeWaitMs).catch((error: unknown) => {
        const mayCome = this.#deps.lane()?.isStarting === true && waits < bridgeLimits.describeWaits;
        if (mayCome) return undefined;
        throw (this.#deps.lane()?.codecIds.length ?? 0) > 0 ? this.#nothingPlayable() : error;
      });
      const tracks = await Promise.race([described, ended]);
      this.#requireWatching(viewer);
      if (tracks !== undefined) return tracks;
    }
  }

  #nothingPlayable(): AppError {
    return appError('failed_precondition', 'nothing of this stream can be played by WebRTC', {
      ...{ streamId: this.#streamId, codecIds: this.#deps.lane()?.codecIds, notes: this.#notes },
      hint: 'play it by HLS',
    });
  }

  #requireWatching(viewer: Viewer): void {
    if (viewer.reason === undefined) return;
    throw this.#trouble ?? appError('unavailable', viewer.reason, { streamId: this.#streamId });
  }

  #enter(worker: BridgeWorker): StreamAtWorker {
    const { lease, lane: _lane, onEmpty: _onEmpty, ...deps } = this.#deps;
    const known = this.#workers.get(worker) ?? {
      place: new StreamAtWorker(
        { ...deps, worker, feed: lease.feed, times: this.#times },
        { streamId: this.#streamId },
      ),
      viewers: 0,
    };
    known.viewers++;
    this.#workers.set(worker, known);
    return known.place;
  }

  #gone(viewer: Viewer, worker: BridgeWorker): void {
    this.#viewers.delete(viewer);
    const known = this.#workers.get(worker);
    if (known !== undefined && --known.viewers === 0) {
      this.#workers.delete(worker);
      known.place.close();
    }
    if (this.#viewers.size > 0) return;
    this.#deps.lease.release();
    this.#deps.onEmpty();
  }
}

function noteFor({ format }: FeedTrack): readonly string[] {
  return viewerCodecOf(format) === undefined ? [`${format.map} is left out: browsers do not play it by WebRTC`] : [];
}

function trackFor(
  tracks: readonly FeedTrack[],
  kind: 'video' | 'audio',
  canPlay: WatchOptions['canPlay'],
): FeedTrack | undefined {
  return tracks.find(({ format }) => {
    const codec = viewerCodecOf(format);
    return format.kind === kind && codec !== undefined && canPlay.has(codec);
  });
}
