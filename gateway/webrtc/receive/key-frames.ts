/** When a peer is asked for a key frame: at the beginning, after a loss, when somebody needs one, and when the last one is old. */

import type { Clock } from '../../../storage/base/clock.ts';
import { receiveLimits } from './limits.ts';

export class KeyFrames {
  readonly #clock: Clock;
  readonly #ask: () => void;
  #stopLooking: () => void = () => {};
  #cameMs: number;
  /** Since something was lost, or somebody wants one, no key frame came. */
  #isWanted = true;
  #askedMs = Number.NEGATIVE_INFINITY;
  /** Since the last key frame. */
  #asked = 0;

  constructor(deps: { readonly clock: Clock; readonly ask: () => void }) {
    this.#clock = deps.clock;
    this.#ask = deps.ask;
    this.#cameMs = deps.clock.monotonicMs();
  }

  start(): void {
    this.#stopLooking = this.#clock.every(receiveLimits.keyFrameLookMs, () => this.#look());
  }

  close(): void {
    this.#stopLooking();
  }

  came(): void {
    this.#cameMs = this.#clock.monotonicMs();
    this.#isWanted = false;
    this.#asked = 0;
  }

  want(): void {
    this.#isWanted = true;
    this.#look();
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#isWanted && nowMs - this.#cameMs < receiveLimits.keyFrameAgeMs) return;
    const { keyFrameRetryMs, keyFrameRetryMsMax } = receiveLimits;
    const waitMs = Math.min(keyFrameRetryMsMax, keyFrameRetryMs * Math.max(1, this.#asked));
    if (nowMs - this.#askedMs < waitMs) return;
    this.#askedMs = nowMs;
    this.#asked++;
    this.#ask();
  }
}
