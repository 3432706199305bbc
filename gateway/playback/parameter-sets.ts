/** Parameter sets in band: players built on ffmpeg know no others once playback has begun. Pure. */

import {
  forEachNal,
  h264NalType,
  h264NalTypes,
  h265NalType,
  h265NalTypes,
  nalLengthBytes,
} from '../../storage/media/index.ts';
import type { Track } from '../../storage/model/track.ts';

/** A picture with parameter sets before it, behind the delimiter if there is one. */
export function withParameterSets(codec: Track['codec'], picture: Uint8Array, parameterSets: Uint8Array): Uint8Array {
  const first = picture[nalLengthBytes] ?? 0;
  const isDelimiter =
    codec === 'h264' ? h264NalType(first) === h264NalTypes.delimiter : h265NalType(first) === h265NalTypes.delimiter;
  const at = isDelimiter ? nalLengthBytes + new DataView(picture.buffer, picture.byteOffset).getUint32(0) : 0;
  return Buffer.concat([picture.subarray(0, at), parameterSets, picture.subarray(at)]);
}

/** True when a picture brings its own sequence parameter set. @throws AppError data_loss  broken NAL lengths */
export function hasParameterSets(codec: Track['codec'], picture: Uint8Array): boolean {
  let isFound = false;
  forEachNal(picture, (bytes, begin) => {
    const first = bytes[begin] ?? 0;
    const isSps = codec === 'h264' ? h264NalType(first) === h264NalTypes.sps : h265NalType(first) === h265NalTypes.sps;
    isFound ||= isSps;
  });
  return isFound;
}
