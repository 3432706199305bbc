/** The times of all tracks of a session: whether a unit's time follows from what came before it, by its own track and the lead. */

import { must } from '../../storage/base/assert.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Track } from '../../storage/model/track.ts';
import { TrackTimes } from './track-times.ts';

/** What a unit's time says: it fits, it is this track's clock that is wrong, or the session's media time broke off there. */
export type TimeVerdict = 'fits' | 'wrong' | 'silence' | 'jump';

export class SessionTimes {
  readonly #byTrack: ReadonlyMap<number, TrackTimes>;

  constructor(tracks: readonly Track[]) {
    this.#byTrack = new Map(tracks.map((track) => [track.number, new TrackTimes(track)]));
  }

  of(trackNumber: number): TrackTimes {
    return must(this.#byTrack.get(trackNumber), 'a unit belongs to a track of its session');
  }

  isAlive(trackNumber: number, monotonicMs: number): boolean {
    return this.of(trackNumber).isAlive(monotonicMs);
  }

  /**
   * @param lead  the track whose time is right: of the run, or of one that began now; the unit's own counts where that is dead
   */
  judge(unit: AccessUnit, lead: number | undefined): TimeVerdict {
    const times = this.of(unit.trackNumber);
    const isLeadAlive = lead !== undefined && this.isAlive(lead, unit.receivedMonotonicMs);
    if (isLeadAlive && lead !== unit.trackNumber) {
      const isJump =
        times.isBack(unit) || (times.isBeyondHole(unit) && this.#distanceMs(lead, unit) > limits.timeHoleMs);
      return isJump || this.isFarFrom(lead, unit) ? 'wrong' : 'fits';
    }
    const isBack = times.isBack(unit);
    if (!isBack && !times.isBeyondHole(unit)) return 'fits';
    const isSilence = !isBack && unit.receivedMonotonicMs - (times.receivedMs ?? 0) >= limits.timeHoleMs / 2;
    return isSilence ? 'silence' : 'jump';
  }

  /** True when a unit of another track is nowhere near a lead that delivers: then it is this track's clock that is wrong. */
  isFarFrom(leadTrack: number, unit: AccessUnit): boolean {
    const receivedMs = this.of(leadTrack).receivedMs ?? Number.NEGATIVE_INFINITY;
    if (unit.receivedMonotonicMs - receivedMs > limits.trackLateMs) return false;
    return this.#distanceMs(leadTrack, unit) > limits.timeHoleMs;
  }

  /** Forgets the media time after a jump; the tracks are the same. */
  forget(): void {
    for (const times of this.#byTrack.values()) times.forgetTime();
  }

  #distanceMs(leadTrack: number, unit: AccessUnit): number {
    const leadUs = this.of(leadTrack).latestUs;
    return leadUs === undefined ? 0 : Math.abs(unit.presentationTimeUs - leadUs) / 1_000;
  }
}
