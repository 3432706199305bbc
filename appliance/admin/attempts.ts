/**
 * Limits guessing: after some wrong passwords for an account, or from an address, each further attempt must wait, twice as
 * long each time. Memory is bounded: the keys that were wrong the longest ago are forgotten first.
 */

import type { Clock } from '../../storage/base/clock.ts';

export type AttemptLimits = {
  readonly delayMsFirst: number;
  readonly keysMax: number;
  readonly forgetMs: number;
};

type Attempts = { wrong: number; lastMs: number; untilMs: number };

export class AttemptLimiter {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #limits: AttemptLimits;
  /** In order of the last wrong attempt, oldest first. */
  readonly #keys = new Map<string, Attempts>();

  constructor({ clock }: { readonly clock: Pick<Clock, 'monotonicMs'> }, limits: AttemptLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** How long this key must wait before its next attempt, milliseconds; 0 when it may try now. */
  waitMs(key: string): number {
    const attempts = this.#keys.get(key);
    return attempts === undefined ? 0 : Math.max(0, attempts.untilMs - this.#clock.monotonicMs());
  }

  /**
   * Notes a wrong attempt. Returns how many there were in a row.
   * @param free  wrong attempts before delays begin
   */
  wrong(key: string, options: { readonly free: number; readonly delayMsMax: number }): number {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#keys.get(key);
    const wrong = before === undefined || nowMs - before.lastMs > this.#limits.forgetMs ? 1 : before.wrong + 1;
    const over = wrong - options.free;
    const delayMs = over < 0 ? 0 : Math.min(options.delayMsMax, this.#limits.delayMsFirst * 2 ** Math.min(over, 30));
    this.#keys.delete(key);
    this.#keys.set(key, { wrong, lastMs: nowMs, untilMs: nowMs + delayMs });
    const oldest = this.#keys.keys().next();
    if (this.#keys.size > this.#limits.keysMax && !oldest.done) this.#keys.delete(oldest.value);
    return wrong;
  }

  /** Forgets a key whose attempt was right. */
  right(key: string): void {
    this.#keys.delete(key);
  }

  /** Keys remembered now. */
  get size(): number {
    return this.#keys.size;
  }
}
