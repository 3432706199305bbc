/**
 * Leaves of a key frame what makes one picture, out of nothing but itself. Decoders are shared by all cameras: a second picture
 * in a key frame would be taken for that of the camera that asks next, and a slice that refers to earlier pictures would show
 * those of the camera before. Pure.
 */

import { isAppError } from '../../../storage/base/errors.ts';
import {
  BitReader,
  h264NalType,
  h264NalTypes,
  h265NalType,
  h265NalTypes,
  withoutEmulationPrevention,
} from '../../../storage/media/index.ts';

const startCode = Uint8Array.of(0, 0, 1);
/** A slice header begins with three numbers of at most 63 bits; this holds the two that are read. */
const sliceHeadBytes = 20;
/** slice_type of I and SI slices (7.4.3), which refer to no other picture; 5 more says that all slices are so. */
const intraSliceTypes: readonly number[] = [2, 4, 7, 9];

/** The NAL units of the first picture, in order, each up to the first start code inside it; none when no slice may stay. */
export function onePicture(codec: 'h264' | 'h265', nals: readonly Uint8Array[]): Uint8Array[] {
  const kept: Uint8Array[] = [];
  let last = -1;
  for (const whole of nals) {
    const nal = upToStartCode(whole);
    const place = codec === 'h264' ? placeOfH264(nal) : placeOfH265(nal, last);
    if (place === 'none') continue;
    // Behind the first slice everything else begins another picture.
    if (place === 'before') {
      if (last < 0) kept.push(nal);
      continue;
    }
    if (place <= last) break;
    last = place;
    kept.push(nal);
  }
  return last < 0 ? [] : kept;
}

/** Where in its picture a slice stands, above that of the slice before; `before` all slices; `none`: not wanted. */
type Place = number | 'before' | 'none';

function placeOfH264(nal: Uint8Array): Place {
  const type = h264NalType(nal[0] ?? 0);
  const { sei, sps, pps, spsExtension, slice, idrSlice } = h264NalTypes;
  if (([sei, sps, pps, spsExtension] as readonly number[]).includes(type)) return 'before';
  if (type !== slice && type !== idrSlice) return 'none';
  try {
    const bits = new BitReader(withoutEmulationPrevention(nal.subarray(1, sliceHeadBytes)));
    const firstMacroblock = bits.unsigned();
    return intraSliceTypes.includes(bits.unsigned()) ? firstMacroblock : 'none';
  } catch (error) {
    if (isAppError(error)) return 'none';
    throw error;
  }
}

/** Slices of H.265 say themselves whether they are the first; those of a key picture refer to no other by the standard. */
function placeOfH265(nal: Uint8Array, last: number): Place {
  const type = h265NalType(nal[0] ?? 0);
  const { vps, sps, pps, prefixSei, firstIrap, lastIrap } = { ...h265NalTypes, lastIrap: h265NalTypes.cra };
  const isOtherLayer = ((nal[0] ?? 0) & 1) !== 0 || (nal[1] ?? 0) >> 3 !== 0;
  if (isOtherLayer) return 'none';
  if (([vps, sps, pps, prefixSei] as readonly number[]).includes(type)) return 'before';
  if (type < firstIrap || type > lastIrap) return 'none';
  const isFirst = ((nal[2] ?? 0) & 0x80) !== 0;
  return isFirst ? 0 : last + 1;
}

function upToStartCode(nal: Uint8Array): Uint8Array {
  const at = Buffer.from(nal.buffer, nal.byteOffset, nal.byteLength).indexOf(startCode);
  return at < 0 ? nal : nal.subarray(0, at);
}
