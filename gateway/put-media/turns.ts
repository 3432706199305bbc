/**
 * The time that media of producers may take of a process which also records cameras: half of it, for all of them together. Whoever has
 * worked is told how long to pause; as long as there is time enough for all, nobody is.
 */

import type { Clock } from '../../storage/base/clock.ts';

/** Work that was saved up while there was none: a burst of so much is nobody's trouble. */
const savedMsMax = 10;

export class Turns {
  readonly #clock: Clock;
  #savedMs = savedMsMax;
  #atMs: number | undefined;

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /**
   * Does some work.
   *
   * @returns  how long to wait before the next, milliseconds; 0 for not at all
   */
  work(work: () => void): number {
    const beganMs = this.#clock.monotonicMs();
    work();
    const nowMs = this.#clock.monotonicMs();
    // Of the time since the last turn half was ours.
    const passedMs = nowMs - (this.#atMs ?? beganMs);
    this.#atMs = nowMs;
    this.#savedMs = Math.min(savedMsMax, this.#savedMs + passedMs / 2) - (nowMs - beganMs);
    return this.#savedMs >= 0 ? 0 : -2 * this.#savedMs;
  }
}
