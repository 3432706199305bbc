/**
 * Ranges on their way to their store: kept in a file until the store has their end, so that neither a store that is away nor our
 * own death loses what a camera saw. What went on when we died ends when we were last alive.
 */

import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../../storage/base/clock.ts';
import { errnoOf, isAppError } from '../../../storage/base/errors.ts';
import { writeFileAtomic } from '../../../storage/base/files.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import { Backoff } from '../../../storage/base/retry.ts';
import { onvifLimits } from '../limits.ts';
import type { EventKind, EventRange, EventSink } from './event-sink.ts';

/** A range as it is stored. */
export type StoredRange = {
  readonly rangeId: string;
  readonly streamId: string;
  readonly kind: EventKind;
  readonly source: 'onvif';
  readonly beginMs: number;
  /** Null: it goes on. */
  readonly endMs: number | null;
  readonly detail: Readonly<Record<string, string>>;
};

export type EventStore = {
  /** Makes or replaces the range of that id. @throws AppError invalid_argument  it can never be stored */
  put(range: StoredRange): Promise<void>;
};

const fileShape = z.object({
  version: z.literal(1),
  aliveMs: z.number(),
  ranges: z
    .array(
      z.object({
        rangeId: z.string(),
        streamId: z.string(),
        kind: z.enum(['motion', 'line', 'tamper', 'digital-input']),
        source: z.literal('onvif'),
        beginMs: z.number(),
        endMs: z.number().nullable(),
        detail: z.record(z.string(), z.string()),
      }),
    )
    .max(onvifLimits.outboxRangesMax),
});

type Entry = { range: StoredRange; isWaiting: boolean };

export class EventOutbox implements EventSink {
  readonly #deps: { readonly clock: Clock; readonly log: Log; readonly store: EventStore };
  readonly #path: string;
  readonly #lifetime = new Lifetime();
  /** In the order in which they began. */
  readonly #entries = new Map<string, Entry>();
  #isChanged = false;
  #wake: (() => void) | undefined;

  constructor(
    deps: { readonly clock: Clock; readonly log: Log; readonly store: EventStore },
    options: { readonly path: string },
  ) {
    this.#deps = deps;
    this.#path = options.path;
  }

  /** Ranges that the store has not heard of, or not of their end. */
  get size(): number {
    return this.#entries.size;
  }

  /** Takes up what the former process left. */
  async start(): Promise<void> {
    for (const range of await this.#load()) this.#entries.set(range.rangeId, { range, isWaiting: true });
    this.#lifetime.loop((signal) => this.#saveAgain(signal));
    this.#lifetime.loop((signal) => this.#deliver(signal));
  }

  /** Keeps in the file what is not delivered yet. */
  async close(): Promise<void> {
    this.#wake?.();
    await this.#lifetime.close();
    await this.#save();
  }

  began({ rangeId, streamId, kind, beginMs, detail }: EventRange): void {
    const range = { rangeId, streamId, kind, source: 'onvif', beginMs, endMs: null, detail } as const;
    this.#put(range);
  }

  ended({ rangeId, streamId, kind, beginMs, detail }: EventRange, { endMs }: { readonly endMs: number }): void {
    this.#put({ rangeId, streamId, kind, source: 'onvif', beginMs, endMs, detail });
  }

  #put(range: StoredRange): void {
    if (!this.#entries.has(range.rangeId) && this.#entries.size >= onvifLimits.outboxRangesMax) {
      this.#deps.log.counted('events of cameras are lost: too many wait for their store');
      return;
    }
    this.#entries.set(range.rangeId, { range, isWaiting: true });
    this.#isChanged = true;
    this.#wake?.();
  }

  async #saveAgain(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    let savedMs = clock.monotonicMs();
    for (;;) {
      await clock.sleep(onvifLimits.outboxSaveMs, signal);
      const isAging = this.#entries.size > 0 && clock.monotonicMs() - savedMs >= onvifLimits.outboxAliveMs;
      if (!this.#isChanged && !isAging) continue;
      await this.#save().catch((error: unknown) => log.counted('events could not be kept in their file', 1, { error }));
      savedMs = clock.monotonicMs();
    }
  }

  async #save(): Promise<void> {
    this.#isChanged = false;
    const ranges = [...this.#entries.values()].map(({ range }) => range);
    await mkdir(dirname(this.#path), { recursive: true });
    await writeFileAtomic(this.#path, JSON.stringify({ version: 1, aliveMs: this.#deps.clock.wallMs(), ranges }), {
      mode: 0o600,
    });
  }

  async #deliver(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const backoff = new Backoff({
      firstDelayMs: onvifLimits.outboxRetryMsFirst,
      delayMsMax: onvifLimits.outboxRetryMsMax,
    });
    while (!signal.aborted) {
      const next = [...this.#entries.values()].find(({ isWaiting }) => isWaiting);
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      try {
        await this.#deliverOne(next);
        backoff.reset();
      } catch (error) {
        if (backoff.attempts === 0) log.warn('events of cameras wait for their store', { error, waiting: this.size });
        await clock.sleep(backoff.nextDelayMs(), signal);
      }
    }
  }

  async #deliverOne(entry: Entry): Promise<void> {
    const { range } = entry;
    try {
      await this.#deps.store.put(range);
    } catch (error) {
      if (!isAppError(error, 'invalid_argument')) throw error;
      this.#deps.log.error('an event of a camera is refused and dropped', { error, rangeId: range.rangeId });
    }
    this.#isChanged = true;
    // It may have ended while it was on its way: then there is another entry of this id.
    if (this.#entries.get(range.rangeId) !== entry) return;
    if (range.endMs === null) entry.isWaiting = false;
    else this.#entries.delete(range.rangeId);
  }

  /** What the file has, ended; a file that cannot be read is told and left behind. */
  async #load(): Promise<StoredRange[]> {
    try {
      const { aliveMs, ranges } = fileShape.parse(JSON.parse(await readFile(this.#path, 'utf8')));
      return ranges.map((range) => ({ ...range, endMs: range.endMs ?? Math.max(aliveMs, range.beginMs) }));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') this.#deps.log.error('events kept in a file cannot be read', { error });
      return [];
    }
  }
}
