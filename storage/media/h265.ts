/**
 * H.265 parameter sets (ITU-T H.265 7.3.2, annex E) and their container form, hvcC (ISO/IEC 14496-15 8.3.3).
 * Extensions of the SPS (range, multilayer, screen content) change nothing that is read here and are not looked at.
 */

import { appError, isAppError } from '../base/errors.ts';
import { limits } from '../model/limits.ts';
import { BitReader } from './bit-reader.ts';
import { h265NalType, h265NalTypes, withoutEmulationPrevention, withoutTrailingZeros } from './nal.ts';
import { readCommonVui, type VideoParameters } from './video-parameters.ts';

/** A side is at most 16,888 pixels at the highest level, 6.3 (A.4.1); rounded up to what decoders allocate. */
const sidePixelsMax = 16_896;

const profileNames: Readonly<Record<number, string>> = {
  1: 'Main',
  2: 'Main 10',
  3: 'Main Still Picture',
  4: 'Range Extensions',
  5: 'High Throughput',
  9: 'Screen Content',
};

/**
 * What a sequence parameter set tells, with the hvcC that holds it and the given other sets.
 *
 * @param vps  one NAL unit with its header; copied into `codecPrivate`, as are the others
 * @throws AppError data_loss         a set is cut off or holds impossible values
 * @throws AppError invalid_argument  the bytes are no such parameter sets
 */
export function h265Parameters(vps: Uint8Array, sps: Uint8Array, pps: readonly Uint8Array[]): VideoParameters {
  const set = withoutTrailingZeros(sps);
  const parsed = parseSps(set);
  const { general, vui } = parsed;
  return {
    codec: 'h265',
    widthPixels: parsed.widthPixels,
    heightPixels: parsed.heightPixels,
    profile: profileNames[general.profileIdc] ?? `profile ${general.profileIdc}`,
    profileIdc: general.profileIdc,
    levelIdc: general.levelIdc,
    chromaFormat: parsed.chromaFormat,
    bitDepthLuma: parsed.bitDepthLuma,
    bitDepthChroma: parsed.bitDepthChroma,
    isInterlaced: vui.isInterlaced,
    sampleAspect: vui.sampleAspect,
    codecString: codecString(general),
    codecPrivate: buildHvcC({ vps: [vps], sps: [set], pps }),
    reorderPicturesMax: parsed.reorderPicturesMax,
    framesPerSecond: vui.framesPerSecond ?? vpsFramesPerSecond(vps),
  };
}

/** sps_seq_parameter_set_id. @throws AppError data_loss or invalid_argument  as `h265Parameters` */
export function h265SpsId(sps: Uint8Array): number {
  return parseSps(withoutTrailingZeros(sps)).spsId;
}

/** vps_video_parameter_set_id: the first four bits after the NAL header. */
export function h265VpsId(vps: Uint8Array): number {
  return (vps[2] ?? 0) >> 4;
}

/** pps_pic_parameter_set_id and the SPS it refers to. @throws AppError data_loss */
export function h265PpsIds(pps: Uint8Array): { readonly ppsId: number; readonly spsId: number } {
  const reader = new BitReader(withoutEmulationPrevention(pps.subarray(2)));
  return { ppsId: reader.unsigned(63), spsId: reader.unsigned(15) };
}

/** `hvc1.A.B.CC` and the constraint bytes, of an SPS. @throws AppError  as `h265Parameters` */
export function h265CodecString(sps: Uint8Array): string {
  return codecString(parseSps(withoutTrailingZeros(sps)).general);
}

/**
 * HEVCDecoderConfigurationRecord with 4-byte lengths; profile, level, chroma and depth come from the first SPS.
 * `array_completeness` is 0 since sets stay in band as well; parallelism and frame rate are left unspecified.
 */
export function buildHvcC(sets: {
  readonly vps: readonly Uint8Array[];
  readonly sps: readonly Uint8Array[];
  readonly pps: readonly Uint8Array[];
}): Uint8Array {
  const first = sets.sps[0];
  if (first === undefined) throw appError('invalid_argument', 'hvcC needs a sequence parameter set');
  const sps = parseSps(withoutTrailingZeros(first));
  const arrays = [
    { type: h265NalTypes.vps, nals: sets.vps },
    { type: h265NalTypes.sps, nals: sets.sps },
    { type: h265NalTypes.pps, nals: sets.pps },
  ].filter((array) => array.nals.length > 0);
  const bytes = [
    1,
    ...sps.general.bytes,
    0xf0, // min_spatial_segmentation_idc 0: no promise
    0,
    0xfc, // parallelismType 0: unknown
    0xfc | sps.chromaFormat,
    0xf8 | (sps.bitDepthLuma - 8),
    0xf8 | (sps.bitDepthChroma - 8),
    0, // avgFrameRate 0: unspecified
    0,
    (sps.subLayers << 3) | (sps.isTemporalIdNested ? 4 : 0) | 3,
    arrays.length,
  ];
  for (const { type, nals } of arrays) {
    bytes.push(type, nals.length >> 8, nals.length & 0xff);
    for (const nal of nals) {
      const set = withoutTrailingZeros(nal);
      if (set.length > limits.parameterSetBytesMax) {
        throw appError('invalid_argument', 'parameter set is too long', { byteLength: set.length });
      }
      bytes.push(set.length >> 8, set.length & 0xff, ...set);
    }
  }
  return Uint8Array.from(bytes);
}

/**
 * Parameter sets inside an hvcC, as views; SEI units in it are left out.
 *
 * @throws AppError data_loss         it is cut off
 * @throws AppError invalid_argument  it is of an unknown version
 */
export function parseHvcC(bytes: Uint8Array): {
  readonly vps: readonly Uint8Array[];
  readonly sps: readonly Uint8Array[];
  readonly pps: readonly Uint8Array[];
  readonly nalLengthBytes: number;
} {
  // Version 0 is what encoders wrote before the standard was final; the layout is the same.
  if (bytes.length < 23 || (bytes[0] ?? 2) > 1) throw appError('invalid_argument', 'hvcC is of an unknown form');
  const sets = { vps: [] as Uint8Array[], sps: [] as Uint8Array[], pps: [] as Uint8Array[] };
  const u16 = (at: number) => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  let at = 23;
  for (let arrays = bytes[22] ?? 0; arrays > 0; arrays--) {
    const type = (bytes[at] ?? 0) & 0x3f;
    const count = u16(at + 1);
    at += 3;
    for (let i = 0; i < count; i++) {
      const begin = at + 2;
      const end = begin + u16(at);
      if (end > bytes.length) throw appError('data_loss', 'hvcC is cut off', { byteOffset: at });
      const nal = bytes.subarray(begin, end);
      at = end;
      if (nal.length === 0) continue;
      if (type === h265NalTypes.vps) sets.vps.push(nal);
      if (type === h265NalTypes.sps) sets.sps.push(nal);
      if (type === h265NalTypes.pps) sets.pps.push(nal);
    }
    if (at > bytes.length) throw appError('data_loss', 'hvcC is cut off', { byteOffset: at });
  }
  return { ...sets, nalLengthBytes: ((bytes[21] ?? 0) & 3) + 1 };
}

/** general_profile_space .. general_level_idc: 12 bytes, which hvcC repeats as they are. */
type ProfileTierLevel = {
  readonly bytes: Uint8Array;
  readonly profileIdc: number;
  readonly levelIdc: number;
};

function codecString({ bytes, profileIdc, levelIdc }: ProfileTierLevel): string {
  const first = bytes[0] ?? 0;
  const space = ['', 'A', 'B', 'C'][first >> 6] ?? '';
  const tier = (first & 0x20) === 0 ? 'L' : 'H';
  // The flags stand in the string with flag 0 as the lowest bit (ISO/IEC 14496-15 E.3).
  let flags = 0;
  for (let i = 0; i < 32; i++) flags += ((((bytes[1 + (i >> 3)] ?? 0) >> (7 - (i & 7))) & 1) === 1 ? 1 : 0) * 2 ** i;
  const constraints = [...bytes.subarray(5, 11)];
  while (constraints.at(-1) === 0) constraints.pop();
  const parts = [`${space}${profileIdc}`, flags.toString(16), `${tier}${levelIdc}`];
  return ['hvc1', ...parts, ...constraints.map((byte) => byte.toString(16))].join('.');
}

function parseSps(sps: Uint8Array) {
  if (sps.length < 15 || h265NalType(sps[0] ?? 0) !== h265NalTypes.sps) {
    throw appError('invalid_argument', 'not an H.265 sequence parameter set', { byteLength: sps.length });
  }
  if (sps.length > limits.parameterSetBytesMax) {
    throw appError('invalid_argument', 'sequence parameter set is too long', { byteLength: sps.length });
  }
  const reader = new BitReader(withoutEmulationPrevention(sps.subarray(2), limits.parameterSetBytesMax));
  reader.skip(4); // sps_video_parameter_set_id
  const subLayersMinus1 = reader.bits(3);
  if (subLayersMinus1 > 6) throw appError('data_loss', 'sequence parameter set has 8 sub-layers');
  const isTemporalIdNested = reader.flag();
  const general = readProfileTierLevel(reader, subLayersMinus1);
  const spsId = reader.unsigned(15);
  const chromaFormat = reader.unsigned(3);
  const hasSeparatePlanes = chromaFormat === 3 && reader.flag();
  const codedWidth = reader.unsigned(sidePixelsMax);
  const codedHeight = reader.unsigned(sidePixelsMax);
  const chromaArray = hasSeparatePlanes ? 0 : chromaFormat;
  const crop = readWindow(reader);
  const widthPixels = codedWidth - (chromaArray === 1 || chromaArray === 2 ? 2 : 1) * crop.x;
  const heightPixels = codedHeight - (chromaArray === 1 ? 2 : 1) * crop.y;
  if (widthPixels <= 0 || heightPixels <= 0) {
    throw appError('data_loss', 'cropping leaves no picture', { widthPixels, heightPixels });
  }
  const bitDepthLuma = 8 + reader.unsigned(8);
  const bitDepthChroma = 8 + reader.unsigned(8);
  const pictureOrderBits = 4 + reader.unsigned(12);
  const reorderPicturesMax = readReorderPictures(reader, subLayersMinus1);
  return {
    general,
    isTemporalIdNested,
    spsId,
    chromaFormat,
    widthPixels,
    heightPixels,
    bitDepthLuma,
    bitDepthChroma,
    reorderPicturesMax,
    subLayers: subLayersMinus1 + 1,
    vui: readToolsAndVui(reader, pictureOrderBits),
  };
}

function readProfileTierLevel(reader: BitReader, subLayersMinus1: number): ProfileTierLevel {
  const bytes = Uint8Array.from({ length: 12 }, () => reader.bits(8));
  const hasProfile: boolean[] = [];
  const hasLevel: boolean[] = [];
  for (let i = 0; i < subLayersMinus1; i++) {
    hasProfile.push(reader.flag());
    hasLevel.push(reader.flag());
  }
  if (subLayersMinus1 > 0) reader.skip(2 * (8 - subLayersMinus1));
  for (let i = 0; i < subLayersMinus1; i++) {
    if (hasProfile[i]) reader.skip(88);
    if (hasLevel[i]) reader.skip(8);
  }
  return { bytes, profileIdc: (bytes[0] ?? 0) & 0x1f, levelIdc: bytes[11] ?? 0 };
}

function readWindow(reader: BitReader): { x: number; y: number } {
  if (!reader.flag()) return { x: 0, y: 0 };
  const [left, right, top, bottom] = [reader.unsigned(), reader.unsigned(), reader.unsigned(), reader.unsigned()];
  return { x: left + right, y: top + bottom };
}

/** sps_max_num_reorder_pics of the highest sub-layer, which is the one that is played. */
function readReorderPictures(reader: BitReader, subLayersMinus1: number): number {
  const isTold = reader.flag();
  let reorderPicturesMax = 0;
  for (let i = isTold ? 0 : subLayersMinus1; i <= subLayersMinus1; i++) {
    reader.unsigned(16);
    reorderPicturesMax = reader.unsigned(16);
    reader.unsigned();
  }
  return reorderPicturesMax;
}

type Vui = Pick<VideoParameters, 'sampleAspect' | 'framesPerSecond' | 'isInterlaced'>;

/** Coding tools lie before the VUI and have to be walked through; what breaks in here costs the VUI only. */
function readToolsAndVui(reader: BitReader, pictureOrderBits: number): Vui {
  const vui: { -readonly [K in keyof Vui]: Vui[K] } = {
    sampleAspect: undefined,
    framesPerSecond: undefined,
    isInterlaced: false,
  };
  try {
    for (let i = 0; i < 6; i++) reader.unsigned(); // block sizes and transform depths
    if (reader.flag() && reader.flag()) skipScalingLists(reader);
    reader.skip(2); // amp, sample adaptive offset
    if (reader.flag()) {
      reader.skip(8); // PCM bit depths
      reader.unsigned();
      reader.unsigned();
      reader.skip(1);
    }
    skipShortTermSets(reader);
    if (reader.flag()) {
      const count = reader.unsigned(32);
      reader.skip(count * (pictureOrderBits + 1));
    }
    reader.skip(2); // temporal motion vectors, strong intra smoothing
    if (!reader.flag()) return vui;
    vui.sampleAspect = readCommonVui(reader);
    reader.skip(1); // neutral_chroma_indication_flag
    vui.isInterlaced = reader.flag();
    reader.skip(1); // frame_field_info_present_flag
    readWindow(reader); // default display window: advice that players ignore
    if (reader.flag()) vui.framesPerSecond = readFramesPerSecond(reader);
  } catch (error) {
    if (!isAppError(error)) throw error;
  }
  return vui;
}

function readFramesPerSecond(reader: BitReader): number | undefined {
  const unitsInTick = reader.bits(32);
  const timeScale = reader.bits(32);
  return unitsInTick > 0 && timeScale > 0 ? timeScale / unitsInTick : undefined;
}

/** scaling_list_data (7.3.4). */
function skipScalingLists(reader: BitReader): void {
  for (let size = 0; size < 4; size++) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      if (!reader.flag()) {
        reader.unsigned();
        continue;
      }
      if (size > 1) reader.signed();
      const coefficients = Math.min(64, 16 << (size << 1));
      for (let i = 0; i < coefficients; i++) reader.signed();
    }
  }
}

/** st_ref_pic_set of every index (7.3.7): later sets may be coded as differences to the one before. */
function skipShortTermSets(reader: BitReader): void {
  const count = reader.unsigned(64);
  let previousPictures = 0;
  for (let index = 0; index < count; index++) {
    if (index > 0 && reader.flag()) {
      reader.skip(1);
      reader.unsigned();
      let pictures = 0;
      for (let i = 0; i <= previousPictures; i++) {
        const isUsed = reader.flag();
        if (isUsed || reader.flag()) pictures++;
      }
      previousPictures = pictures;
      continue;
    }
    const negative = reader.unsigned(16);
    const positive = reader.unsigned(16);
    for (let i = 0; i < negative + positive; i++) {
      reader.unsigned();
      reader.skip(1);
    }
    previousPictures = negative + positive;
  }
}

/** Timing in the VPS (7.3.2.1), where encoders put it that leave it out of the VUI; undefined when there is none to read. */
function vpsFramesPerSecond(vps: Uint8Array): number | undefined {
  try {
    const reader = new BitReader(withoutEmulationPrevention(vps.subarray(2), limits.parameterSetBytesMax));
    reader.skip(12); // id, base layer flags, layers
    const subLayersMinus1 = reader.bits(3);
    reader.skip(17); // temporal nesting, 0xffff
    readProfileTierLevel(reader, subLayersMinus1);
    readReorderPictures(reader, subLayersMinus1);
    const layerIdMax = reader.bits(6);
    const layerSets = reader.unsigned(1023);
    reader.skip(layerSets * (layerIdMax + 1));
    return reader.flag() ? readFramesPerSecond(reader) : undefined;
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}
