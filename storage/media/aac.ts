/** AAC: the AudioSpecificConfig (ISO/IEC 14496-3 1.6.2), which SDP, Matroska and MP4 all carry. */

import { appError, isAppError } from '../base/errors.ts';
import { BitReader } from './bit-reader.ts';

/** What an AudioSpecificConfig says. Rates and frame sizes are those of the core, which durations follow from. */
export type AudioSpecificConfig = {
  /** Audio object type as signalled first: 2 AAC-LC, 5 HE-AAC, 29 HE-AAC v2, 23 AAC-LD, 39 AAC-ELD, ... */
  readonly objectType: number;
  /** Type of the core under SBR and PS; otherwise the same. */
  readonly coreObjectType: number;
  readonly samplingFrequencyHz: number;
  /** 1 .. 8; 2 where only a program config element knows. */
  readonly channels: number;
  /** Samples of one frame at `samplingFrequencyHz`. */
  readonly samplesPerFrame: number;
  /** Rate after spectral band replication, where it is signalled. */
  readonly outputSamplingFrequencyHz: number;
};

/** Rates by their index. */
export const aacFrequenciesHz: readonly number[] = [
  96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
];
const channelsOfConfiguration: Readonly<Record<number, number>> = {
  1: 1,
  2: 2,
  3: 3,
  4: 4,
  5: 5,
  6: 6,
  7: 8,
  11: 7,
  12: 8,
  14: 8,
};
const spectralBandReplication = 5;
const parametricStereo = 29;
const lowDelay = 23;
const enhancedLowDelay = 39;
const samplingFrequencyHzMax = 192_000;

/**
 * @throws AppError data_loss         it is cut off
 * @throws AppError invalid_argument  the rate or the channel configuration is reserved
 */
export function parseAudioSpecificConfig(bytes: Uint8Array): AudioSpecificConfig {
  const reader = new BitReader(bytes.subarray(0, 64));
  const objectType = readObjectType(reader);
  const samplingFrequencyHz = readFrequency(reader);
  const configuration = reader.bits(4);
  const channels = configuration === 0 ? 2 : channelsOfConfiguration[configuration];
  if (channels === undefined) {
    throw appError('invalid_argument', 'audio channel configuration is reserved', { configuration });
  }
  let outputSamplingFrequencyHz = samplingFrequencyHz;
  let coreObjectType = objectType;
  if (objectType === spectralBandReplication || objectType === parametricStereo) {
    outputSamplingFrequencyHz = readFrequency(reader);
    coreObjectType = readObjectType(reader);
  }
  const samplesPerFrame = frameSamples(coreObjectType, reader);
  if (coreObjectType === objectType) {
    outputSamplingFrequencyHz = backwardCompatibleFrequency(reader) ?? samplingFrequencyHz;
  }
  return {
    objectType,
    coreObjectType,
    samplingFrequencyHz,
    channels: objectType === parametricStereo ? 2 : channels,
    samplesPerFrame,
    outputSamplingFrequencyHz,
  };
}

function readObjectType(reader: BitReader): number {
  const type = reader.bits(5);
  return type === 31 ? 32 + reader.bits(6) : type;
}

function readFrequency(reader: BitReader): number {
  const index = reader.bits(4);
  const frequencyHz = index === 15 ? reader.bits(24) : aacFrequenciesHz[index];
  if (frequencyHz === undefined || frequencyHz === 0 || frequencyHz > samplingFrequencyHzMax) {
    throw appError('invalid_argument', 'audio sampling frequency is reserved', { index, frequencyHz });
  }
  return frequencyHz;
}

/** The frame length flag is the first bit of GASpecificConfig and of ELDSpecificConfig; a config without it means long frames. */
function frameSamples(coreObjectType: number, reader: BitReader): number {
  const isShort = reader.remainingBits > 0 && reader.flag();
  if (coreObjectType === lowDelay || coreObjectType === enhancedLowDelay) return isShort ? 480 : 512;
  return isShort ? 960 : 1024;
}

/** SBR told after the core's config (sync extension 0x2b7), so that old decoders play the core alone. */
function backwardCompatibleFrequency(reader: BitReader): number | undefined {
  try {
    reader.skip(2); // dependsOnCoreCoder 0, extensionFlag 0: with either set there is more and no such extension in practice
    if (reader.remainingBits < 16 || reader.bits(11) !== 0x2b7) return undefined;
    if (readObjectType(reader) !== spectralBandReplication || !reader.flag()) return undefined;
    return readFrequency(reader);
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}
