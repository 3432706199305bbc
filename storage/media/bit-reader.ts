/** Reads bits, most significant first, and exp-Golomb numbers (H.264 9.1, H.265 9.2) out of untrusted bytes. */

import { appError } from '../base/errors.ts';

/** A position in a bit string. Every read past the end throws AppError data_loss. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bits not read yet. */
  get remainingBits(): number {
    return this.#bytes.length * 8 - this.#at;
  }

  /** An unsigned number of 0 .. 32 bits. */
  bits(count: number): number {
    if (count > this.remainingBits) throw appError('data_loss', 'bit string ended early', { bit: this.#at, count });
    let value = 0;
    for (let left = count; left > 0; ) {
      const inByte = this.#at & 7;
      const take = Math.min(left, 8 - inByte);
      const byte = this.#bytes[this.#at >> 3] ?? 0;
      value = value * 2 ** take + ((byte >> (8 - inByte - take)) & ((1 << take) - 1));
      this.#at += take;
      left -= take;
    }
    return value;
  }

  flag(): boolean {
    return this.bits(1) === 1;
  }

  skip(count: number): void {
    if (count > this.remainingBits) throw appError('data_loss', 'bit string ended early', { bit: this.#at, count });
    this.#at += count;
  }

  /** ue(v), at most `max`. @throws AppError data_loss  the number is larger, which no valid stream has */
  unsigned(max = 0xffff_fffe): number {
    let zeros = 0;
    while (!this.flag()) {
      zeros++;
      if (zeros > 31) throw appError('data_loss', 'exp-golomb number is too long', { bit: this.#at });
    }
    const value = 2 ** zeros - 1 + this.bits(zeros);
    if (value > max) throw appError('data_loss', 'coded number is out of range', { value, max });
    return value;
  }

  /** se(v). */
  signed(): number {
    const code = this.unsigned();
    return code % 2 === 0 ? -code / 2 : (code + 1) / 2;
  }
}
