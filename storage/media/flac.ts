/**
 * G.711 as FLAC (RFC 9639): lossless, needs no encoder's state, and every browser plays it in MP4, where none plays G.711.
 * Each G.711 frame becomes one FLAC frame that stands alone, so any packet, segment or clip can be converted on read.
 */

import { appError } from '../base/errors.ts';
import type { Track } from '../model/track.ts';
import { codecIds } from './codec-ids.ts';
import { FlacBits } from './flac-bits.ts';
import { type G711Format, type G711Law, g711Table, parseWaveFormat } from './g711.ts';

const streamInfoBytes = 34;
/** `fLaC`, then the head of the STREAMINFO block. */
const privateHeadBytes = 8;
const blockSamplesMax = 65_535;
const frameHeadBytes = 8;
const subframeHeadBits = 8;
/** Values of A-law are multiples of 8, of mu-law multiples of 4: these low bits are always zero and are not coded. */
const wastedBits = { pcma: 3, pcmu: 2 } as const;
const samples = { pcma: g711Table('pcma'), pcmu: g711Table('pcmu') };

/** Sample rate codes of the frame header; others are taken from STREAMINFO (code 0). */
const rateCodes: Readonly<Record<number, number>> = {
  8000: 4,
  16000: 5,
  22050: 6,
  24000: 7,
  32000: 8,
  44100: 9,
  48000: 10,
};

/** The FLAC track that a G.711 track becomes: same number, same rate. @throws AppError invalid_argument  another codec */
export function flacTrack(g711: Track): Track {
  const format = g711.codec === 'pcma' || g711.codec === 'pcmu' ? parseWaveFormat(g711.codecPrivate) : undefined;
  if (format === undefined) throw appError('invalid_argument', 'not a G.711 track', { codecId: g711.codecId });
  return {
    ...g711,
    codec: 'other',
    codecId: codecIds.flac,
    codecPrivate: Buffer.concat([Buffer.from('fLaC'), Uint8Array.of(0x80, 0, 0, streamInfoBytes), streamInfo(format)]),
    codecString: 'flac',
  };
}

export function isFlacTrack(track: Track): boolean {
  return track.codecId === codecIds.flac && track.codecPrivate.length >= privateHeadBytes + streamInfoBytes;
}

/** The STREAMINFO block of a FLAC track: a view. */
export function streamInfoOf(track: Track): Uint8Array {
  return track.codecPrivate.subarray(privateHeadBytes, privateHeadBytes + streamInfoBytes);
}

/**
 * Converts G.711 bytes to one FLAC frame, bit for bit reversible.
 *
 * @param frame  1 .. 65,535 samples of each channel, interleaved
 * @param options.isFixedSize  do not compress: the result then has exactly `g711FlacBytes`, which a clip's layout needs
 *                             before the sound is read
 * @throws AppError invalid_argument  no samples, too many, or a part of one
 */
export function g711ToFlac(
  format: G711Format,
  frame: Uint8Array,
  options: { readonly isFixedSize?: boolean } = {},
): Uint8Array {
  const { channels, law, samplingFrequencyHz } = format;
  const count = frame.length / channels;
  if (!Number.isInteger(count) || count < 1 || count > blockSamplesMax) {
    throw appError('invalid_argument', 'frame does not fit a FLAC frame', { bytes: frame.length, channels });
  }
  const bits = new FlacBits(g711FlacBytes(format, count));
  bits.put(0xfff8, 16);
  bits.put(0x70 | (rateCodes[samplingFrequencyHz] ?? 0), 8); // block size in 16 bits after the number
  bits.put(((channels - 1) << 4) | (4 << 1), 8); // 16 bits a sample
  bits.put(0, 8); // frame number: nobody counts them inside MP4 or Matroska
  bits.put(count - 1, 16);
  bits.putCrc8();
  for (let channel = 0; channel < channels; channel++) {
    writeSubframe(
      bits,
      channelSamples(law, frame, { channel, channels }),
      wastedBits[law],
      options.isFixedSize === true,
    );
  }
  return bits.finish();
}

/** Bytes of a FLAC frame of so many samples when it is not compressed, which it never exceeds. */
export function g711FlacBytes(format: Pick<G711Format, 'law' | 'channels'>, sampleCount: number): number {
  const wasted = wastedBits[format.law];
  const bits = format.channels * (subframeHeadBits + wasted + sampleCount * (16 - wasted));
  return frameHeadBytes + Math.ceil(bits / 8) + 2;
}

/** Samples of each channel in a FLAC frame, from its header (9.1). @throws AppError data_loss  no FLAC frame */
export function flacFrameSamples(frame: Uint8Array): number {
  if (frame.length < 8 || frame[0] !== 0xff || (frame[1] ?? 0) >> 1 !== 0x7c) {
    throw appError('data_loss', 'not a FLAC frame', { byteLength: frame.length });
  }
  const code = (frame[2] ?? 0) >> 4;
  // The number is coded like UTF-8: as many bytes as its first has leading ones.
  const first = frame[4] ?? 0;
  const at = 4 + Math.max(1, Math.clz32(~(first << 24)));
  if (code === 0) throw appError('data_loss', 'FLAC frame has a reserved block size');
  if (code === 1) return 192;
  if (code < 6) return 576 << (code - 2);
  if (code === 6) return (frame[at] ?? 0) + 1;
  if (code === 7) return (((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0)) + 1;
  return 256 << (code - 8);
}

function streamInfo({ samplingFrequencyHz, channels }: G711Format): Uint8Array {
  if (channels > 8 || samplingFrequencyHz >= 2 ** 20) {
    throw appError('invalid_argument', 'format does not fit FLAC', { samplingFrequencyHz, channels });
  }
  const bytes = new Uint8Array(streamInfoBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 16);
  view.setUint16(2, blockSamplesMax);
  // Sizes of frames, count of samples and digest are 0: unknown. Then 20 bits of rate, channels and depth less one.
  view.setUint32(10, samplingFrequencyHz * 0x1000 + ((channels - 1) << 9) + (15 << 4));
  return bytes;
}

function channelSamples(
  law: G711Law,
  frame: Uint8Array,
  { channel, channels }: { readonly channel: number; readonly channels: number },
): Int32Array {
  const table = samples[law];
  const shift = wastedBits[law];
  const result = new Int32Array(frame.length / channels);
  for (let i = 0; i < result.length; i++) result[i] = (table[frame[i * channels + channel] ?? 0] ?? 0) >> shift;
  return result;
}

function writeSubframe(bits: FlacBits, values: Int32Array, wasted: number, isVerbatim: boolean): void {
  const depth = 16 - wasted;
  const begin = (type: number) => {
    bits.put((type << 1) | 1, 8);
    bits.put(1, wasted);
  };
  const first = values[0] ?? 0;
  if (!isVerbatim && values.every((value) => value === first)) {
    begin(0);
    bits.put(first, depth);
    return;
  }
  const plan = isVerbatim ? undefined : bestPredictor(values, depth);
  if (plan === undefined) {
    begin(1);
    for (const value of values) bits.put(value, depth);
    return;
  }
  begin(8 | plan.order);
  for (let i = 0; i < plan.order; i++) bits.put(values[i] ?? 0, depth);
  bits.put(0, 2 + 4); // Rice codes with parameters of 4 bits, one partition
  bits.put(plan.parameter, 4);
  for (let i = plan.order; i < plan.residual.length; i++) bits.putRice(plan.residual[i] ?? 0, plan.parameter);
}

type Plan = { readonly order: number; readonly parameter: number; readonly residual: Int32Array };

/** The fixed predictor (order 0 .. 4, each the difference of the one before) that needs the fewest bits, if fewer than none. */
function bestPredictor(values: Int32Array, depth: number): Plan | undefined {
  let best: Plan | undefined;
  let bestBits = values.length * depth;
  let residual = values;
  for (let order = 0; order <= 4 && order < values.length; order++) {
    if (order > 0) residual = differences(residual, order);
    const { parameter, bits } = riceBits(residual, order);
    const total = order * depth + 10 + bits;
    if (total < bestBits) {
      bestBits = total;
      best = { order, parameter, residual };
    }
  }
  return best;
}

/** Differences from index `from` up; what lies before keeps its place, so that indices stay those of the samples. */
function differences(values: Int32Array, from: number): Int32Array {
  const result = new Int32Array(values.length);
  for (let i = from; i < values.length; i++) result[i] = (values[i] ?? 0) - (values[i - 1] ?? 0);
  return result;
}

/** The Rice parameter near the mean that needs the fewest bits, and how many. */
function riceBits(residual: Int32Array, from: number): { parameter: number; bits: number } {
  let sum = 0;
  for (let i = from; i < residual.length; i++) sum += folded(residual[i] ?? 0);
  const mean = sum / Math.max(1, residual.length - from);
  const middle = Math.min(14, Math.max(0, Math.floor(Math.log2(mean + 1))));
  let best = { parameter: middle, bits: Number.POSITIVE_INFINITY };
  for (let parameter = Math.max(0, middle - 1); parameter <= Math.min(14, middle + 1); parameter++) {
    let bits = (residual.length - from) * (parameter + 1);
    for (let i = from; i < residual.length; i++) bits += folded(residual[i] ?? 0) >> parameter;
    if (bits < best.bits) best = { parameter, bits };
  }
  return best;
}

/** 0, -1, 1, -2, ... as 0, 1, 2, 3, ... */
function folded(value: number): number {
  return (value << 1) ^ (value >> 31);
}
