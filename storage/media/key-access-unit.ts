/** Which access units are decodable alone: where playback, a fragment or a decoder can begin. */

import { isAppError } from '../base/errors.ts';
import type { Codec } from '../model/track.ts';
import { BitReader } from './bit-reader.ts';
import { forEachNal, h264NalType, h264NalTypes, h265NalType, h265NalTypes, withoutEmulationPrevention } from './nal.ts';

const recoveryPointPayloadType = 6;
/** Recovery point messages come early in short SEI units; user data (captions, analytics) may be long and is not read. */
const seiBytesMax = 512;

/**
 * True for H.264 IDR, H.264 recovery points with recovery_frame_cnt 0 (open GOP, intra refresh that is complete at once) and
 * HEVC IRAP pictures (types 16 .. 21). The first slice decides, so only the NAL units before it are looked at.
 * Bytes that are no length-prefixed NAL units are not decodable: false. Sound is always key; of codecs that we don't know
 * nothing is, since only their container can tell.
 */
export function isKeyAccessUnit(codec: Codec, lengthPrefixed: Uint8Array): boolean {
  try {
    if (codec === 'h264') return isH264Key(lengthPrefixed);
    if (codec === 'h265') return isH265Key(lengthPrefixed);
    return codec !== 'other';
  } catch (error) {
    if (isAppError(error)) return false;
    throw error;
  }
}

function isH264Key(lengthPrefixed: Uint8Array): boolean {
  let isKey = false;
  forEachNal(lengthPrefixed, (bytes, begin, end) => {
    const type = h264NalType(bytes[begin] ?? 0);
    if (type === h264NalTypes.idrSlice) isKey = true;
    if (type === h264NalTypes.sei) isKey ||= hasImmediateRecoveryPoint(bytes.subarray(begin + 1, end));
    return type < h264NalTypes.slice || type > h264NalTypes.idrSlice;
  });
  return isKey;
}

function isH265Key(lengthPrefixed: Uint8Array): boolean {
  let isKey = false;
  forEachNal(lengthPrefixed, (bytes, begin, end) => {
    // Pictures of enhancement layers (nuh_layer_id above 0) say nothing about the base layer that is played.
    const layerId = end - begin < 2 ? 0 : (((bytes[begin] ?? 0) & 1) << 5) | ((bytes[begin + 1] ?? 0) >> 3);
    const type = h265NalType(bytes[begin] ?? 0);
    if (type > h265NalTypes.lastVcl || layerId > 0) return true;
    isKey = type >= h265NalTypes.firstIrap && type <= h265NalTypes.cra;
    return false;
  });
  return isKey;
}

/** @param sei  a SEI unit's bytes after its NAL header (H.264 7.3.2.3) */
function hasImmediateRecoveryPoint(sei: Uint8Array): boolean {
  const bytes = withoutEmulationPrevention(sei, seiBytesMax);
  let at = 0;
  const nextCode = () => {
    let value = 0;
    for (; bytes[at] === 0xff; at++) value += 255;
    return value + (bytes[at++] ?? 0);
  };
  // One byte is left for rbsp_trailing_bits; a message needs two at least.
  while (at + 2 < bytes.length) {
    const payloadType = nextCode();
    const payloadBytes = nextCode();
    if (payloadType === recoveryPointPayloadType) {
      return new BitReader(bytes.subarray(at, at + payloadBytes)).unsigned() === 0;
    }
    at += payloadBytes;
  }
  return false;
}
