/** Who wants to know of new fragments: called by hints, and by looking while there are none. */

import type { Clock } from '../base/clock.ts';
import { toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { FragmentNumber } from '../model/fragment-number.ts';
import { limits } from '../model/limits.ts';

type Source = {
  /** True while hints tell of everything new. */
  readonly isTold: () => boolean;
  readonly newest: (streamId: string) => Promise<FragmentNumber | undefined>;
};

type Stream = { readonly callbacks: Set<{ readonly call: () => void }>; newest: FragmentNumber | undefined };

export class Listeners {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #source: Source;
  readonly #streams = new Map<string, Stream>();
  #stopPolling: (() => void) | undefined;
  #polling: Promise<void> | undefined;

  constructor(deps: { clock: Clock; log: Log }, source: Source) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#source = source;
  }

  add(streamId: string, callback: () => void): () => void {
    const entry = { call: callback };
    const stream = this.#streams.get(streamId) ?? { callbacks: new Set(), newest: undefined };
    this.#streams.set(streamId, stream);
    stream.callbacks.add(entry);
    this.#stopPolling ??= this.#clock.every(limits.readerPollMs, () => this.#poll());
    return () => {
      stream.callbacks.delete(entry);
      if (stream.callbacks.size === 0 && this.#streams.get(streamId) === stream) this.#streams.delete(streamId);
      if (this.#streams.size === 0) this.#stop();
    };
  }

  call(streamId: string): void {
    for (const { call } of [...(this.#streams.get(streamId)?.callbacks ?? [])]) call();
  }

  callAll(): void {
    for (const streamId of [...this.#streams.keys()]) this.call(streamId);
  }

  async close(): Promise<void> {
    this.#streams.clear();
    this.#stop();
    await this.#polling;
  }

  #stop(): void {
    this.#stopPolling?.();
    this.#stopPolling = undefined;
  }

  #poll(): void {
    if (this.#source.isTold() || this.#polling !== undefined) return;
    this.#polling = this.#look()
      .catch((error: unknown) => {
        this.#log.counted('looking for new fragments failed', 1, { error: toAppError(error).message });
      })
      .finally(() => {
        this.#polling = undefined;
      });
  }

  async #look(): Promise<void> {
    for (const [streamId, stream] of [...this.#streams]) {
      const newest = await this.#source.newest(streamId);
      if (newest === stream.newest) continue;
      stream.newest = newest;
      this.call(streamId);
    }
  }
}
