/** Where one fragment's timestamps go on from another's, and where they begin anew. Pure. */

import type { Fragment } from '../../storage/model/fragment.ts';
import type { PlayableFragment } from './fragment-source.ts';

/** Media times are rounded to milliseconds and the last duration of a track is an estimate; a missing fragment is longer. */
const continuousMs = 250;

/** True when the second does not continue the first one's media timeline: another run, or fragments missing in between. */
export function isDiscontinuity(first: PlayableFragment, second: PlayableFragment): boolean {
  if (first.segment.runId !== second.segment.runId) return true;
  return !isContinued(first.fragment, second.fragment.mediaTimeMs);
}

/** True when a fragment of the same run that begins at that media time leaves nothing out. */
export function isContinued({ mediaTimeMs, durationMs }: Fragment, nextMediaTimeMs: number): boolean {
  return Math.abs(nextMediaTimeMs - (mediaTimeMs + durationMs)) <= continuousMs;
}
