/**
 * When pictures decode, told one by one as they come: as early as the times of those before them allow. Cameras without B-frames
 * decode at the time of presentation; with them the times of presentation, sorted, are given out as many pictures later as are
 * reordered at most. Pure.
 */

import { h264Parameters, h265Parameters, parameterSetsOf } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';

/** No codec level lets more pictures wait. */
const reorderedLookBack = 16;
/** Between the first pictures of a stream with B-frames, before anything is known about their pace. */
const firstIntervalUs = 40_000;
/** Decode times never stand still: players take a picture without duration for a jump. */
const stepUsMin = 1_000;

export class DecodeTimes {
  /** So many pictures come before one that is shown earlier. Grows when more are seen. */
  #reorderedMax: number;
  /** Times of presentation that no picture was given yet, sorted. */
  readonly #waiting: number[] = [];
  readonly #recent: number[] = [];
  #lastUs: number | undefined;

  constructor(options: { readonly reorderedMax: number }) {
    this.#reorderedMax = Math.min(options.reorderedMax, reorderedLookBack);
  }

  /** Times are microseconds, in decode order; what is given out goes up by a millisecond at least. */
  next(presentationTimeUs: number): number {
    const later = this.#recent.filter((recentUs) => recentUs > presentationTimeUs).length;
    this.#reorderedMax = Math.max(this.#reorderedMax, later);
    this.#recent.push(presentationTimeUs);
    if (this.#recent.length > reorderedLookBack) this.#recent.shift();
    const at = this.#waiting.findIndex((waitingUs) => waitingUs > presentationTimeUs);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, presentationTimeUs);
    const timeUs = Math.max(this.#earliestUs(), (this.#lastUs ?? Number.NEGATIVE_INFINITY) + stepUsMin);
    this.#lastUs = timeUs;
    return timeUs;
  }

  #earliestUs(): number {
    const missing = this.#reorderedMax + 1 - this.#waiting.length;
    if (missing <= 0) return this.#waiting.shift() ?? 0;
    return (this.#waiting[0] ?? 0) - missing * firstIntervalUs;
  }
}

/** As the parameter sets promise; 0 where they promise nothing, as cameras without B-frames do. */
export function reorderedMaxOf(track: Track): number {
  const [first, second, ...rest] = parameterSetsOf(track);
  if (first === undefined || second === undefined) return 0;
  const parameters =
    track.codec === 'h265' ? h265Parameters(first, second, rest) : h264Parameters(first, [second, ...rest]);
  return parameters.reorderPicturesMax ?? 0;
}
