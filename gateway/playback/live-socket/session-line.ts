/**
 * One timeline for all sessions of a source: within a session it follows the source's own time, where a new one begins it goes on
 * by as much as really passed. Pure.
 */

import type { TimePoint } from './messages.ts';

/** Room before the first unit: for sound that began earlier, and for decode times of reordered pictures. */
const firstPositionUs = 2_000_000;
/** A session begins at least so much later than the last unit of the one before. */
const stepUsMin = 40_000;

export type TimedUnit = { readonly presentationTimeUs: number; readonly serverTimestampMs: number };

export class SessionLine {
  /** Added to a session's time; undefined before its first unit. */
  #shiftUs: number | undefined;
  #newest: { readonly positionUs: number; readonly serverTimestampMs: number } | undefined;

  /** The newest moment that is known both ways; undefined before the first unit. */
  get time(): TimePoint | undefined {
    const newest = this.#newest;
    return newest === undefined
      ? undefined
      : { positionMs: newest.positionUs / 1000, serverTimestampMs: newest.serverTimestampMs };
  }

  newSession(): void {
    this.#shiftUs = undefined;
  }

  /** Position of a unit, microseconds. */
  positionUs({ presentationTimeUs, serverTimestampMs }: TimedUnit): number {
    this.#shiftUs ??= this.#begin(serverTimestampMs) - presentationTimeUs;
    const positionUs = Math.max(0, presentationTimeUs + this.#shiftUs);
    if (this.#newest === undefined || positionUs > this.#newest.positionUs) {
      this.#newest = { positionUs, serverTimestampMs };
    }
    return positionUs;
  }

  #begin(serverTimestampMs: number): number {
    const newest = this.#newest;
    if (newest === undefined) return firstPositionUs;
    // Our clock may have been set back.
    return newest.positionUs + Math.max(stepUsMin, (serverTimestampMs - newest.serverTimestampMs) * 1000);
  }
}
