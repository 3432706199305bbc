/** Audio payloads: AAC by RFC 3640, G.711 and Opus (a packet is a frame). LATM has a file of its own. */

import { u8, u16 } from '../../../storage/base/bytes.ts';
import { rtspLimits } from '../limits.ts';
import { BitCursor } from './bits.ts';

export type AudioHandler = {
  /**
   * One codec frame; `bytes` are borrowed until return.
   *
   * @param ticksAfter  RTP clock ticks after `rtpTime`: frames that share a packet follow each other
   */
  frame(bytes: Uint8Array, rtpTime: number, ticksAfter: number): void;
  /** A frame was left out because pieces of it are missing. */
  damaged(): void;
  oddity(text: string): void;
};

/** G.711 and Opus: the payload is the frame. */
export class WholePacketDepacketiser {
  readonly #handler: AudioHandler;

  constructor(handler: AudioHandler) {
    this.#handler = handler;
  }

  payload(bytes: Uint8Array, begin: number, end: number, rtpTime: number): void {
    this.#handler.frame(bytes.subarray(begin, end), rtpTime, 0);
  }

  gap(): void {}
}

export type AacPayloadOptions = {
  /** Bits of the fields of an AU header, by `a=fmtp`; hbr has 13, 3, 3 and lbr 6, 2, 2. */
  readonly sizeBits: number;
  readonly indexBits: number;
  readonly indexDeltaBits: number;
  /** Size of every frame where headers have none; 0 when they do. */
  readonly constantSize: number;
  readonly ticksPerFrame: number;
};

/** mpeg4-generic: AU headers, then the frames; a frame larger than a packet comes in several, the last with the marker. */
export class AacDepacketiser {
  readonly #handler: AudioHandler;
  readonly #options: AacPayloadOptions;
  readonly #bits = new BitCursor();
  readonly #whole = new Uint8Array(rtspLimits.audioBytesMax);
  /** Of a frame in pieces: bytes so far and in all, and its time. */
  #have = 0;
  #want = 0;
  #rtpTime = 0;

  constructor(handler: AudioHandler, options: AacPayloadOptions) {
    this.#handler = handler;
    this.#options = options;
  }

  payload(bytes: Uint8Array, begin: number, end: number, rtpTime: number): void {
    const { sizeBits, indexBits, indexDeltaBits, constantSize, ticksPerFrame } = this.#options;
    if (sizeBits === 0) {
      this.#constant(bytes, begin, end, rtpTime, constantSize);
      return;
    }
    const headerBits = u16(bytes, begin);
    const dataBegin = begin + 2 + ((headerBits + 7) >> 3);
    if (dataBegin > end || headerBits < sizeBits) {
      // A camera that sends frames without headers although it announced them.
      if (isAdts(bytes, begin, end)) this.#frame(bytes, begin, end, rtpTime, 0);
      else this.#handler.oddity('a sound packet has no valid header');
      return;
    }
    this.#bits.reset(bytes, begin + 2, dataBegin);
    let at = dataBegin;
    for (let index = 0, bitsLeft = headerBits; bitsLeft >= sizeBits && at < end; index++) {
      const size = this.#bits.read(sizeBits);
      const skipBits = index === 0 ? indexBits : indexDeltaBits;
      this.#bits.read(Math.min(skipBits, bitsLeft - sizeBits));
      bitsLeft -= sizeBits + skipBits;
      if (at + size > end) {
        this.#piece(bytes, at, end, rtpTime, size);
        return;
      }
      this.#dropPieces();
      if (size > 0) this.#frame(bytes, at, at + size, rtpTime, index * ticksPerFrame);
      at += size;
    }
  }

  gap(): void {
    this.#dropPieces();
  }

  #constant(bytes: Uint8Array, begin: number, end: number, rtpTime: number, size: number): void {
    const step = size === 0 ? end - begin : size;
    if (step <= 0) return;
    for (let at = begin, index = 0; at + step <= end; at += step, index++) {
      this.#frame(bytes, at, at + step, rtpTime, index * this.#options.ticksPerFrame);
    }
  }

  #piece(bytes: Uint8Array, begin: number, end: number, rtpTime: number, size: number): void {
    if (this.#have > 0 && (this.#rtpTime !== rtpTime || this.#want !== size)) this.#dropPieces();
    if (this.#have + end - begin > this.#whole.length) {
      this.#dropPieces();
      return;
    }
    this.#whole.set(bytes.subarray(begin, end), this.#have);
    this.#have += end - begin;
    this.#want = size;
    this.#rtpTime = rtpTime;
    if (this.#have < size) return;
    this.#have = 0;
    this.#frame(this.#whole, 0, size, rtpTime, 0);
  }

  #dropPieces(): void {
    if (this.#have === 0) return;
    this.#have = 0;
    this.#handler.damaged();
  }

  /** Some cameras leave the ADTS header of their encoder before the raw frame. */
  #frame(bytes: Uint8Array, begin: number, end: number, rtpTime: number, ticksAfter: number): void {
    const skip = isAdts(bytes, begin, end) ? ((u8(bytes, begin + 1) & 1) === 1 ? 7 : 9) : 0;
    if (skip > 0) this.#handler.oddity('sound frames carry ADTS headers, which are taken off');
    if (begin + skip < end) this.#handler.frame(bytes.subarray(begin + skip, end), rtpTime, ticksAfter);
  }
}

/** Sync word, layer 0, and a frame length that is exactly the frame's: no raw frame looks like that by chance. */
function isAdts(bytes: Uint8Array, begin: number, end: number): boolean {
  if (end - begin < 8 || (u16(bytes, begin) & 0xfff6) !== 0xfff0) return false;
  const length = ((u8(bytes, begin + 3) & 3) << 11) | (u8(bytes, begin + 4) << 3) | (u8(bytes, begin + 5) >> 5);
  return length === end - begin;
}
