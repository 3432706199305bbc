/** How one track's time goes over a session: judges whether a unit's time follows from the ones before. Pure. */

import type { AccessUnit } from '../../storage/model/access-unit.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Track } from '../../storage/model/track.ts';

/** Two audio units are at least so far apart, so that their times stay apart when they are rounded to milliseconds. */
const audioStepUs = 1_000;

export class TrackTimes {
  readonly isVideo: boolean;
  #latestUs: number | undefined;
  #receivedMs: number | undefined;
  #intervalUs = 0;

  constructor(track: Track) {
    this.isVideo = track.kind === 'video';
  }

  /** Latest presentation time so far, session microseconds. */
  get latestUs(): number | undefined {
    return this.#latestUs;
  }

  /** When its last unit was received, monotonic milliseconds. */
  get receivedMs(): number | undefined {
    return this.#receivedMs;
  }

  /** Usual distance of its units. */
  get intervalMs(): number {
    return this.#intervalUs / 1_000;
  }

  isAlive(nowMs: number): boolean {
    return this.#receivedMs !== undefined && nowMs - this.#receivedMs < limits.timeHoleMs;
  }

  /** Milliseconds by which the unit is beyond the latest one; negative for pictures that are shown earlier. */
  deltaMs(unit: AccessUnit): number {
    return this.#latestUs === undefined ? 0 : (unit.presentationTimeUs - this.#latestUs) / 1_000;
  }

  /** True when the track's time went back further than reordering of pictures or a coarse clock explains. */
  isBack(unit: AccessUnit): boolean {
    const deltaMs = this.deltaMs(unit);
    if (!this.isVideo) return deltaMs < -limits.audioBackMs;
    return deltaMs < -limits.trackLateMs || (unit.isKey && this.#latestUs !== undefined && deltaMs <= 0);
  }

  isBeyondHole(unit: AccessUnit): boolean {
    return this.deltaMs(unit) > limits.timeHoleMs;
  }

  /**
   * The unit with a time that its track can have: audio goes forward by a millisecond at least. Times are rounded one by one
   * from the session's microseconds, never summed up, so rounding does not drift.
   */
  straightened(unit: AccessUnit): AccessUnit {
    if (this.isVideo || this.#latestUs === undefined) return unit;
    const earliestUs = this.#latestUs + audioStepUs;
    return unit.presentationTimeUs >= earliestUs ? unit : { ...unit, presentationTimeUs: earliestUs };
  }

  note(unit: AccessUnit): void {
    const deltaUs = unit.presentationTimeUs - (this.#latestUs ?? unit.presentationTimeUs);
    if (deltaUs > 0) this.#intervalUs += (deltaUs - this.#intervalUs) / (this.#intervalUs === 0 ? 1 : 16);
    this.#latestUs = Math.max(this.#latestUs ?? unit.presentationTimeUs, unit.presentationTimeUs);
    this.#receivedMs = unit.receivedMonotonicMs;
  }

  /** Forgets the media time after a jump; the track is the same. */
  forgetTime(): void {
    this.#latestUs = undefined;
  }
}
