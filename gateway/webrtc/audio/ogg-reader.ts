/** Ogg pages (RFC 3533) as ffmpeg writes them to a pipe: incremental and bounded. Pure. */

import { appError } from '../../../storage/base/errors.ts';
import { joined } from './joined.ts';

/** The packets that ended on one page. */
export type OggPage = {
  /** Of the last of them, as the codec counts; -1 where none ended. */
  readonly granulePosition: number;
  /** Copies. */
  readonly packets: readonly Uint8Array[];
};

const headBytes = 27;
const capture = Uint8Array.of(0x4f, 0x67, 0x67, 0x53);
const isContinuedFlag = 1;
const lacingFull = 255;
const segmentsMax = 255;
/** A page with all of its segments full. */
const pageBytesMax = headBytes + segmentsMax + segmentsMax * lacingFull;
/** An Opus packet of 120 ms has 61 KB at the most; ours have hundreds of bytes. */
const packetBytesMax = 64 * 1024;

/**
 * Reads one logical stream. Checksums are not looked at: what comes through a pipe of this machine is not damaged on its way, and
 * what follows a page is known to begin a page.
 */
export class OggReader {
  /** What is not read yet: less than a page between two calls. */
  #rest: Uint8Array = new Uint8Array(0);
  /** The pieces of a packet that goes on on the next page. */
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;

  /**
   * @param chunk  the next bytes, split anywhere
   * @throws AppError data_loss  no Ogg, or a packet that is too long: nothing that follows is read
   */
  push(chunk: Uint8Array): OggPage[] {
    const bytes = joined(this.#rest, chunk);
    const pages: OggPage[] = [];
    let at = 0;
    for (let length = pageBytes(bytes, at); length !== undefined; length = pageBytes(bytes, at)) {
      pages.push(this.#readPage(bytes.subarray(at, at + length)));
      at += length;
    }
    this.#rest = bytes.slice(at);
    return pages;
  }

  #readPage(page: Uint8Array): OggPage {
    const segments = page[26] ?? 0;
    const isContinued = ((page[5] ?? 0) & isContinuedFlag) !== 0;
    if (isContinued !== this.#piecesBytes > 0)
      throw appError('data_loss', 'an ogg page does not follow the one before');
    const packets: Uint8Array[] = [];
    let begin = headBytes + segments;
    let end = begin;
    for (let i = 0; i < segments; i++) {
      const lacing = page[headBytes + i] ?? 0;
      end += lacing;
      if (lacing === lacingFull) continue;
      packets.push(this.#finish(page.subarray(begin, end)));
      begin = end;
    }
    this.#keep(page.subarray(begin, end));
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    return { granulePosition: Number(view.getBigInt64(6, true)), packets };
  }

  #finish(last: Uint8Array): Uint8Array {
    this.#keep(last);
    const packet = new Uint8Array(this.#piecesBytes);
    let at = 0;
    for (const piece of this.#pieces) {
      packet.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    this.#piecesBytes = 0;
    return packet;
  }

  #keep(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#piecesBytes += piece.length;
    if (this.#piecesBytes > packetBytesMax) {
      throw appError('data_loss', 'an ogg packet is too long', { packetBytes: this.#piecesBytes });
    }
    this.#pieces.push(piece.slice());
  }
}

/** Length of the page that begins at an offset; undefined while it is not there as a whole. @throws AppError data_loss */
function pageBytes(bytes: Uint8Array, at: number): number | undefined {
  for (const [i, byte] of capture.entries()) {
    if (at + i >= bytes.length) return undefined;
    if (bytes[at + i] !== byte) throw appError('data_loss', 'not an ogg page', { byteOffset: at });
  }
  const segments = bytes[at + 26];
  if (segments === undefined) return undefined;
  let length = headBytes + segments;
  for (let i = 0; i < segments; i++) {
    const lacing = bytes[at + headBytes + i];
    if (lacing === undefined) return undefined;
    length += lacing;
  }
  return at + length <= bytes.length && length <= pageBytesMax ? length : undefined;
}
