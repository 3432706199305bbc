/** Writes the bit string of a FLAC frame, most significant bit first, with its two checksums. */

import { assert } from '../base/assert.ts';

export class FlacBits {
  readonly #bytes: Uint8Array;
  #length = 0;
  #pending = 0;
  #pendingBits = 0;

  /** @param bytesMax  the longest the frame can become, checksums included */
  constructor(bytesMax: number) {
    this.#bytes = new Uint8Array(bytesMax);
  }

  /** The low `count` (0 .. 16) bits of a value; negative ones in two's complement. */
  put(value: number, count: number): void {
    this.#pending = (this.#pending << count) | (value & ((1 << count) - 1));
    this.#pendingBits += count;
    while (this.#pendingBits >= 8) {
      this.#pendingBits -= 8;
      this.#bytes[this.#length++] = this.#pending >> this.#pendingBits;
    }
    this.#pending &= (1 << this.#pendingBits) - 1;
  }

  /** A signed residual: folded to unsigned, its high part in unary, then `parameter` low bits. */
  putRice(value: number, parameter: number): void {
    const folded = (value << 1) ^ (value >> 31);
    let zeros = folded >> parameter;
    for (; zeros >= 16; zeros -= 16) this.put(0, 16);
    this.put(1, zeros + 1);
    this.put(folded, parameter);
  }

  /** Checksum of the frame header so far (9.1.8). */
  putCrc8(): void {
    let crc = 0;
    for (let i = 0; i < this.#length; i++) {
      crc ^= this.#bytes[i] ?? 0;
      for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80) === 0 ? crc << 1 : (crc << 1) ^ 0x07;
      crc &= 0xff;
    }
    this.put(crc, 8);
  }

  /** Pads to a whole byte, appends the checksum of the frame (9.3) and returns it. */
  finish(): Uint8Array {
    if (this.#pendingBits > 0) this.put(0, 8 - this.#pendingBits);
    let crc = 0;
    for (let i = 0; i < this.#length; i++)
      crc = ((crc << 8) ^ (crcTable[(crc >> 8) ^ (this.#bytes[i] ?? 0)] ?? 0)) & 0xffff;
    this.put(crc, 16);
    assert(this.#length <= this.#bytes.length, 'a FLAC frame is no longer than its verbatim form');
    return this.#bytes.subarray(0, this.#length);
  }
}

/** CRC-16 with polynomial 0x8005, by byte. */
const crcTable = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x8005;
  return crc;
});
