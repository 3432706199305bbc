/** Fragments of a range from the key frame at or before its beginning: playback can begin only there. */

import { appError } from '../../storage/base/errors.ts';
import { limits } from '../../storage/model/limits.ts';
import type { FragmentSource, PlayableFragment, TimeRange } from './fragment-source.ts';

/** A GOP may span several fragments: no camera with longer ones is known. */
const lookBackMs = 5 * 60_000;

/**
 * Fragments that overlap the range, preceded by those that their decoding needs.
 *
 * @throws AppError invalid_argument  the range is longer, or has more fragments, than the limits of playback
 */
export async function keyAlignedFragments(
  source: FragmentSource,
  streamId: string,
  range: TimeRange,
): Promise<readonly PlayableFragment[]> {
  if (range.endMs - range.beginMs > limits.playbackRangeMsMax) throw tooLong();
  const limit = limits.playbackFragmentsMax + 1;
  const found = await source.fragmentsBetween(streamId, { ...range, limit });
  if (found.length >= limit) throw tooLong();
  const [first] = found;
  if (first === undefined || first.fragment.isKey) return found;
  const beginMs = first.fragment.serverTimestampMs;
  const earlier = await source.fragmentsBetween(streamId, {
    beginMs: Math.max(0, beginMs - lookBackMs),
    endMs: beginMs,
  });
  const lead = earlier.filter(({ fragment }) => fragment.number < first.fragment.number);
  const key = lead.findLastIndex(({ fragment }) => fragment.isKey);
  const isSameRun = key >= 0 && lead.slice(key).every(({ segment }) => segment.runId === first.segment.runId);
  if (isSameRun) return [...lead.slice(key), ...found];
  // Nothing to decode the beginning with: it is as good as missing.
  const firstKey = found.findIndex(({ fragment }) => fragment.isKey);
  return firstKey < 0 ? [] : found.slice(firstKey);
}

function tooLong(): Error {
  return appError('invalid_argument', 'the range is too long to be played at once', {
    rangeMsMax: limits.playbackRangeMsMax,
    fragmentsMax: limits.playbackFragmentsMax,
    hint: 'ask for a shorter range',
  });
}
