/**
 * The live end of streams, shared by their readers: one word of new fragments wakes all of them, and those that stand at the
 * same number list what follows once. Nothing is listed while nothing happens.
 */

import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import { mediaLimits } from './limits.ts';
import type { MediaFragment, MediaSource } from './source.ts';

/** One stream's end. */
export class StreamTail {
  readonly #source: MediaSource;
  readonly #streamId: string;
  /** Lists that were begun after the last word of news, by where they begin. */
  #lists = new Map<string, Promise<readonly MediaFragment[]>>();
  readonly #waiting = new Set<() => void>();
  #news = 0;

  constructor(source: MediaSource, streamId: string) {
    this.#source = source;
    this.#streamId = streamId;
  }

  /** Rises with each word that there may be something new. */
  get news(): number {
    return this.#news;
  }

  /**
   * The first fragments after a number. What came before the last `news` is in it.
   * @throws AppError unavailable  it is not known what follows
   */
  after(number: FragmentNumber | undefined): Promise<readonly MediaFragment[]> {
    const key = number ?? '';
    const lists = this.#lists;
    let list = lists.get(key);
    if (list === undefined) {
      const limit = mediaLimits.batchFragments;
      list = this.#source.fragmentsAfter(this.#streamId, number, limit, { isWhole: true });
      lists.set(key, list);
      const forget = () => lists.delete(key);
      list.then(forget, forget);
    }
    return list;
  }

  wake(): void {
    this.#news++;
    this.#lists = new Map();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  /** Resolves when there is other news than that, or the signal aborts. */
  changed(news: number, signal: AbortSignal): Promise<void> {
    if (news !== this.#news || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

export class StreamTails {
  readonly #source: MediaSource;
  readonly #tails = new Map<string, { readonly tail: StreamTail; stop: () => void; readers: number }>();

  constructor({ source }: { readonly source: MediaSource }) {
    this.#source = source;
  }

  /** Readers of all streams. */
  get readers(): number {
    return [...this.#tails.values()].reduce((sum, { readers }) => sum + readers, 0);
  }

  readersOf(streamId: string): number {
    return this.#tails.get(streamId)?.readers ?? 0;
  }

  /** Counts a reader in, until the returned function is called, once or more often. */
  join(streamId: string): { readonly tail: StreamTail; readonly leave: () => void } {
    let entry = this.#tails.get(streamId);
    if (entry === undefined) {
      const tail = new StreamTail(this.#source, streamId);
      entry = { tail, stop: this.#source.onNew(streamId, () => tail.wake()), readers: 0 };
      this.#tails.set(streamId, entry);
    }
    const joined = entry;
    joined.readers++;
    let hasLeft = false;
    const leave = () => {
      if (hasLeft) return;
      hasLeft = true;
      joined.readers--;
      if (joined.readers > 0) return;
      joined.stop();
      this.#tails.delete(streamId);
    };
    return { tail: joined.tail, leave };
  }

  /** Streams changed, and maybe who tells of them: all readers look again. */
  renew(): void {
    for (const [streamId, entry] of this.#tails) {
      entry.stop();
      entry.stop = this.#source.onNew(streamId, () => entry.tail.wake());
      entry.tail.wake();
    }
  }
}
