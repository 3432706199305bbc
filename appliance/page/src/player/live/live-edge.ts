/**
 * Keeps a picture as near to the live edge as its way allows: a little faster when it is behind, a jump when it is far behind, and
 * more distance after each stall. Pure: media times and wall times in seconds in, what to do out.
 */

export type EdgeMove =
  | { readonly kind: 'play'; readonly rate: number }
  /** To that media time, where nothing is missing. */
  | { readonly kind: 'jump'; readonly toS: number };

export type BufferedRange = { readonly beginS: number; readonly endS: number };

/** Browsers want some pictures decoded ahead before they play. */
const targetSMin = 0.3;
const targetSMax = 3;
const stallFactor = 1.4;
/** Without a stall it comes nearer again. */
const calmS = 20;
const calmFactor = 0.9;
/** How much faster a late picture plays: nobody hears it. */
const catchUpRate = 1.08;
const slowRate = 0.97;
const catchUpFromS = 0.2;
const jumpFromS = 2.5;
/** The best transit of that long is what lateness is measured against. */
const transitS = 30;
/** A hole that is no longer is played over by browsers themselves. */
const holeS = 0.05;

export class LiveEdge {
  #targetS = targetSMin;
  #calmSinceS = Number.NEGATIVE_INFINITY;
  /** When media arrived, less its media time: the least of them is what undisturbed media has. */
  #transits: { readonly atS: number; readonly transitS: number }[] = [];

  get targetS(): number {
    return this.#targetS;
  }

  /** Media up to that time have arrived. */
  arrived(endS: number, nowS: number): void {
    const transit = nowS - endS;
    this.#transits = this.#transits.filter(({ atS, transitS: known }) => nowS - atS < transitS && known < transit);
    this.#transits.push({ atS: nowS, transitS: transit });
  }

  /** A new session of the camera: its times may have moved. */
  forget(): void {
    this.#transits = [];
  }

  /** How far a media time is behind the newest that undisturbed media would have; undefined before anything came. */
  behindS(mediaS: number, nowS: number): number | undefined {
    const best = this.#transits[0]?.transitS;
    return best === undefined ? undefined : Math.max(0, nowS - best - mediaS);
  }

  /** Nothing was left to play. */
  stalled(nowS: number): void {
    this.#targetS = Math.min(targetSMax, this.#targetS * stallFactor);
    this.#calmSinceS = nowS;
  }

  /** @param ranges  what is there to play, in order */
  move(mediaS: number, ranges: readonly BufferedRange[], nowS: number): EdgeMove {
    const newest = ranges.at(-1);
    if (newest === undefined) return { kind: 'play', rate: 1 };
    if (nowS - this.#calmSinceS > calmS) {
      this.#targetS = Math.max(targetSMin, this.#targetS * calmFactor);
      this.#calmSinceS = nowS;
    }
    const toS = Math.max(newest.beginS, newest.endS - this.#targetS);
    const isInside = mediaS >= newest.beginS - holeS && mediaS <= newest.endS + holeS;
    const restS = ranges.find(({ beginS, endS }) => mediaS >= beginS - holeS && mediaS < endS - holeS);
    // Behind a hole there is more: what is left before it is played to its end, unless that is long ago.
    if (!isInside && (restS === undefined || newest.endS - mediaS > jumpFromS)) return { kind: 'jump', toS };
    const leftS = newest.endS - mediaS;
    if (leftS > this.#targetS + jumpFromS) return { kind: 'jump', toS };
    if (leftS > this.#targetS + catchUpFromS) return { kind: 'play', rate: catchUpRate };
    return { kind: 'play', rate: leftS < this.#targetS / 2 ? slowRate : 1 };
  }
}
