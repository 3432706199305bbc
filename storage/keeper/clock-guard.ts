/**
 * One wrong answer from a time server on a closed site must not delete everything. Wall and monotonic clock are compared; after
 * a step, or a start long after the newest footage, the clock is in doubt until a person confirms it. Only age asks for it.
 */

import type { Clock } from '../base/clock.ts';
import { limits } from '../model/limits.ts';

/** Why the clock is not trusted. */
export type ClockDoubt = {
  /** Lower-case sentence for people. */
  readonly reason: string;
  /** Wall time at which the doubt arose. */
  readonly sinceMs: number;
  /** How far the wall clock went, or lies from the newest footage; negative: back. */
  readonly stepMs: number;
};

/** Crystals drift by up to 100 ppm, which is 9 s a day: the comparison begins anew before that could look like a step. */
const comparedMs = 86_400_000;

export class ClockGuard {
  readonly #clock: Clock;
  #doubt: ClockDoubt | undefined;
  #compared: { readonly wallMs: number; readonly monotonicMs: number };

  /** @param earlier  the doubt of the process before, if nobody confirmed the clock since */
  constructor(dependencies: { readonly clock: Clock }, earlier: ClockDoubt | undefined) {
    this.#clock = dependencies.clock;
    this.#doubt = earlier;
    this.#compared = { wallMs: this.#clock.wallMs(), monotonicMs: this.#clock.monotonicMs() };
  }

  get doubt(): ClockDoubt | undefined {
    return this.#doubt;
  }

  /** Compares the clock with the newest footage, once at the start, and when a lost index told of it again. */
  onStart(newestFootageMs: number | undefined): void {
    if (newestFootageMs === undefined) return;
    const aheadMs = this.#clock.wallMs() - newestFootageMs;
    if (aheadMs > limits.clockAheadMsMax) this.#raise('the clock is more than a day past the newest footage', aheadMs);
    if (aheadMs < -limits.clockStepMsMax) this.#raise('the clock is behind the newest footage', aheadMs);
  }

  /** The index was lost, and with it whether the clock was trusted; footage from before is there and could be removed. */
  onLost(): void {
    this.#raise('the index was lost, and with it whether the clock was trusted', 0);
  }

  /** Compares wall time with time that really passed; to be called often. */
  observe(): void {
    const wallMs = this.#clock.wallMs();
    const monotonicMs = this.#clock.monotonicMs();
    const passedMs = monotonicMs - this.#compared.monotonicMs;
    const stepMs = Math.round(wallMs - this.#compared.wallMs - passedMs);
    const isStep = Math.abs(stepMs) > limits.clockStepMsMax;
    if (isStep) this.#raise(`the clock was set ${stepMs > 0 ? 'forward' : 'back'}`, stepMs);
    if (isStep || passedMs > comparedMs) this.#compared = { wallMs, monotonicMs };
  }

  /** A person says that the clock is right. */
  confirm(): void {
    this.#doubt = undefined;
    this.#compared = { wallMs: this.#clock.wallMs(), monotonicMs: this.#clock.monotonicMs() };
  }

  /** The first doubt stays: it is the one that explains the others. */
  #raise(reason: string, stepMs: number): void {
    this.#doubt ??= { reason, sinceMs: this.#clock.wallMs(), stepMs };
  }
}
