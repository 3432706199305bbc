/** Cuts what an encoder writes, in pieces of any size, into access units: H.264 Annex B with delimiters, AAC with ADTS heads. */

/** More than any picture of ours: an encoder that writes on without an end of one is broken. */
const unitBytesMax = 4 * 1024 * 1024;

/** H.264 whose every access unit begins with an access unit delimiter (NAL type 9). */
export class AnnexBSplitter {
  readonly #onUnit: (nals: readonly Uint8Array[]) => void;
  #rest = Buffer.alloc(0);
  #nals: Uint8Array[] = [];

  /** @param onUnit  the NAL units of one access unit without start codes and delimiter; they stay valid */
  constructor(onUnit: (nals: readonly Uint8Array[]) => void) {
    this.#onUnit = onUnit;
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.concat([this.#rest, chunk]);
    let begin = startCodeAfter(bytes, 0);
    while (begin >= 0) {
      const next = startCodeAfter(bytes, begin);
      if (next < 0) break;
      // Zeros before a start code belong to it.
      let end = next - 3;
      while (end > begin && bytes[end - 1] === 0) end--;
      this.#nal(bytes.subarray(begin, end));
      begin = next;
    }
    this.#rest = Buffer.from(begin < 0 ? bytes : bytes.subarray(begin - 3));
    if (this.#rest.length > unitBytesMax) throw new Error('the encoder writes no pictures');
  }

  #nal(nal: Uint8Array): void {
    const isDelimiter = ((nal[0] ?? 0) & 0x1f) === 9;
    if (!isDelimiter) {
      this.#nals.push(nal);
      return;
    }
    if (this.#nals.length > 0) this.#onUnit(this.#nals);
    this.#nals = [];
  }
}

/** AAC with ADTS heads (ISO/IEC 14496-3 1.A.2), without CRC, one frame a head: what ffmpeg writes. */
export class AdtsSplitter {
  readonly #onFrame: (frame: Uint8Array) => void;
  #rest = Buffer.alloc(0);

  /** @param onFrame  the raw AAC frame; it stays valid */
  constructor(onFrame: (frame: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at + 7 <= bytes.length) {
      if (bytes[at] !== 0xff || ((bytes[at + 1] ?? 0) & 0xf6) !== 0xf0) throw new Error('the encoder writes no ADTS');
      const frameBytes = (bytes.readUInt32BE(at + 2) >>> 5) & 0x1fff;
      if (at + frameBytes > bytes.length) break;
      if (frameBytes <= 7) throw new Error('the encoder wrote an empty ADTS frame');
      this.#onFrame(bytes.subarray(at + 7, at + frameBytes));
      at += frameBytes;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
  }
}

/** Where the first byte behind the next `00 00 01` lies, or -1. */
function startCodeAfter(bytes: Buffer, from: number): number {
  const at = bytes.indexOf('\x00\x00\x01', from, 'latin1');
  return at < 0 ? -1 : at + 3;
}
