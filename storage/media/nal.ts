/**
 * NAL units: the two ways they are joined to access units (length prefix of 4 bytes here and in Matroska, start codes in
 * Annex B), their types, and the bytes that keep start codes out of them.
 */

import { appError } from '../base/errors.ts';

/** nal_unit_type of H.264 (table 7-1), those that somebody here decides by. */
export const h264NalTypes = {
  slice: 1,
  partitionA: 2,
  partitionC: 4,
  idrSlice: 5,
  sei: 6,
  sps: 7,
  pps: 8,
  delimiter: 9,
  endOfSequence: 10,
  endOfStream: 11,
  filler: 12,
  spsExtension: 13,
} as const;

/** nal_unit_type of H.265 (table 7-1), those that somebody here decides by. */
export const h265NalTypes = {
  firstIrap: 16,
  idrWithLeading: 19,
  idr: 20,
  cra: 21,
  lastVcl: 31,
  vps: 32,
  sps: 33,
  pps: 34,
  delimiter: 35,
  endOfSequence: 36,
  endOfStream: 37,
  filler: 38,
  prefixSei: 39,
  suffixSei: 40,
} as const;

export function h264NalType(firstByte: number): number {
  return firstByte & 0x1f;
}

export function h265NalType(firstByte: number): number {
  return (firstByte >> 1) & 0x3f;
}

/** Bytes of the length before each NAL unit; avcC and hvcC say the same. */
export const nalLengthBytes = 4;

/**
 * Calls back with each NAL unit of a length-prefixed access unit, as offsets into the same bytes. Returning false stops.
 *
 * @throws AppError data_loss  a length points past the end
 */
export function forEachNal(
  lengthPrefixed: Uint8Array,
  visit: (bytes: Uint8Array, begin: number, end: number) => unknown,
): void {
  let at = 0;
  while (at < lengthPrefixed.length) {
    const begin = at + nalLengthBytes;
    const end = begin + readU32(lengthPrefixed, at);
    if (end > lengthPrefixed.length) {
      throw appError('data_loss', 'nal unit runs past the access unit', { byteOffset: at, end });
    }
    if (end > begin && visit(lengthPrefixed, begin, end) === false) return;
    at = end;
  }
}

/** A new buffer with start codes (00 00 00 01) where the lengths were. @throws AppError data_loss  as `forEachNal` */
export function lengthPrefixedToAnnexB(lengthPrefixed: Uint8Array): Uint8Array {
  const result = new Uint8Array(lengthPrefixed);
  forEachNal(lengthPrefixed, (_bytes, begin) => {
    result[begin - 4] = 0;
    result[begin - 3] = 0;
    result[begin - 2] = 0;
    result[begin - 1] = 1;
  });
  return result;
}

/** A new buffer with lengths where the start codes (of 3 or 4 bytes) were; zeros around NAL units and empty ones are dropped. */
export function annexBToLengthPrefixed(annexB: Uint8Array): Uint8Array {
  const nals: { begin: number; end: number }[] = [];
  let size = 0;
  forEachAnnexBNal(annexB, (begin, end) => {
    nals.push({ begin, end });
    size += nalLengthBytes + end - begin;
  });
  const result = new Uint8Array(size);
  let at = 0;
  for (const { begin, end } of nals) {
    writeU32(result, at, end - begin);
    result.set(annexB.subarray(begin, end), at + nalLengthBytes);
    at += nalLengthBytes + end - begin;
  }
  return result;
}

/** The access unit whose NAL units are these, in a new buffer. */
export function joinNals(nals: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(nals.reduce((sum, nal) => sum + nalLengthBytes + nal.length, 0));
  let at = 0;
  for (const nal of nals) {
    writeU32(result, at, nal.length);
    result.set(nal, at + nalLengthBytes);
    at += nalLengthBytes + nal.length;
  }
  return result;
}

/**
 * The NAL unit's content with emulation prevention bytes (00 00 03) taken out: a copy.
 *
 * @param bytesMax  parse no more than so much: parameter sets and SEI that matter are short
 */
export function withoutEmulationPrevention(nal: Uint8Array, bytesMax = 4096): Uint8Array {
  const source = nal.subarray(0, bytesMax);
  const target = new Uint8Array(source.length);
  let length = 0;
  let zeros = 0;
  for (const byte of source) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    target[length++] = byte;
  }
  return target.subarray(0, length);
}

/** The NAL unit without trailing zero bytes, which belong to Annex B and not to it: a view. */
export function withoutTrailingZeros(nal: Uint8Array): Uint8Array {
  let end = nal.length;
  while (end > 0 && nal[end - 1] === 0) end--;
  return nal.subarray(0, end);
}

function forEachAnnexBNal(bytes: Uint8Array, visit: (begin: number, end: number) => void): void {
  let begin = -1;
  for (let at = bytes.indexOf(1); at !== -1; at = bytes.indexOf(1, at + 1)) {
    if (at < 2 || bytes[at - 1] !== 0 || bytes[at - 2] !== 0) continue;
    if (begin !== -1) visitTrimmed(begin, at - 2);
    begin = at + 1;
  }
  if (begin !== -1) visitTrimmed(begin, bytes.length);

  function visitTrimmed(from: number, to: number): void {
    const end = from + withoutTrailingZeros(bytes.subarray(from, to)).length;
    if (end > from) visit(from, end);
  }
}

function readU32(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) throw appError('data_loss', 'nal unit length is cut off', { byteOffset: at });
  const high = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  return high * 0x10000 + (((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0));
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
