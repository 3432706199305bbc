/** What the times of a stream's units tell: when the next key frame is due, and which wall time a position has. Pure. */

import type { FeedUnit } from '../../rtp/index.ts';

/** A sixty-fourth of the error is taken back with each picture: jitter disappears, a camera's drift is followed. */
const followShare = 1 / 64;
/** The source began anew, or a clock was set. */
const jumpMs = 1_000;

export class StreamTimes {
  #last: FeedUnit | undefined;
  #keyAtMs: number | undefined;
  #keyIntervalMs: number | undefined;
  #offsetMs: number | undefined;

  /** Takes a unit of the leading track, as it comes; those that several lines hear count once. */
  hear(unit: FeedUnit, nowMs: number): void {
    if (unit === this.#last) return;
    this.#last = unit;
    const offsetMs = unit.serverTimestampMs - unit.positionUs / 1000;
    const error = offsetMs - (this.#offsetMs ?? offsetMs);
    const isJump = this.#offsetMs === undefined || Math.abs(error) > jumpMs;
    this.#offsetMs = isJump ? offsetMs : (this.#offsetMs ?? 0) + error * followShare;
    if (!unit.isStart) return;
    if (this.#keyAtMs !== undefined) this.#keyIntervalMs = nowMs - this.#keyAtMs;
    this.#keyAtMs = nowMs;
  }

  /** Milliseconds until the next key frame, if the source keeps its rhythm; undefined while that is unknown. */
  untilKeyMs(nowMs: number): number | undefined {
    if (this.#keyAtMs === undefined || this.#keyIntervalMs === undefined) return undefined;
    return this.#keyAtMs + this.#keyIntervalMs - nowMs;
  }

  /** Our wall time of a position, the same for all tracks; undefined before anything was heard. */
  wallMsOf(positionUs: number): number | undefined {
    return this.#offsetMs === undefined ? undefined : this.#offsetMs + positionUs / 1000;
  }
}
