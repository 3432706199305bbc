/**
 * Where one playlist entry stands among all of its session: media and discontinuity sequence numbers. Both count from the
 * session's first fragment, which stands in every URI of the session, so any process at any time finds the same numbers.
 * Pure; `live-window.ts` finds the fragments.
 */

import { fragmentNumberParts } from '../../../storage/model/fragment-number.ts';
import { isProduced } from '../../../storage/model/run.ts';
import { isDiscontinuity } from '../continuity.ts';
import type { PlayableFragment } from '../fragment-source.ts';
import type { VideoSelection } from './session.ts';

/** A fragment with its numbers in one playlist session. */
export type NumberedFragment = {
  readonly reference: PlayableFragment;
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
  /** Its timestamps do not continue those of the fragment before. */
  readonly isDiscontinuity: boolean;
};

/** More than a session has segments in thirty years; five times as many are still exact in 32 bits. */
const sequencesPerRendition = 400_000_000;
const placeOfVideo: Readonly<Record<VideoSelection, number>> = { any: 0, none: 0, h264: 1, h265: 2 };

/**
 * The media sequence number of a rendition's first segment. No two renditions of a master playlist have a number in common: hls.js
 * knows segments of sound by their number alone, whatever group they are of, so after a change of variant it took those of the new
 * group that were numbered as some of the old one for buffered, and stood still.
 */
export function firstMediaSequence({
  isSub,
  video,
}: {
  readonly isSub: boolean;
  readonly video: VideoSelection;
}): number {
  return (placeOfVideo[video] + (isSub ? 3 : 0)) * sequencesPerRendition;
}

/** Numbers fragments that follow `previous`; the first of a session has no previous one and gets the number given and 0. */
export function numberFragments(
  previous: NumberedFragment | { readonly firstMediaSequence: number },
  references: readonly PlayableFragment[],
): NumberedFragment[] {
  const numbered: NumberedFragment[] = [];
  let last = previous;
  for (const reference of references) {
    last = 'reference' in last ? following(last, reference) : firstOfSession(reference, last);
    numbered.push(last);
  }
  return numbered;
}

/**
 * Numbers the oldest known fragment of a session whose beginning is gone (retention) or too long ago to be counted.
 * Fragment counters and seconds bound what was in between, so numbers never go back: a player sees at most a jump forward,
 * as after a long pause.
 *
 * @param anchor  the session's first fragment, by what its number tells
 */
export function numberAfterLostBeginning(
  anchor: { readonly counter: number; readonly serverTimestampMs: number; readonly firstMediaSequence: number },
  reference: PlayableFragment,
): NumberedFragment {
  const { counter } = fragmentNumberParts(reference.fragment.number);
  const { fragment, segment } = reference;
  // Media time 0 of a producer's run may be decades away: its timecodes are times of day.
  const beganMs = isProduced(segment) ? fragment.serverTimestampMs : segment.runStartServerMs;
  const sinceAnchorMs = beganMs - anchor.serverTimestampMs;
  return {
    reference,
    mediaSequence: anchor.firstMediaSequence + Math.max(0, counter - anchor.counter),
    // No run is shorter than a second for long, and a run that began before the anchor is the anchor's own.
    discontinuitySequence: Math.max(0, Math.ceil(sinceAnchorMs / 1000)),
    isDiscontinuity: false,
  };
}

function firstOfSession(
  reference: PlayableFragment,
  { firstMediaSequence: mediaSequence }: { readonly firstMediaSequence: number },
): NumberedFragment {
  return { reference, mediaSequence, discontinuitySequence: 0, isDiscontinuity: false };
}

function following(last: NumberedFragment, reference: PlayableFragment): NumberedFragment {
  const isBreak = isDiscontinuity(last.reference, reference);
  return {
    reference,
    mediaSequence: last.mediaSequence + 1,
    discontinuitySequence: last.discontinuitySequence + (isBreak ? 1 : 0),
    isDiscontinuity: isBreak,
  };
}
