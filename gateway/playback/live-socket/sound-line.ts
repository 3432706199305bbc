/**
 * Sound of a live stream without holes, frame by frame: each begins where the one before ended, by the codec's own count, since
 * times as they came are rounded and jitter. What is missing is silence, what comes twice is left out. Pure.
 */

import { audioFrameCounter, type Fmp4Sample, fmp4Timescale } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { playedSamples, playedTrack } from '../hls/media-segment.ts';
import { type SilentFrame, silentFrame } from '../silence.ts';

/** Sound is off by less than this in any stream: packets wait for each other. */
const toleranceUs = 40_000;
/** Nobody waits for more silence than this to be written: the line goes on behind it. */
const silenceUsMax = 10_000_000;

export class SoundLine {
  readonly #track: Track;
  readonly #played: Track;
  readonly #samplesOf: (frame: Uint8Array) => number;
  readonly #silent: SilentFrame | undefined;
  readonly #timescale: number;
  #nextTicks: number | undefined;

  /** @throws AppError invalid_argument  frames of this codec do not tell their duration */
  constructor(track: Track) {
    this.#track = track;
    this.#played = playedTrack(track);
    this.#samplesOf = audioFrameCounter(track);
    this.#silent = silentFrame(track);
    this.#timescale = fmp4Timescale(this.#played);
  }

  /** Where it goes on; undefined before the first frame. */
  get endUs(): number | undefined {
    return this.#nextTicks === undefined ? undefined : this.#toUs(this.#nextTicks);
  }

  /** A frame as players take it, with the silence before it; nothing where there is sound already. @throws AppError data_loss */
  frame(atUs: number, bytes: Uint8Array): readonly Fmp4Sample[] {
    const samples = this.#samplesOf(bytes);
    const at = this.#toTicks(atUs);
    const next = this.#nextTicks ?? at;
    const tolerance = Math.max(samples, this.#toTicks(toleranceUs));
    if (at - next < -tolerance) return [];
    const isBehindHole = at - next > tolerance;
    const before = isBehindHole ? this.silenceUpTo(atUs) : [];
    const begin = isBehindHole && before.length === 0 ? at : (this.#nextTicks ?? at);
    this.#nextTicks = begin + samples;
    return [...before, ...this.#asPlayed(begin, bytes)];
  }

  /**
   * Silence where no sound came, whole frames of it; nothing in a codec that we cannot write silence in.
   *
   * @param fromUs  where it begins while there is no sound to go on from
   */
  silenceUpTo(untilUs: number, fromUs = untilUs): readonly Fmp4Sample[] {
    const silent = this.#silent;
    if (silent === undefined) return [];
    const until = this.#toTicks(untilUs);
    let at = this.#nextTicks ?? this.#toTicks(fromUs);
    if (until - at > this.#toTicks(silenceUsMax)) at = until - silent.samples;
    const frames: Fmp4Sample[] = [];
    for (; at + silent.samples <= until; at += silent.samples) frames.push(...this.#asPlayed(at, silent.bytes));
    this.#nextTicks = at;
    return frames;
  }

  #asPlayed(ticks: number, bytes: Uint8Array): readonly Fmp4Sample[] {
    return playedSamples(this.#track, [{ presentationTimeUs: this.#toUs(ticks), isKey: true, bytes }]);
  }

  #toTicks(timeUs: number): number {
    return Math.round((timeUs / 1_000_000) * this.#timescale);
  }

  #toUs(ticks: number): number {
    return (ticks / this.#timescale) * 1_000_000;
  }
}
