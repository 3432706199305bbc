/**
 * Everything the keeper asks of the object store goes through here, so that a store that hangs (a dead mount) costs one
 * deadline and not the keeper: while an answer is outstanding beyond its time, the store counts as away and is asked nothing
 * more. Also remembers how the store is doing, for people.
 */

import type { Clock } from '../base/clock.ts';
import { type AppError, appError, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ObjectStore } from '../objects/index.ts';

export type StoreHealth = {
  readonly state: 'unknown' | 'well' | 'away' | 'another';
  /** Why it is not well. */
  readonly message: string | undefined;
  readonly hint: string | undefined;
  readonly sinceMs: number;
};

export class StoreGate {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #store: ObjectStore;
  readonly #timeoutMs: number;
  readonly #hanging = new Set<Promise<unknown>>();
  #health: StoreHealth;

  constructor(
    dependencies: { readonly clock: Clock; readonly log: Log; readonly store: ObjectStore },
    options: { readonly timeoutMs: number },
  ) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#store = dependencies.store;
    this.#timeoutMs = options.timeoutMs;
    this.#health = { state: 'unknown', message: undefined, hint: undefined, sinceMs: dependencies.clock.wallMs() };
  }

  get health(): StoreHealth {
    return this.#health;
  }

  /** Asks the store, but waits no longer than its time. @throws AppError unavailable  it hangs, or what the store threw */
  async ask<T>(question: (store: ObjectStore) => Promise<T>): Promise<T> {
    if (this.#hanging.size > 0)
      throw appError('unavailable', 'the object store does not answer', { calls: this.#hanging.size });
    const late = appError('unavailable', 'the object store does not answer', { timeoutMs: this.#timeoutMs });
    const answer = question(this.#store);
    const waiting = new AbortController();
    try {
      return await Promise.race([answer, this.#throwAfterTimeout(late, waiting.signal)]);
    } catch (error) {
      if (error === late) this.#remember(answer);
      throw error;
    } finally {
      waiting.abort();
    }
  }

  well(): void {
    this.#change({ state: 'well', message: undefined, hint: undefined });
  }

  away(error: unknown): void {
    const failure = toAppError(error);
    this.#change({ state: 'away', message: failure.message, hint: failure.hint });
  }

  /** The store answers, but it is not the one that holds our objects. */
  another(failure: AppError): void {
    this.#change({ state: 'another', message: failure.message, hint: failure.hint });
  }

  #change(health: Omit<StoreHealth, 'sinceMs'>): void {
    const before = this.#health;
    if (before.state === health.state && before.message === health.message) return;
    this.#health = { ...health, sinceMs: this.#clock.wallMs() };
    if (health.state === 'well') {
      if (before.state !== 'unknown') this.#log.info('object store is back', {});
    } else if (before.state !== health.state) {
      this.#log.error('object store is away', {
        state: health.state,
        reason: health.message,
        hint: health.hint ?? 'Recording goes on; files stay on this machine and follow when the store is back.',
      });
    }
  }

  async #throwAfterTimeout(late: AppError, signal: AbortSignal): Promise<never> {
    try {
      await this.#clock.sleep(this.#timeoutMs, signal);
    } catch {
      // The answer came first: whoever raced has it already.
      return new Promise<never>(() => {});
    }
    throw late;
  }

  #remember(answer: Promise<unknown>): void {
    const settled: Promise<unknown> = answer.catch(() => {}).finally(() => this.#hanging.delete(settled));
    this.#hanging.add(settled);
  }
}
