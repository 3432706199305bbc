/**
 * Rewrites sequence parameter sets so that a decoder shows each picture at once. Streams with B-frames declare that pictures
 * may have to wait for later ones; a decoder that gets one key frame alone would keep it until the next request
 * (measured: two requests late). Nothing else in the parameter set changes. Pure.
 */

import { appError, isAppError } from '../../../storage/base/errors.ts';
import {
  h264NalType,
  h264NalTypes,
  h265NalType,
  h265NalTypes,
  withoutEmulationPrevention,
} from '../../../storage/media/index.ts';

/** Profiles whose H.264 parameter sets have chroma fields (7.3.2.1.1). */
const chromaProfiles = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
const extendedAspect = 255;
/** Counts inside parameter sets are small; larger ones are garbage. */
const countMax = 256;

/** The NAL unit itself, or its rewritten form when it is a sequence parameter set that we understand. */
export function withImmediateOutput(codec: 'h264' | 'h265', nal: Uint8Array): Uint8Array {
  const isSps =
    codec === 'h264' ? h264NalType(nal[0] ?? 0) === h264NalTypes.sps : h265NalType(nal[0] ?? 0) === h265NalTypes.sps;
  if (!isSps) return nal;
  try {
    const bits = new BitEditor(withoutEmulationPrevention(nal));
    if (codec === 'h264') editH264(bits);
    else editH265(bits);
    return withEmulationPrevention(bits.finish());
  } catch (error) {
    if (isAppError(error, 'data_loss')) return nal;
    throw error;
  }
}

/** H.264: bitstream_restriction at the very end of the VUI, added where it is missing (7.3.2.1.1, E.1.1). */
function editH264(bits: BitEditor): void {
  bits.copy(8);
  const profile = bits.copy(8);
  bits.copy(16);
  bits.copyUnsigned();
  if (chromaProfiles.has(profile)) copyH264Chroma(bits);
  bits.copyUnsigned(); // log2_max_frame_num_minus4
  const orderType = bits.copyUnsigned();
  if (orderType === 0) bits.copyUnsigned();
  else if (orderType === 1) {
    bits.copy(1);
    bits.copyUnsigned(2);
    for (let cycle = bits.copyCount(); cycle > 0; cycle--) bits.copyUnsigned();
  }
  const referenceFrames = bits.copyCount();
  bits.copy(1);
  bits.copyUnsigned(2); // size in macroblocks
  if (bits.copy(1) === 0) bits.copy(1);
  bits.copy(1);
  if (bits.copy(1) === 1) bits.copyUnsigned(4); // cropping
  const hasVui = bits.skip(1) === 1;
  bits.put(1, 1);
  if (hasVui) copyH264Vui(bits);
  else bits.put(0, 8); // eight absent parts, up to pic_struct_present_flag
  bits.put(1, 1); // bitstream_restriction_flag
  bits.put(1, 1); // motion_vectors_over_pic_boundaries_flag
  for (const value of [0, 0, 16, 16, 0, referenceFrames]) bits.putUnsigned(value);
  bits.dropRest();
}

function copyH264Chroma(bits: BitEditor): void {
  const chromaFormat = bits.copyUnsigned();
  if (chromaFormat === 3) bits.copy(1);
  bits.copyUnsigned(2);
  bits.copy(1);
  if (bits.copy(1) === 0) return;
  const lists = chromaFormat === 3 ? 12 : 8;
  for (let list = 0; list < lists; list++) {
    if (bits.copy(1) === 1) copyScalingList(bits, list < 6 ? 16 : 64);
  }
}

function copyScalingList(bits: BitEditor, size: number): void {
  let last = 8;
  for (let at = 0, next = 8; at < size && next !== 0; at++) {
    const code = bits.copyUnsigned();
    next = (last + (code % 2 === 1 ? (code + 1) / 2 : -code / 2) + 256) % 256;
    last = next === 0 ? last : next;
  }
}

function copyH264Vui(bits: BitEditor): void {
  if (bits.copy(1) === 1 && bits.copy(8) === extendedAspect) bits.copy(32);
  if (bits.copy(1) === 1) bits.copy(1); // overscan
  if (bits.copy(1) === 1) {
    bits.copy(4);
    if (bits.copy(1) === 1) bits.copy(24); // colour description
  }
  if (bits.copy(1) === 1) bits.copyUnsigned(2); // chroma location
  if (bits.copy(1) === 1) bits.copy(65); // timing
  const hasNalHrd = copyHrd(bits);
  const hasVclHrd = copyHrd(bits);
  if (hasNalHrd || hasVclHrd) bits.copy(1);
  bits.copy(1); // pic_struct_present_flag
}

function copyHrd(bits: BitEditor): boolean {
  if (bits.copy(1) === 0) return false;
  const buffers = bits.copyCount() + 1;
  bits.copy(8);
  for (let at = 0; at < buffers; at++) {
    bits.copyUnsigned(2);
    bits.copy(1);
  }
  bits.copy(20);
  return true;
}

/** H.265: sps_max_num_reorder_pics and sps_max_latency_increase_plus1 (7.3.2.2.1). */
function editH265(bits: BitEditor): void {
  bits.copy(16 + 4);
  const lastSubLayer = bits.copy(3);
  bits.copy(1);
  copyProfileTierLevel(bits, lastSubLayer);
  bits.copyUnsigned();
  if (bits.copyUnsigned() === 3) bits.copy(1);
  bits.copyUnsigned(2);
  if (bits.copy(1) === 1) bits.copyUnsigned(4);
  bits.copyUnsigned(3);
  const isForAll = bits.copy(1) === 1;
  for (let layer = isForAll ? 0 : lastSubLayer; layer <= lastSubLayer; layer++) {
    bits.copyUnsigned();
    bits.skipUnsigned();
    bits.skipUnsigned();
    bits.putUnsigned(0);
    bits.putUnsigned(0);
  }
  bits.copyRest();
}

function copyProfileTierLevel(bits: BitEditor, lastSubLayer: number): void {
  bits.copy(88 + 8);
  const parts: number[] = [];
  for (let layer = 0; layer < 8 && lastSubLayer > 0; layer++) {
    const flags = bits.copy(2);
    if (layer < lastSubLayer) parts.push((flags & 2 ? 88 : 0) + (flags & 1 ? 8 : 0));
  }
  for (const part of parts) bits.copy(part);
}

/** Copies bits from a payload into a new one, with replacements; at most a few hundred bytes, so clarity before speed. */
class BitEditor {
  readonly #source: Uint8Array;
  readonly #target: number[] = [];
  #at = 0;
  readonly #end: number;

  constructor(source: Uint8Array) {
    this.#source = source;
    this.#end = lastOneBit(source);
  }

  /** Copies bits and returns the value of the last 32 of them. */
  copy(count: number): number {
    const value = this.skip(count);
    for (let bit = this.#at - count; bit < this.#at; bit++) this.#target.push(this.#bitAt(bit));
    return value;
  }

  skip(count: number): number {
    if (this.#at + count > this.#end) throw appError('data_loss', 'parameter set is cut off', { bit: this.#at });
    let value = 0;
    for (let bit = 0; bit < count; bit++) value = ((value << 1) | this.#bitAt(this.#at++)) >>> 0;
    return value;
  }

  /** Copies Exp-Golomb codes, signed ones alike, and returns the last one's code number. */
  copyUnsigned(times = 1): number {
    let value = 0;
    for (let time = 0; time < times; time++) {
      const begin = this.#at;
      value = this.skipUnsigned();
      for (let bit = begin; bit < this.#at; bit++) this.#target.push(this.#bitAt(bit));
    }
    return value;
  }

  copyCount(): number {
    const count = this.copyUnsigned();
    if (count > countMax) throw appError('data_loss', 'parameter set has an impossible count', { count });
    return count;
  }

  skipUnsigned(): number {
    let zeros = 0;
    while (this.skip(1) === 0) zeros++;
    if (zeros > 31) throw appError('data_loss', 'parameter set has an impossible number', { zeros });
    return 2 ** zeros - 1 + (zeros === 0 ? 0 : this.skip(zeros));
  }

  put(value: number, count: number): void {
    for (let bit = count - 1; bit >= 0; bit--) this.#target.push((value >>> bit) & 1);
  }

  putUnsigned(value: number): void {
    const count = 32 - Math.clz32(value + 1);
    this.put(0, count - 1);
    this.put(value + 1, count);
  }

  copyRest(): void {
    this.copy(this.#end - this.#at);
  }

  dropRest(): void {
    this.#at = this.#end;
  }

  /** The new payload, ended with its stop bit. */
  finish(): Uint8Array {
    const bits = [...this.#target, 1];
    const bytes = new Uint8Array(Math.ceil(bits.length / 8));
    bits.forEach((bit, at) => {
      bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (bit << (7 - (at & 7)));
    });
    return bytes;
  }

  #bitAt(bit: number): number {
    return ((this.#source[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
  }
}

/** Where the stop bit of a payload lies. */
function lastOneBit(payload: Uint8Array): number {
  for (let bit = payload.length * 8 - 1; bit >= 0; bit--) {
    if ((((payload[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1) return bit;
  }
  return 0;
}

function withEmulationPrevention(payload: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  let zeros = 0;
  for (const byte of payload) {
    if (zeros === 2 && byte <= 3) {
      bytes.push(3);
      zeros = 0;
    }
    bytes.push(byte);
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return Uint8Array.from(bytes);
}
