/** What a publisher says of its pictures, and how they become access units. Pure. */

import { isAppError } from '../../storage/base/errors.ts';
import {
  annexBToLengthPrefixed,
  forEachNal,
  h264Parameters,
  h265Parameters,
  joinNals,
  nalLengthBytes,
  parameterSetsOf,
  parseAvcC,
  parseHvcC,
  type VideoParameters,
  videoTrack,
} from '../../storage/media/index.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Track } from '../../storage/model/track.ts';

/** NAL units of one picture: 8K in H.265 has up to 600 slices, encoders below twenty. */
const nalsMax = 1_024;

/** A sequence header, understood. */
export type PictureDescription = {
  readonly parameters: VideoParameters;
  readonly track: Track;
  /** Bytes of the length before each NAL unit, as the publisher writes them. */
  readonly nalLengthBytes: number;
  /** As sent. */
  readonly bytes: Uint8Array;
};

/** Reads avcC or hvcC; undefined when it cannot be used. @param body  borrowed */
export function describePicture(
  codec: 'h264' | 'h265',
  body: Uint8Array,
  options: { readonly trackNumber: number },
): PictureDescription | undefined {
  if (body.length > limits.codecPrivateBytesMax) return undefined;
  const bytes = body.slice();
  try {
    const sets = codec === 'h264' ? { vps: [], ...parseAvcC(bytes) } : parseHvcC(bytes);
    const [sps] = sets.sps;
    const [vps] = sets.vps;
    if (sps === undefined || (codec === 'h265' && vps === undefined)) return undefined;
    const parameters = vps === undefined ? h264Parameters(sps, sets.pps) : h265Parameters(vps, sps, sets.pps);
    const track = videoTrack(options.trackNumber, parameters);
    return { parameters, track, nalLengthBytes: sets.nalLengthBytes, bytes };
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}

/** True when pictures by both can go through one decoder set-up, and so into one run. */
export function isSamePicture(a: PictureDescription, b: PictureDescription): boolean {
  const [left, right] = [a.parameters, b.parameters];
  return (
    left.codecString === right.codecString &&
    left.widthPixels === right.widthPixels &&
    left.heightPixels === right.heightPixels &&
    left.chromaFormat === right.chromaFormat &&
    left.bitDepthLuma === right.bitDepthLuma &&
    left.bitDepthChroma === right.bitDepthChroma &&
    left.isInterlaced === right.isInterlaced
  );
}

/** The parameter sets as the beginning of an access unit. */
export function parameterSetUnits(description: PictureDescription): Uint8Array {
  return joinNals(parameterSetsOf(description.track));
}

/**
 * The picture with lengths of 4 bytes: the same bytes where the publisher writes them so, a new buffer otherwise. Undefined for
 * what is none.
 */
export function accessUnitOf(description: PictureDescription, body: Uint8Array): Uint8Array | undefined {
  if (body.length === 0) return undefined;
  const bytes = description.nalLengthBytes === nalLengthBytes ? body : widened(body, description.nalLengthBytes);
  if (bytes !== undefined && hasWholeNals(bytes)) return bytes;
  // Some encoders leave start codes where lengths belong.
  const isAnnexB = body[0] === 0 && body[1] === 0 && (body[2] === 1 || (body[2] === 0 && body[3] === 1));
  if (!isAnnexB) return undefined;
  const converted = annexBToLengthPrefixed(body);
  return converted.length > 0 && hasWholeNals(converted) ? converted : undefined;
}

function hasWholeNals(bytes: Uint8Array): boolean {
  let nals = 0;
  try {
    forEachNal(bytes, () => ++nals <= nalsMax);
  } catch (error) {
    if (isAppError(error)) return false;
    throw error;
  }
  return nals > 0 && nals <= nalsMax;
}

/** Lengths of 1, 2 or 3 bytes made 4. */
function widened(body: Uint8Array, lengthBytes: number): Uint8Array | undefined {
  const nals: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    let length = 0;
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + (body[at + i] ?? 0);
    const begin = at + lengthBytes;
    at = begin + length;
    if (at > body.length || nals.length >= nalsMax) return undefined;
    if (length > 0) nals.push(body.subarray(begin, at));
  }
  return joinNals(nals);
}
