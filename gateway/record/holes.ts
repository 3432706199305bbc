/**
 * Finds the seconds in which a camera stayed connected and sent nothing of the track that leads: holes in its media time. One
 * finder a track; it is told each unit's time and judges them once a fragment, sorted, since pictures are reordered. Pure.
 *
 * A camera's rhythm is learned: three quarters of its latest intervals are no longer than the typical one. A camera of one picture
 * in five seconds, or one that sends its pictures in pairs, has a rhythm like any other and no holes.
 */

import { isAppError } from '../../storage/base/errors.ts';
import { audioClockHz, audioFrameCounter } from '../../storage/media/index.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Track } from '../../storage/model/track.ts';

/** Media missing in a run, milliseconds of its timeline: from where the next unit was due to where it came. */
export type Hole = {
  readonly beginMs: number;
  readonly endMs: number;
  /** Time of the unit before it. */
  readonly afterMs: number;
};

export type HoleFinder = {
  /** Another timeline begins: what lies between the two is the run ledger's. */
  restart(): void;
  note(mediaMs: number, bytes: Uint8Array): void;
  /** The holes before and between the units noted since the last call, in order. */
  take(): Hole[];
};

/** A finder that fits the track: sound tells by itself how long it lasts, pictures do not. */
export function holeFinderOf(track: Track): HoleFinder {
  const durationMsOf = track.kind === 'audio' ? audioDuration(track) : undefined;
  return durationMsOf === undefined ? new PictureHoles() : new SoundHoles(durationMsOf);
}

/** Intervals by which the rhythm is judged beside the fragment's own; a slower rhythm is believed after a quarter of them. */
const intervalsKept = 32;
/** Fewer intervals say nothing of a rhythm: the one long interval among them may be it. */
const intervalsMin = 4;
/** A camera may leave out two pictures in its rhythm: exposure at dusk, an encoder at its limit. */
const intervalsMissing = 3;

class PictureHoles implements HoleFinder {
  #recent: number[] = [];
  #timesMs: number[] = [];
  #latestMs: number | undefined;

  restart(): void {
    this.#timesMs = [];
    this.#latestMs = undefined;
  }

  note(mediaMs: number): void {
    this.#timesMs.push(mediaMs);
  }

  take(): Hole[] {
    const timesMs = this.#timesMs.sort((a, b) => a - b);
    this.#timesMs = [];
    const intervals: { readonly afterMs: number; readonly lengthMs: number }[] = [];
    for (const timeMs of timesMs) {
      const afterMs = this.#latestMs ?? timeMs;
      if (timeMs > afterMs) intervals.push({ afterMs, lengthMs: timeMs - afterMs });
      this.#latestMs = Math.max(afterMs, timeMs);
    }
    const lengths = [...this.#recent, ...intervals.map((interval) => interval.lengthMs)];
    this.#recent = lengths.slice(-intervalsKept);
    if (lengths.length < intervalsMin) return [];
    const typicalMs = lengths.sort((a, b) => a - b)[Math.ceil(0.75 * lengths.length) - 1] ?? 0;
    const boundMs = Math.max(limits.holeMsMin, intervalsMissing * typicalMs);
    return intervals
      .filter(({ lengthMs }) => lengthMs > boundMs)
      .map(({ afterMs, lengthMs }) => ({ afterMs, beginMs: afterMs + typicalMs, endMs: afterMs + lengthMs }));
  }
}

class SoundHoles implements HoleFinder {
  readonly #durationMsOf: (frame: Uint8Array) => number;
  #holes: Hole[] = [];
  #last: { readonly atMs: number; readonly endMs: number } | undefined;

  constructor(durationMsOf: (frame: Uint8Array) => number) {
    this.#durationMsOf = durationMsOf;
  }

  restart(): void {
    this.#holes = [];
    this.#last = undefined;
  }

  note(mediaMs: number, bytes: Uint8Array): void {
    const last = this.#last;
    const isHole = last !== undefined && mediaMs - last.endMs > limits.holeMsMin;
    if (isHole) this.#holes.push({ afterMs: last.atMs, beginMs: Math.round(last.endMs), endMs: mediaMs });
    this.#last = { atMs: mediaMs, endMs: mediaMs + this.#durationMsOf(bytes) };
  }

  take(): Hole[] {
    const holes = this.#holes;
    this.#holes = [];
    return holes;
  }
}

/** Undefined where the codec does not tell; a frame that cannot be read lasts no time. */
function audioDuration(track: Track): ((frame: Uint8Array) => number) | undefined {
  try {
    const samplesOf = audioFrameCounter(track);
    const clockHz = audioClockHz(track);
    return (frame) => {
      try {
        return (samplesOf(frame) * 1_000) / clockHz;
      } catch (error) {
        if (isAppError(error)) return 0;
        throw error;
      }
    };
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}
