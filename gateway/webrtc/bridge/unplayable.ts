/** Which pictures WebRTC cannot carry: told by parameter sets, or by times that go back. Pure. */

import { h264Parameters, parseAvcC } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';

export type WhyConverted = 'h265' | 'b-frames' | 'pixels';

/** chroma_format_idc of 4:2:0; monochrome is below. */
const chroma420 = 1;
/** Times of a source may be a little off; a B-frame is earlier by a picture at least, 8 ms at 120 a second. */
const backUsMin = 4_000;
/** Further back lies a source that began anew. */
const backUsMax = 1_000_000;

/** Why a track must be converted; undefined where it need not, or where only its pictures will tell. */
export function whyConverted(track: Track): WhyConverted | undefined {
  if (track.codec === 'h265') return 'h265';
  if (track.codec !== 'h264') return undefined;
  try {
    const { sps, pps } = parseAvcC(track.codecPrivate);
    const [first] = sps;
    if (first === undefined) return undefined;
    const { reorderPicturesMax = 0, chromaFormat, bitDepthLuma } = h264Parameters(first, pps);
    if (chromaFormat > chroma420 || bitDepthLuma > 8) return 'pixels';
    return reorderPicturesMax > 0 ? 'b-frames' : undefined;
  } catch {
    // Broken private data of a producer: its pictures may bring their own parameter sets.
    return undefined;
  }
}

/** True for a picture that is shown before one that came earlier. @param newestUs  the latest time of presentation so far */
export function isReordered(
  unit: { readonly presentationTimeUs: number; readonly isKey: boolean },
  newestUs: number,
): boolean {
  const backUs = newestUs - unit.presentationTimeUs;
  return !unit.isKey && backUs > backUsMin && backUs < backUsMax;
}
