/** What the commit record of a fragment will say, gathered frame by frame. Pure bookkeeping. */

import type { FragmentTrack } from '../../storage/model/fragment.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Track } from '../../storage/model/track.ts';

type TrackFacts = {
  samples: number;
  payloadBytes: number;
  beginMs: number;
  latestMs: number;
  /** How long the latest frame lasts, where the producer says so. */
  latestDurationMs: number | undefined;
};

export type FragmentFactsEnd = {
  readonly durationMs: number;
  readonly isKey: boolean;
  readonly tracks: readonly FragmentTrack[];
};

/** The next fragment begins where the last frame ends if it is no further from it than frames are from each other, by so much. */
const usualGaps = 3;
const usualGapMs = 500;
/** Of a fragment with one frame. */
const durationMsDefault = 40;

export class FragmentFacts {
  readonly beginMs: number;
  readonly #lead: Track | undefined;
  readonly #tracks = new Map<number, TrackFacts>();
  #isKey: boolean | undefined;

  /** @param options.beginMs  media time of its cluster */
  constructor(options: { readonly beginMs: number; readonly tracks: readonly Track[] }) {
    this.beginMs = options.beginMs;
    this.#lead = options.tracks.find((track) => track.kind === 'video') ?? options.tracks[0];
  }

  hasTrack(trackNumber: number): boolean {
    return this.#tracks.has(trackNumber);
  }

  add(
    trackNumber: number,
    frame: {
      readonly timeMs: number;
      readonly durationMs: number | undefined;
      readonly isKey: boolean;
      readonly bytes: number;
    },
  ): void {
    const { timeMs, durationMs, isKey, bytes } = frame;
    if (trackNumber === this.#lead?.number) this.#isKey ??= isKey;
    const facts = this.#tracks.get(trackNumber);
    if (facts === undefined) {
      const first = {
        samples: 1,
        payloadBytes: bytes,
        beginMs: timeMs,
        latestMs: timeMs,
        latestDurationMs: durationMs,
      };
      this.#tracks.set(trackNumber, first);
      return;
    }
    facts.samples++;
    facts.payloadBytes += bytes;
    facts.beginMs = Math.min(facts.beginMs, timeMs);
    if (timeMs < facts.latestMs) return;
    facts.latestMs = timeMs;
    facts.latestDurationMs = durationMs;
  }

  /** @param nextMs  media time at which the next fragment begins, where that is known */
  end(nextMs: number | undefined): FragmentFactsEnd {
    const tracks = [...this.#tracks]
      .sort(([a], [b]) => a - b)
      .map(([trackNumber, { samples, payloadBytes, beginMs, latestMs, latestDurationMs }]) => {
        const usualMs = samples > 1 ? (latestMs - beginMs) / (samples - 1) : durationMsDefault;
        const goesOn =
          trackNumber === this.#lead?.number &&
          nextMs !== undefined &&
          nextMs > latestMs &&
          nextMs - latestMs <= Math.max(usualGapMs, usualGaps * usualMs);
        const endMediaMs = goesOn ? nextMs : latestMs + Math.max(1, latestDurationMs ?? Math.round(usualMs));
        return { trackNumber, samples, payloadBytes, beginMediaMs: beginMs, endMediaMs };
      });
    const leading = tracks.find(({ trackNumber }) => trackNumber === this.#lead?.number);
    const endMs = leading?.endMediaMs ?? this.beginMs;
    return {
      durationMs: Math.min(Math.max(0, endMs - this.beginMs), limits.fragmentDurationMsMax),
      isKey: this.#isKey ?? false,
      tracks,
    };
  }
}
