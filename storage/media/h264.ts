/**
 * H.264 parameter sets (ITU-T H.264 7.3.2.1, annex E) and their container form, avcC (ISO/IEC 14496-15 5.3.3).
 * Decoding itself is nobody's business here.
 */

import { appError, isAppError } from '../base/errors.ts';
import { limits } from '../model/limits.ts';
import { BitReader } from './bit-reader.ts';
import { h264NalType, h264NalTypes, withoutEmulationPrevention, withoutTrailingZeros } from './nal.ts';
import { readCommonVui, type VideoParameters } from './video-parameters.ts';

/** Profiles whose SPS carries chroma format, bit depths and scaling lists (7.3.2.1.1). */
const highProfiles = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
/** Largest picture of level 6.2 is 139,264 macroblocks; a side is at most the root of eight times that (A.3.1). */
const sideMacroblocksMax = 1055;

const profileNames: Readonly<Record<number, string>> = {
  44: 'CAVLC 4:4:4 Intra',
  66: 'Baseline',
  77: 'Main',
  88: 'Extended',
  100: 'High',
  110: 'High 10',
  122: 'High 4:2:2',
  244: 'High 4:4:4 Predictive',
};

/**
 * What a sequence parameter set tells, with the avcC that holds it and the given picture parameter sets.
 *
 * @param sps  one NAL unit with its header, with emulation prevention bytes; copied into `codecPrivate`
 * @param pps  NAL units of the same kind, in order; may be none when they only come in band
 * @throws AppError data_loss         the set is cut off or holds impossible values
 * @throws AppError invalid_argument  the bytes are no such parameter sets
 */
export function h264Parameters(sps: Uint8Array, pps: readonly Uint8Array[]): VideoParameters {
  const set = withoutTrailingZeros(sps);
  const { vui, pictureOrderType, ...parsed } = parseSps(set);
  return {
    ...parsed,
    codec: 'h264',
    profile: profileName(set),
    codecString: h264CodecString(set),
    codecPrivate: buildAvcC({ sps: [set], pps }),
    sampleAspect: vui.sampleAspect,
    framesPerSecond: vui.framesPerSecond,
    reorderPicturesMax: vui.reorderPicturesMax ?? impliedReorderPictures(set, pictureOrderType),
  };
}

/** seq_parameter_set_id, by which pictures and later sets name this one. @throws AppError data_loss */
export function h264SpsId(sps: Uint8Array): number {
  return new BitReader(withoutEmulationPrevention(sps.subarray(4))).unsigned(31);
}

/** pic_parameter_set_id and the SPS it refers to. @throws AppError data_loss */
export function h264PpsIds(pps: Uint8Array): { readonly ppsId: number; readonly spsId: number } {
  const reader = new BitReader(withoutEmulationPrevention(pps.subarray(1)));
  return { ppsId: reader.unsigned(255), spsId: reader.unsigned(31) };
}

/** AVCDecoderConfigurationRecord with 4-byte lengths; profile, level and chroma come from the first SPS. */
export function buildAvcC(sets: {
  readonly sps: readonly Uint8Array[];
  readonly pps: readonly Uint8Array[];
}): Uint8Array {
  const spsList = sets.sps.map(withoutTrailingZeros);
  const ppsList = sets.pps.map(withoutTrailingZeros);
  const first = spsList[0];
  if (first === undefined || first.length < 4)
    throw appError('invalid_argument', 'avcC needs a sequence parameter set');
  if (spsList.length > 31 || ppsList.length > 255) throw appError('invalid_argument', 'too many parameter sets');
  const bytes = [1, first[1] ?? 0, first[2] ?? 0, first[3] ?? 0, 0xff];
  appendSets(bytes, 0xe0 | spsList.length, spsList);
  appendSets(bytes, ppsList.length, ppsList);
  if (highProfiles.has(first[1] ?? 0)) {
    const { chromaFormat, bitDepthLuma, bitDepthChroma } = parseSps(first);
    bytes.push(0xfc | chromaFormat, 0xf8 | (bitDepthLuma - 8), 0xf8 | (bitDepthChroma - 8), 0);
  }
  return Uint8Array.from(bytes);
}

/**
 * Parameter sets inside an avcC, as views. SPS extensions after them are left out.
 *
 * @throws AppError data_loss         it is cut off
 * @throws AppError invalid_argument  it is of an unknown version
 */
export function parseAvcC(bytes: Uint8Array): {
  readonly sps: readonly Uint8Array[];
  readonly pps: readonly Uint8Array[];
  readonly nalLengthBytes: number;
} {
  if (bytes.length < 7 || bytes[0] !== 1) throw appError('invalid_argument', 'avcC is of an unknown form');
  let at = 6;
  const take = (count: number) => {
    const sets: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const begin = at + 2;
      const end = begin + (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
      if (end > bytes.length) throw appError('data_loss', 'avcC is cut off', { byteOffset: at });
      if (end > begin) sets.push(bytes.subarray(begin, end));
      at = end;
    }
    return sets;
  };
  const sps = take((bytes[5] ?? 0) & 0x1f);
  if (at >= bytes.length) throw appError('data_loss', 'avcC is cut off', { byteOffset: at });
  const pps = take(bytes[at++] ?? 0);
  return { sps, pps, nalLengthBytes: ((bytes[4] ?? 0) & 3) + 1 };
}

/** `avc1.PPCCLL` of an SPS. */
export function h264CodecString(sps: Uint8Array): string {
  return `avc1.${Buffer.from(sps.subarray(1, 4)).toString('hex')}`;
}

function profileName(sps: Uint8Array): string {
  const idc = sps[1] ?? 0;
  const isConstrained = ((sps[2] ?? 0) & 0x40) !== 0;
  if (idc === 66 && isConstrained) return 'Constrained Baseline';
  return profileNames[idc] ?? `profile ${idc}`;
}

function parseSps(sps: Uint8Array) {
  if (sps.length < 4 || h264NalType(sps[0] ?? 0) !== h264NalTypes.sps) {
    throw appError('invalid_argument', 'not an H.264 sequence parameter set', { byteLength: sps.length });
  }
  if (sps.length > limits.parameterSetBytesMax) {
    throw appError('invalid_argument', 'sequence parameter set is too long', { byteLength: sps.length });
  }
  const reader = new BitReader(withoutEmulationPrevention(sps.subarray(1), limits.parameterSetBytesMax));
  const profileIdc = reader.bits(8);
  reader.skip(8);
  const levelIdc = reader.bits(8);
  reader.unsigned(31); // seq_parameter_set_id
  const { chromaFormat, hasSeparatePlanes, bitDepthLuma, bitDepthChroma } = readChroma(reader, profileIdc);
  reader.unsigned(12); // log2_max_frame_num_minus4
  const pictureOrderType = readPictureOrder(reader);
  reader.unsigned(16); // max_num_ref_frames
  reader.skip(1); // gaps_in_frame_num_value_allowed_flag
  const widthMacroblocks = reader.unsigned(sideMacroblocksMax - 1) + 1;
  const heightMapUnits = reader.unsigned(sideMacroblocksMax - 1) + 1;
  const isInterlaced = !reader.flag();
  if (isInterlaced) reader.skip(1); // mb_adaptive_frame_field_flag
  reader.skip(1); // direct_8x8_inference_flag
  const fieldFactor = isInterlaced ? 2 : 1;
  const chromaArray = hasSeparatePlanes ? 0 : chromaFormat;
  const unitX = chromaArray === 1 || chromaArray === 2 ? 2 : 1;
  const unitY = (chromaArray === 1 ? 2 : 1) * fieldFactor;
  const crop = readCropping(reader);
  const widthPixels = widthMacroblocks * 16 - unitX * crop.x;
  const heightPixels = heightMapUnits * 16 * fieldFactor - unitY * crop.y;
  if (widthPixels <= 0 || heightPixels <= 0) {
    throw appError('data_loss', 'cropping leaves no picture', { widthPixels, heightPixels });
  }
  return {
    profileIdc,
    levelIdc,
    chromaFormat,
    bitDepthLuma,
    bitDepthChroma,
    pictureOrderType,
    isInterlaced,
    widthPixels,
    heightPixels,
    vui: readVui(reader),
  };
}

function readChroma(reader: BitReader, profileIdc: number) {
  if (!highProfiles.has(profileIdc)) {
    return { chromaFormat: 1, hasSeparatePlanes: false, bitDepthLuma: 8, bitDepthChroma: 8 };
  }
  const chromaFormat = reader.unsigned(3);
  const hasSeparatePlanes = chromaFormat === 3 && reader.flag();
  const bitDepthLuma = 8 + reader.unsigned(6);
  const bitDepthChroma = 8 + reader.unsigned(6);
  reader.skip(1); // qpprime_y_zero_transform_bypass_flag
  if (reader.flag()) {
    const lists = chromaFormat === 3 ? 12 : 8;
    for (let i = 0; i < lists; i++) if (reader.flag()) skipScalingList(reader, i < 6 ? 16 : 64);
  }
  return { chromaFormat, hasSeparatePlanes, bitDepthLuma, bitDepthChroma };
}

function skipScalingList(reader: BitReader, size: number): void {
  let last = 8;
  for (let i = 0; i < size; i++) {
    const next = (last + reader.signed() + 256) % 256;
    if (next === 0) return;
    last = next;
  }
}

function readPictureOrder(reader: BitReader): number {
  const type = reader.unsigned(2);
  if (type === 0) reader.unsigned(12); // log2_max_pic_order_cnt_lsb_minus4
  if (type === 1) {
    reader.skip(1);
    reader.signed();
    reader.signed();
    const cycle = reader.unsigned(255);
    for (let i = 0; i < cycle; i++) reader.signed();
  }
  return type;
}

function readCropping(reader: BitReader): { x: number; y: number } {
  if (!reader.flag()) return { x: 0, y: 0 };
  const [left, right, top, bottom] = [reader.unsigned(), reader.unsigned(), reader.unsigned(), reader.unsigned()];
  return { x: left + right, y: top + bottom };
}

type Vui = Pick<VideoParameters, 'sampleAspect' | 'framesPerSecond' | 'reorderPicturesMax'>;

/** Nothing in the VUI is needed to decode, and cameras get it wrong: whatever was read before it broke is kept. */
function readVui(reader: BitReader): Vui {
  const vui: { -readonly [K in keyof Vui]: Vui[K] } = {
    sampleAspect: undefined,
    framesPerSecond: undefined,
    reorderPicturesMax: undefined,
  };
  try {
    if (!reader.flag()) return vui;
    vui.sampleAspect = readCommonVui(reader);
    if (reader.flag()) {
      const unitsInTick = reader.bits(32);
      const timeScale = reader.bits(32);
      reader.skip(1); // fixed_frame_rate_flag
      // Two ticks a frame: the clock counts fields (E.2.1).
      if (unitsInTick > 0 && timeScale > 0) vui.framesPerSecond = timeScale / (2 * unitsInTick);
    }
    const hasNalHrd = reader.flag();
    if (hasNalHrd) skipHrd(reader);
    const hasVclHrd = reader.flag();
    if (hasVclHrd) skipHrd(reader);
    if (hasNalHrd || hasVclHrd) reader.skip(1); // low_delay_hrd_flag
    reader.skip(1); // pic_struct_present_flag
    if (reader.flag()) {
      reader.skip(1); // motion_vectors_over_pic_boundaries_flag
      for (let i = 0; i < 4; i++) reader.unsigned();
      vui.reorderPicturesMax = reader.unsigned(16);
    }
  } catch (error) {
    if (!isAppError(error)) throw error;
  }
  return vui;
}

function skipHrd(reader: BitReader): void {
  const count = reader.unsigned(31) + 1;
  reader.skip(8);
  for (let i = 0; i < count; i++) {
    reader.unsigned();
    reader.unsigned();
    reader.skip(1);
  }
  reader.skip(20);
}

/** Streams that cannot reorder: no B slices (Baseline), output in decoding order (8.2.1), intra only (A.2.8 and following). */
function impliedReorderPictures(sps: Uint8Array, pictureOrderType: number): number | undefined {
  const profileIdc = sps[1] ?? 0;
  const isIntraOnly = profileIdc === 44 || (((sps[2] ?? 0) & 0x10) !== 0 && profileIdc >= 100);
  return profileIdc === 66 || pictureOrderType === 2 || isIntraOnly ? 0 : undefined;
}

function appendSets(target: number[], countByte: number, sets: readonly Uint8Array[]): void {
  target.push(countByte);
  for (const set of sets) {
    if (set.length > limits.parameterSetBytesMax) {
      throw appError('invalid_argument', 'parameter set is too long', { byteLength: set.length });
    }
    target.push(set.length >> 8, set.length & 0xff, ...set);
  }
}
