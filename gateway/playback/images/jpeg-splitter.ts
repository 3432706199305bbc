/** Cuts a byte stream of JPEG pictures, one after another, into pictures. Incremental, bounded, pure. */

import { appError } from '../../../storage/base/errors.ts';

const startOfImage = 0xd8;
const endOfImage = 0xd9;
const startOfScan = 0xda;

export class JpegSplitter {
  readonly #bytesMax: number;
  #buffer = new Uint8Array(64 * 1024);
  #length = 0;
  /** Up to here the picture at hand was looked at; inside a scan or at a marker. */
  #at = 0;
  #isInScan = false;

  constructor({ bytesMax }: { readonly bytesMax: number }) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of a picture that is not whole yet. */
  get pendingBytes(): number {
    return this.#length;
  }

  /**
   * Takes the next bytes and returns the pictures that are whole now.
   *
   * @throws AppError data_loss           not JPEG
   * @throws AppError resource_exhausted  a picture is larger than allowed
   */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#append(chunk);
    const pictures: Uint8Array[] = [];
    for (let end = this.#pictureEnd(); end !== undefined; end = this.#pictureEnd()) {
      pictures.push(this.#buffer.slice(0, end));
      this.#buffer.copyWithin(0, end, this.#length);
      this.#length -= end;
      this.#at = 0;
      this.#isInScan = false;
    }
    return pictures;
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytesMax) {
      throw appError('resource_exhausted', 'picture is too large', { bytesMax: this.#bytesMax });
    }
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
  }

  #pictureEnd(): number | undefined {
    const bytes = this.#buffer.subarray(0, this.#length);
    for (;;) {
      if (this.#isInScan) {
        // In coded data 0xff is followed by 0 or a restart marker; any other marker ends the scan.
        const at = bytes.indexOf(0xff, this.#at);
        const marker = bytes[at + 1];
        this.#at = at < 0 ? bytes.length : at;
        if (at < 0 || marker === undefined) return undefined;
        if (marker === 0 || (marker >= 0xd0 && marker <= 0xd7)) this.#at = at + 2;
        else this.#isInScan = false;
        continue;
      }
      const marker = bytes[this.#at + 1];
      if (marker === undefined) return undefined;
      if (bytes[this.#at] !== 0xff) throw appError('data_loss', 'not a JPEG marker', { byteOffset: this.#at });
      if (marker === endOfImage) return this.#at + 2;
      if (marker === startOfImage) {
        this.#at += 2;
        continue;
      }
      const length = ((bytes[this.#at + 2] ?? 0) << 8) | (bytes[this.#at + 3] ?? 0);
      if (this.#at + 4 > bytes.length || this.#at + 2 + length > bytes.length) return undefined;
      this.#at += 2 + length;
      this.#isInScan = marker === startOfScan;
    }
  }
}
