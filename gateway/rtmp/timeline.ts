/**
 * The media timeline of a session: RTMP's milliseconds, which all tracks share and which wrap after 49.7 days, as microseconds
 * that begin near 0. The track that leads (video, or else sound) decides what is a jump; what another track has far from it is no
 * time at all.
 */

import { rtmpLimits } from './limits.ts';

export type Place = {
  /** Whole microseconds; NaN for a unit that has no place beside the lead. */
  readonly decodeTimeUs: number;
  /** The lead's clock jumped: this unit is at 0 of another timeline. */
  readonly isJump: boolean;
};

const nowhere: Place = { decodeTimeUs: Number.NaN, isJump: false };

export class RtmpTimeline {
  /** The lead's last unit: RTMP time and, without wrap, timeline. */
  #leadMs = 0;
  #leadAtMs = Number.NaN;
  #arrivalMs = 0;
  /** Smallest difference of arrival and media time so far, which may rise by 1,000 ppm: what no delay explains. */
  #leastLagMs = 0;
  #behindSinceMs = Number.NaN;

  /**
   * Where a unit of the lead lies. The first one is at 0.
   *
   * @param rtmpMs               decode time as sent, 32 bits
   * @param options.canBegin     it is decodable alone: a clock that fell behind is left here, and no picture with it
   */
  placeLead(rtmpMs: number, arrivalMs: number, options: { readonly canBegin: boolean }): Place {
    if (Number.isNaN(this.#leadAtMs)) {
      this.#begin(rtmpMs, arrivalMs);
      return { decodeTimeUs: 0, isJump: false };
    }
    const stepMs = (rtmpMs - this.#leadMs) | 0;
    const elapsedMs = arrivalMs - this.#arrivalMs;
    const atMs = this.#leadAtMs + stepMs;
    const isLeftBehind = this.#isLeftBehind(atMs, arrivalMs, elapsedMs);
    if (isJump(stepMs, elapsedMs) || (isLeftBehind && options.canBegin)) {
      this.#begin(rtmpMs, arrivalMs);
      return { decodeTimeUs: 0, isJump: true };
    }
    this.#leadMs = rtmpMs;
    this.#leadAtMs = atMs;
    this.#arrivalMs = arrivalMs;
    return { decodeTimeUs: atMs * 1_000, isJump: false };
  }

  /** Where a unit of another track lies: beside the lead's last one. */
  placeOther(rtmpMs: number): Place {
    if (Number.isNaN(this.#leadAtMs)) return nowhere;
    const aheadMs = (rtmpMs - this.#leadMs) | 0;
    if (Math.abs(aheadMs) > rtmpLimits.timeJumpMs) return nowhere;
    return { decodeTimeUs: (this.#leadAtMs + aheadMs) * 1_000, isJump: false };
  }

  /** Another timeline begins with the lead's next unit. */
  restart(): void {
    this.#leadAtMs = Number.NaN;
  }

  #begin(rtmpMs: number, arrivalMs: number): void {
    this.#leadMs = rtmpMs;
    this.#leadAtMs = 0;
    this.#arrivalMs = arrivalMs;
    this.#leastLagMs = arrivalMs;
    this.#behindSinceMs = Number.NaN;
  }

  /** The source paused its media clock: arrival is behind for longer than any stalled connection catches up in. */
  #isLeftBehind(atMs: number, arrivalMs: number, elapsedMs: number): boolean {
    const lagMs = arrivalMs - atMs;
    this.#leastLagMs = Math.min(lagMs, this.#leastLagMs + elapsedMs * 0.001);
    if (lagMs - this.#leastLagMs < rtmpLimits.timeJumpMs) {
      this.#behindSinceMs = Number.NaN;
      return false;
    }
    if (Number.isNaN(this.#behindSinceMs)) this.#behindSinceMs = arrivalMs;
    return arrivalMs - this.#behindSinceMs > rtmpLimits.timeJumpMs;
  }
}

/** A forward step counts only as far as no waiting explains it: a stream that paused goes on later, that is no jump. */
function isJump(stepMs: number, elapsedMs: number): boolean {
  return stepMs - Math.max(0, elapsedMs) > rtmpLimits.timeJumpMs || stepMs < -rtmpLimits.stepBackMs;
}
