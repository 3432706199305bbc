/**
 * EBML (RFC 8794): element ids of Matroska that we write or read, sizes, and walking elements in memory.
 * Ids are kept with their length marker, as the standards print them.
 */

import { assert } from '../base/assert.ts';
import { appError } from '../base/errors.ts';

export const ebmlIds = {
  ebml: 0x1a45dfa3,
  ebmlVersion: 0x4286,
  ebmlReadVersion: 0x42f7,
  ebmlIdLengthMax: 0x42f2,
  ebmlSizeLengthMax: 0x42f3,
  docType: 0x4282,
  docTypeVersion: 0x4287,
  docTypeReadVersion: 0x4285,
  void: 0xec,
  crc32: 0xbf,
  segment: 0x18538067,
  seekHead: 0x114d9b74,
  info: 0x1549a966,
  segmentUid: 0x73a4,
  timecodeScale: 0x2ad7b1,
  muxingApp: 0x4d80,
  writingApp: 0x5741,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackUid: 0x73c5,
  trackType: 0x83,
  flagLacing: 0x9c,
  defaultDuration: 0x23e383,
  trackName: 0x536e,
  language: 0x22b59c,
  codecId: 0x86,
  codecPrivate: 0x63a2,
  seekPreRoll: 0x56bb,
  contentEncodings: 0x6d80,
  video: 0xe0,
  pixelWidth: 0xb0,
  pixelHeight: 0xba,
  audio: 0xe1,
  samplingFrequency: 0xb5,
  outputSamplingFrequency: 0x78b5,
  channels: 0x9f,
  bitDepth: 0x6264,
  cluster: 0x1f43b675,
  timecode: 0xe7,
  silentTracks: 0x5854,
  position: 0xa7,
  prevSize: 0xab,
  simpleBlock: 0xa3,
  blockGroup: 0xa0,
  block: 0xa1,
  blockDuration: 0x9b,
  referenceBlock: 0xfb,
  encryptedBlock: 0xaf,
  cues: 0x1c53bb6b,
  cuePoint: 0xbb,
  cueTime: 0xb3,
  cueTrackPositions: 0xb7,
  cueTrack: 0xf7,
  cueClusterPosition: 0xf1,
  chapters: 0x1043a770,
  attachments: 0x1941a469,
  tags: 0x1254c367,
  tag: 0x7373,
  targets: 0x63c0,
  simpleTag: 0x67c8,
  tagName: 0x45a3,
  tagString: 0x4487,
  tagBinary: 0x4485,
} as const;

/** What `vintValue` gives for a size with all bits set: until the next element of the same or a higher level. */
export const unknownSize = -1;

/** Length of a variable-size integer by its first byte: 1 .. 8, or 9 for the invalid byte 0. */
export function vintLength(firstByte: number): number {
  return Math.clz32(firstByte & 0xff) - 23;
}

/** An element's size; the caller made sure that `length` bytes are there, and checks it (above 2^53 it is not exact). */
export function vintValue(bytes: Uint8Array, at: number, length: number): number {
  const mask = 0xff >> length;
  let value = (bytes[at] ?? 0) & mask;
  let isAllOnes = value === mask;
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i] ?? 0;
    isAllOnes &&= byte === 0xff;
    value = value * 256 + byte;
  }
  if (isAllOnes) return unknownSize;
  return value;
}

/** An element's id with its marker; the caller made sure that `length` (1 .. 4) bytes are there. */
export function idValue(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

/** An unsigned integer element's value, at most 2^53. @throws AppError invalid_argument  longer than 8 bytes, or above */
export function unsignedValue(bytes: Uint8Array, begin: number, end: number): number {
  if (end - begin > 8) throw appError('invalid_argument', 'integer element is too long', { at: begin });
  let value = 0;
  for (let at = begin; at < end; at++) value = value * 256 + (bytes[at] ?? 0);
  if (value > Number.MAX_SAFE_INTEGER) throw appError('invalid_argument', 'integer is absurd', { at: begin });
  return value;
}

/** A float element's value: 0, 4 or 8 bytes. @throws AppError invalid_argument  another length */
export function floatValue(bytes: Uint8Array, begin: number, end: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + begin, end - begin);
  if (view.byteLength === 0) return 0;
  if (view.byteLength === 4) return view.getFloat32(0);
  if (view.byteLength === 8) return view.getFloat64(0);
  throw appError('invalid_argument', 'float element has an odd length', { at: begin });
}

/** A string element's value, without the zeros that may pad it. */
export function stringValue(bytes: Uint8Array, begin: number, end: number): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + begin, end - begin).toString('utf8');
  const zero = text.indexOf('\0');
  return zero === -1 ? text : text.slice(0, zero);
}

/**
 * Walks sibling elements in memory. Errors tell `at`, an offset in these bytes. Nothing is allocated per element: the fields change at each `next()`.
 *
 * ```ts
 * for (const e = new ElementCursor(bytes); e.next(); ) if (e.id === ebmlIds.tags) read(bytes, e.bodyBegin, e.end);
 * ```
 */
export class ElementCursor {
  readonly bytes: Uint8Array;
  readonly #limit: number;
  id = 0;
  /** Where the element begins, where its body begins, and where it ends. */
  begin: number;
  bodyBegin: number;
  end: number;
  /** The size is not told; `end` is then where the parent ends. */
  isUnknownSize = false;
  isCut = false;

  constructor(bytes: Uint8Array, begin = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#limit = end;
    this.begin = begin;
    this.bodyBegin = begin;
    this.end = begin;
  }

  /** Moves to the element after the last one. @throws AppError data_loss  it is cut off, or runs past its parent */
  next(): boolean {
    return this.#read(this.end);
  }

  /** As `next`, but the element may go on after the bytes at hand: `isCut` then says so and `end` is where they end. */
  nextCut(): boolean {
    return this.#read(this.end, true);
  }

  #read(at: number, isCutAllowed = false): boolean {
    if (at >= this.#limit) return false;
    const idLength = vintLength(this.bytes[at] ?? 0);
    const sizeAt = at + idLength;
    if (idLength > 4) throw appError('invalid_argument', 'element id is invalid', { at });
    const sizeLength = sizeAt < this.#limit ? vintLength(this.bytes[sizeAt] ?? 0) : 1;
    if (sizeLength > 8) throw appError('invalid_argument', 'element size is invalid', { at });
    if (sizeAt + sizeLength > this.#limit) throw appError('data_loss', 'element is cut off', { at });
    const size = vintValue(this.bytes, sizeAt, sizeLength);
    if (size > Number.MAX_SAFE_INTEGER) throw appError('invalid_argument', 'element size is absurd', { at });
    this.id = idValue(this.bytes, at, idLength);
    this.begin = at;
    this.bodyBegin = sizeAt + sizeLength;
    this.isUnknownSize = size === unknownSize;
    const end = this.isUnknownSize ? this.#limit : this.bodyBegin + size;
    this.isCut = end > this.#limit;
    if (this.isCut && !isCutAllowed) {
      throw appError('data_loss', 'element runs past its parent', { at, id: this.id.toString(16), size });
    }
    this.end = this.isCut ? this.#limit : end;
    return true;
  }

  /** The element's value, by what its id makes it. @throws AppError invalid_argument  as the functions of these names */
  unsigned(): number {
    return unsignedValue(this.bytes, this.bodyBegin, this.end);
  }

  float(): number {
    return floatValue(this.bytes, this.bodyBegin, this.end);
  }

  string(): string {
    return stringValue(this.bytes, this.bodyBegin, this.end);
  }

  /** The element's body: a view. */
  body(): Uint8Array {
    return this.bytes.subarray(this.bodyBegin, this.end);
  }

  /** Its children. */
  children(): ElementCursor {
    return new ElementCursor(this.bytes, this.bodyBegin, this.end);
  }
}

/** Bytes of an id as it is written. */
export function idBytes(id: number): number {
  return id > 0xffffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1;
}

/** Bytes of the shortest form of a size. All bits set means unknown, so 127 takes two. */
export function sizeBytes(size: number): number {
  let length = 1;
  while (size >= 2 ** (7 * length) - 1) length++;
  return length;
}

/** Writes a size in the given number of bytes (1 .. 8) and returns where it ends. */
export function writeSize(target: Uint8Array, at: number, size: number, length: number): number {
  let rest = size;
  for (let i = length - 1; i >= 0; i--) {
    target[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  target[at] = (target[at] ?? 0) | (0x80 >> (length - 1));
  return at + length;
}

/** Writes an id and returns where it ends. */
export function writeId(target: Uint8Array, at: number, id: number): number {
  const length = idBytes(id);
  let rest = id;
  for (let i = length - 1; i >= 0; i--) {
    target[at + i] = rest & 0xff;
    rest = Math.floor(rest / 256);
  }
  return at + length;
}

/** An element in a new buffer. `sizeLength` fixes the bytes of its size; the shortest form is the default. */
export function element(id: number, parts: readonly Uint8Array[], sizeLength?: number): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const length = sizeLength ?? sizeBytes(size);
  assert(length >= sizeBytes(size), 'an element fits its size field');
  const head = new Uint8Array(idBytes(id) + length);
  writeSize(head, writeId(head, 0, id), size, length);
  return joinBytes([head, ...parts]);
}

/** The parts in one new buffer. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** An unsigned integer element in its shortest form, or in `length` bytes. */
export function unsignedElement(id: number, value: number, length?: number): Uint8Array {
  assert(Number.isSafeInteger(value) && value >= 0, 'an integer element is a whole number of 0 or more');
  let bytesNeeded = 1;
  while (bytesNeeded < 7 && value >= 2 ** (8 * bytesNeeded)) bytesNeeded++;
  const body = new Uint8Array(length ?? bytesNeeded);
  let rest = value;
  for (let i = body.length - 1; i >= 0; i--) {
    body[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return element(id, [body]);
}

/** A 64 bit float element. */
export function floatElement(id: number, value: number): Uint8Array {
  const body = new Uint8Array(8);
  new DataView(body.buffer).setFloat64(0, value);
  return element(id, [body]);
}

/** A UTF-8 string element. */
export function stringElement(id: number, value: string): Uint8Array {
  return element(id, [Buffer.from(value, 'utf8')]);
}
