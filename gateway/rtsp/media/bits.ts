/** A cursor over bits that is reset for each packet, so that reading headers creates nothing. Beyond the end it reads zeros. */

export class BitCursor {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  reset(bytes: Uint8Array, begin: number, end: number): void {
    this.#bytes = bytes;
    this.#at = begin * 8;
    this.#end = end * 8;
  }

  get leftBits(): number {
    return this.#end - this.#at;
  }

  /** Position in bits from the beginning of the bytes; may be set. */
  get at(): number {
    return this.#at;
  }

  set at(bits: number) {
    this.#at = bits;
  }

  /** Up to 32 bits, most significant first. */
  read(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      const bit = this.#at < this.#end ? ((this.#bytes[this.#at >> 3] ?? 0) >> (7 - (this.#at & 7))) & 1 : 0;
      this.#at++;
      value = value * 2 + bit;
    }
    return value;
  }

  /** Fills `target[0 .. length)`; fast where the cursor stands on a byte. */
  readBytes(target: Uint8Array, length: number): void {
    const begin = this.#at >> 3;
    const shift = this.#at & 7;
    for (let i = 0; i < length; i++) {
      const high = (this.#bytes[begin + i] ?? 0) << 8;
      target[i] = shift === 0 ? high >> 8 : (high | (this.#bytes[begin + i + 1] ?? 0)) >> (8 - shift);
    }
    this.#at += length * 8;
  }
}
