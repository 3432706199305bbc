/** Feeds of the streams that are watched: one for all readers of a stream, closed a while after the last one left. */

import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { LaneClient } from '../../storage/lane/index.ts';
import { type FeedLimits, LiveFeed } from './live-feed.ts';

/** Keeps a feed alive until it is given back. */
export type FeedLease = { readonly feed: LiveFeed; release(): void };

export type LiveFeedsDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  /** Lanes of the process that owns a stream. */
  readonly laneOf: (streamId: string) => Pick<LaneClient, 'subscribe'>;
};

export type LiveFeedsLimits = FeedLimits & {
  /** Streams that are watched at a time: each has a lane and one kept GOP. */
  readonly feedsMax: number;
  /** A feed nobody watches stays so long. */
  readonly lingerMs: number;
};

type Entry = { readonly feed: LiveFeed; users: number; cancelLinger: (() => void) | undefined };

export class LiveFeeds {
  readonly #deps: LiveFeedsDeps;
  readonly #limits: LiveFeedsLimits;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new Set<Promise<void>>();

  constructor(deps: LiveFeedsDeps, { limits }: { readonly limits: LiveFeedsLimits }) {
    this.#deps = deps;
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @throws AppError resource_exhausted  too many streams are watched */
  lease(streamId: string): FeedLease {
    const entry = this.#entryOf(streamId);
    entry.users++;
    entry.cancelLinger?.();
    entry.cancelLinger = undefined;
    let isHeld = true;
    return {
      feed: entry.feed,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        entry.users--;
        if (entry.users > 0) return;
        const { lingerMs } = this.#limits;
        entry.cancelLinger = this.#deps.clock.after(lingerMs, () => this.#close(streamId, entry));
      },
    };
  }

  async close(): Promise<void> {
    for (const [streamId, entry] of [...this.#entries]) this.#close(streamId, entry);
    await Promise.all(this.#closing);
  }

  #entryOf(streamId: string): Entry {
    const known = this.#entries.get(streamId);
    if (known !== undefined && !known.feed.isOver) return known;
    if (known !== undefined) this.#close(streamId, known);
    if (this.#entries.size >= this.#limits.feedsMax) {
      throw appError('resource_exhausted', 'too many streams are watched', { feedsMax: this.#limits.feedsMax });
    }
    const { laneOf, ...deps } = this.#deps;
    const feed = new LiveFeed({ ...deps, lane: laneOf(streamId) }, { streamId, limits: this.#limits });
    feed.start();
    const entry: Entry = { feed, users: 0, cancelLinger: undefined };
    this.#entries.set(streamId, entry);
    return entry;
  }

  #close(streamId: string, entry: Entry): void {
    entry.cancelLinger?.();
    if (this.#entries.get(streamId) === entry) this.#entries.delete(streamId);
    const closing = entry.feed.close().finally(() => this.#closing.delete(closing));
    closing.catch(() => {});
    this.#closing.add(closing);
  }
}
