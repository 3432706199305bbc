/**
 * Parts of the streams that are watched with low latency: made while somebody asks, given up a while after the last request.
 * Whatever is asked for beyond the bounds is not refused: there are no parts then, and segments play.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { LaneClient } from '../../../storage/lane/index.ts';
import { limits } from '../../../storage/model/limits.ts';
import type { FragmentSource } from '../fragment-source.ts';
import { StreamParts } from './stream-parts.ts';

export type LowLatencyDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly source: FragmentSource;
  /** Lanes of the process that owns a stream. */
  readonly laneOf: (streamId: string) => Pick<LaneClient, 'subscribe'>;
};

export type LowLatencyFigures = {
  /** Streams whose parts are made. */
  readonly streams: number;
  /** Bytes of parts and of units that wait. */
  readonly bytes: number;
  /** Requests that wait for a part. */
  readonly waiting: number;
};

type Entry = { readonly parts: StreamParts; users: number; cancelLinger: (() => void) | undefined };

/** The lane's answer takes milliseconds; a player that came too early begins with segments. */
const startWaitMs = 2_000;

export class LowLatency {
  readonly #deps: LowLatencyDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new Set<Promise<void>>();
  #opened = 0;
  #waiting = 0;
  #isClosed = false;

  constructor(deps: LowLatencyDeps) {
    this.#deps = deps;
  }

  get figures(): LowLatencyFigures {
    return { streams: this.#entries.size, bytes: this.#bytes(), waiting: this.#waiting };
  }

  /**
   * Does something with the parts of a stream, which are kept meanwhile. They are undefined where too many other streams are
   * watched.
   */
  async use<T>(streamId: string, what: (parts: StreamParts | undefined) => Promise<T>): Promise<T> {
    const entry = this.#entryOf(streamId);
    if (entry === undefined) return what(undefined);
    entry.users++;
    entry.cancelLinger?.();
    try {
      return await what(entry.parts);
    } finally {
      entry.users--;
      if (entry.users === 0 && this.#entries.get(streamId) === entry) {
        entry.cancelLinger = this.#deps.clock.after(limits.hlsPartsLingerMs, () => this.#close(streamId, entry));
      }
    }
  }

  /** Begins to make parts, and waits a moment for the first ones: the next request is answered with them. */
  async prepare(streamId: string, signal: AbortSignal | undefined): Promise<void> {
    const deadlineMs = this.#deps.clock.monotonicMs() + startWaitMs;
    await this.use(streamId, async (parts) => {
      while (parts !== undefined && !parts.isStarted) {
        if (!(await this.wait(parts, deadlineMs, signal))) return;
      }
    });
  }

  /** Waits until something changed. False when that is of no use: the time is over, the client left, or too many wait. */
  async wait(parts: StreamParts, deadlineMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    const leftMs = deadlineMs - this.#deps.clock.monotonicMs();
    const isOver = () => signal?.aborted === true || this.#isClosed;
    if (leftMs <= 0 || isOver() || this.#waiting >= limits.hlsBlockedMax) return false;
    this.#waiting++;
    try {
      await parts.changed(leftMs, signal);
    } finally {
      this.#waiting--;
    }
    return !isOver();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const [streamId, entry] of [...this.#entries]) this.#close(streamId, entry);
    await Promise.all(this.#closing);
  }

  #entryOf(streamId: string): Entry | undefined {
    const known = this.#entries.get(streamId);
    if (known !== undefined) return known;
    if (this.#isClosed || this.#entries.size >= limits.hlsPartStreamsMax || !this.#hasRoom()) return undefined;
    const { clock, log, source, laneOf } = this.#deps;
    // Unlike a count alone it differs from those of an earlier process: a part's name is one answer for ever.
    const tag = `${clock.wallMs().toString(36)}x${(this.#opened++).toString(36)}`;
    const parts = new StreamParts(
      { clock, log, source, lane: laneOf(streamId), hasRoom: () => this.#hasRoom() },
      { streamId, tag },
    );
    parts.start();
    log.debug('low-latency parts are made', { streamId });
    const entry: Entry = { parts, users: 0, cancelLinger: undefined };
    this.#entries.set(streamId, entry);
    return entry;
  }

  #bytes(): number {
    let bytes = 0;
    for (const { parts } of this.#entries.values()) bytes += parts.byteLength;
    return bytes;
  }

  #hasRoom(): boolean {
    return this.#bytes() < limits.hlsPartsBytesMax;
  }

  #close(streamId: string, entry: Entry): void {
    entry.cancelLinger?.();
    if (this.#entries.get(streamId) === entry) this.#entries.delete(streamId);
    const closing = entry.parts.close().finally(() => this.#closing.delete(closing));
    closing.catch(() => {});
    this.#closing.add(closing);
  }
}
