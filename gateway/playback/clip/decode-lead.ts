/**
 * How much earlier than it is shown the video of a clip decodes. ffmpeg 5 and the players built on it shift the picture
 * against the sound when an offset between the two is negative (measured: by 80 ms with two B-frames), so clips of cameras that
 * reorder get a lead by which no offset is. Pure, from parameter sets and fragment tables.
 */

import { h264Parameters, h265Parameters, parseAvcC, parseHvcC } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { PlayableFragment } from '../fragment-source.ts';
import { chooseTracks } from '../playable-tracks.ts';

/** Cameras that leave it open and do reorder use one or two B-frames. */
const unknownReorderPictures = 2;
/** Pictures come at uneven times: the mean distance in a fragment is doubled. */
const unevenness = 2;
const leadUsMax = 1_000_000;

/** One lead for the whole clip, microseconds; 0 when no camera setting in it reorders pictures. */
export function decodeLeadOf(references: readonly PlayableFragment[]): number {
  const reorderOf = new Map<Track, number>();
  let leadUs = 0;
  for (const { fragment, segment } of references) {
    const { video } = chooseTracks(segment.tracks);
    const row = fragment.tracks.find(({ trackNumber }) => trackNumber === video?.number);
    if (video === undefined || row === undefined || row.samples === 0) continue;
    const pictures = reorderOf.get(video) ?? reorderPictures(video);
    reorderOf.set(video, pictures);
    leadUs = Math.max(leadUs, (pictures * unevenness * fragment.durationMs * 1000) / row.samples);
  }
  return Math.min(leadUsMax, Math.ceil(leadUs / 1000) * 1000);
}

function reorderPictures(track: Track): number {
  if (track.codec === 'h264') {
    const { sps, pps } = parseAvcC(track.codecPrivate);
    return sps[0] === undefined ? 0 : (h264Parameters(sps[0], pps).reorderPicturesMax ?? unknownReorderPictures);
  }
  const { vps, sps, pps } = parseHvcC(track.codecPrivate);
  const [firstVps] = vps;
  const [firstSps] = sps;
  if (firstVps === undefined || firstSps === undefined) return 0;
  return h265Parameters(firstVps, firstSps, pps).reorderPicturesMax ?? unknownReorderPictures;
}
