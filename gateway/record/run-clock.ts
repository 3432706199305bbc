/** Server time inside a run: its start plus media time, slewed towards the wall clock, never stepped. Pure. */

import { limits } from '../../storage/model/limits.ts';

const slewPerMs = limits.slewPpmMax / 1_000_000;
const slewAheadPerMs = limits.slewAheadPpmMax / 1_000_000;

export class RunClock {
  readonly #startServerMs: number;
  readonly #startMonotonicMs: number;
  #slewMs = 0;
  #adjustedMediaMs = 0;

  /**
   * @param options.startServerMs     server time of media time 0
   * @param options.startMonotonicMs  when the unit at media time 0 was received
   */
  constructor(options: { readonly startServerMs: number; readonly startMonotonicMs: number }) {
    this.#startServerMs = options.startServerMs;
    this.#startMonotonicMs = options.startMonotonicMs;
  }

  /** Server time of a moment of the run's media. */
  toServerMs(mediaMs: number): number {
    return this.#startServerMs + mediaMs + this.#slewMs;
  }

  /**
   * Server time of a moment of ours, on the run's own timeline even if the wall clock was set since; never before its start, which
   * a run that began behind a backlog and ends at once has not come back from yet.
   */
  serverMsAt(monotonicMs: number): number {
    const sinceStartMs = monotonicMs - this.#startMonotonicMs + this.#slewMs;
    return this.#startServerMs + Math.max(0, sinceStartMs);
  }

  /**
   * Moves server time towards the arrival of a unit: slowly to later, since one that arrives late says little, and at up to half
   * speed to earlier, since none arrives before it was taken. Server time goes on in any case.
   */
  follow(mediaMs: number, arrivalWallMs: number): void {
    const passedMs = Math.max(0, mediaMs - this.#adjustedMediaMs);
    const errorMs = arrivalWallMs - this.toServerMs(mediaMs);
    this.#slewMs += Math.min(passedMs * slewPerMs, Math.max(-passedMs * slewAheadPerMs, errorMs));
    this.#adjustedMediaMs = Math.max(this.#adjustedMediaMs, mediaMs);
  }
}

/** Tells a wall clock that was set from one that NTP pulls: compares it with the time that really passed. */
export class WallWatch {
  #offsetMs: number | undefined;
  #lookedMs = 0;

  /** The wall clock is right now: a run begins with it. */
  reset(wallMs: number, monotonicMs: number): void {
    this.#offsetMs = wallMs - monotonicMs;
    this.#lookedMs = monotonicMs;
  }

  /** True once after each step above `limits.wallStepMs`. */
  hasStepped(wallMs: number, monotonicMs: number): boolean {
    const offsetMs = wallMs - monotonicMs;
    const boundMs = (monotonicMs - this.#lookedMs) * slewPerMs;
    this.#lookedMs = monotonicMs;
    const differenceMs = offsetMs - (this.#offsetMs ?? offsetMs);
    if (Math.abs(differenceMs) > limits.wallStepMs) {
      this.#offsetMs = offsetMs;
      return true;
    }
    this.#offsetMs = offsetMs - differenceMs + Math.min(boundMs, Math.max(-boundMs, differenceMs));
    return false;
  }
}
