/**
 * Cursors over packed binary records, little endian. The reader checks every length against the bytes there are before it
 * uses it, so that a torn or hostile record is an `AppError` and never a large allocation.
 */

import { appError } from '../base/errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Appends values to a buffer that grows. */
export class PackedWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(bytesExpected: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(16, bytesExpected));
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  u8(value: number): void {
    this.#at = this.#room(1).writeUInt8(value, this.#at);
  }

  u32(value: number): void {
    this.#at = this.#room(4).writeUInt32LE(value, this.#at);
  }

  f64(value: number): void {
    this.#at = this.#room(8).writeDoubleLE(value, this.#at);
  }

  bytes(value: Uint8Array): void {
    this.#room(value.byteLength).set(value, this.#at);
    this.#at += value.byteLength;
  }

  /** One length byte, then up to 255 bytes of UTF-8. */
  text(value: string): void {
    const bytes = encoder.encode(value);
    this.u8(bytes.byteLength);
    this.bytes(bytes);
  }

  /** A view of what was written; the writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  #room(bytes: number): Buffer {
    if (this.#at + bytes > this.#bytes.byteLength) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.byteLength, this.#at + bytes));
      this.#bytes.copy(larger, 0, 0, this.#at);
      this.#bytes = larger;
    }
    return this.#bytes;
  }
}

/** Takes values off a view. @throws AppError data_loss  from every method, when fewer bytes are left than it needs */
export class PackedReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  /** A finite number: NaN and infinities are never written. */
  f64(): number {
    const value = this.#bytes.readDoubleLE(this.#take(8));
    if (!Number.isFinite(value)) throw appError('data_loss', 'packed record holds no number', { at: this.#at - 8 });
    return value;
  }

  /** A copy. */
  bytes(length: number): Uint8Array {
    const begin = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(begin, begin + length));
  }

  text(): string {
    const begin = this.#at + 1;
    const length = this.u8();
    try {
      return decoder.decode(this.#bytes.subarray(begin, this.#take(length) + length));
    } catch (cause) {
      if (cause instanceof TypeError) throw appError('data_loss', 'packed record holds no text', { at: begin, cause });
      throw cause;
    }
  }

  #take(bytes: number): number {
    if (bytes > this.left) {
      throw appError('data_loss', 'packed record is too short', { at: this.#at, needed: bytes, left: this.left });
    }
    const begin = this.#at;
    this.#at += bytes;
    return begin;
  }
}
