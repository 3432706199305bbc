/** Writes bit strings and exp-Golomb numbers: the opposite of the reader under test. */

export class BitWriter {
  #bits = '';

  bits(value: number, count: number): this {
    this.#bits += count === 0 ? '' : value.toString(2).padStart(count, '0').slice(-count);
    return this;
  }

  unsigned(value: number): this {
    const code = (value + 1).toString(2);
    this.#bits += '0'.repeat(code.length - 1) + code;
    return this;
  }

  signed(value: number): this {
    return this.unsigned(value > 0 ? 2 * value - 1 : -2 * value);
  }

  /** The bits with their end mark, padded to bytes. */
  bytes(): Uint8Array {
    const padded = `${this.#bits}1`.padEnd(Math.ceil((this.#bits.length + 1) / 8) * 8, '0');
    return Uint8Array.from(padded.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
  }

  /** The same with emulation prevention. */
  nalBytes(): Uint8Array {
    const result: number[] = [];
    for (const byte of this.bytes()) {
      if (byte <= 3 && result.at(-1) === 0 && result.at(-2) === 0) result.push(3);
      result.push(byte);
    }
    return Uint8Array.from(result);
  }
}
