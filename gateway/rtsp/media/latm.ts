/** AAC in LATM (RFC 6416, ISO/IEC 14496-3 1.7.3): one program, one layer, which is all that cameras send. */

import { rtspLimits } from '../limits.ts';
import type { AudioHandler } from './audio.ts';
import { BitCursor } from './bits.ts';

/** What a StreamMuxConfig says. */
export type LatmConfig = {
  /** AudioSpecificConfig, whole bytes. */
  readonly audioSpecificConfig: Uint8Array;
  readonly framesPerElement: number;
  readonly otherDataBits: number;
};

/** Undefined for forms that we do not take: several programs or layers, other frame length types. */
export function parseStreamMuxConfig(bits: BitCursor): LatmConfig | undefined {
  if (bits.read(1) !== 0) return undefined; // audioMuxVersion 1
  if (bits.read(1) !== 1) return undefined; // allStreamsSameTimeFraming
  const framesPerElement = bits.read(6) + 1;
  if (bits.read(4) !== 0 || bits.read(3) !== 0) return undefined; // numProgram, numLayer
  const configBegin = bits.at;
  if (!skipSpecificConfig(bits)) return undefined;
  const configBits = bits.at - configBegin;
  bits.at = configBegin;
  const audioSpecificConfig = new Uint8Array((configBits + 7) >> 3);
  bits.readBytes(audioSpecificConfig, audioSpecificConfig.length);
  bits.at = configBegin + configBits;
  const spare = audioSpecificConfig.length * 8 - configBits;
  const last = audioSpecificConfig.length - 1;
  audioSpecificConfig[last] = ((audioSpecificConfig[last] ?? 0) >> spare) << spare;
  if (bits.read(3) !== 0) return undefined; // frameLengthType
  bits.read(8); // latmBufferFullness
  let otherDataBits = 0;
  if (bits.read(1) === 1) {
    for (let hasMore = 1; hasMore === 1 && bits.leftBits > 0; ) {
      hasMore = bits.read(1);
      otherDataBits = otherDataBits * 256 + bits.read(8);
    }
  }
  if (bits.read(1) === 1) bits.read(8); // crcCheckSum
  return { audioSpecificConfig, framesPerElement, otherDataBits };
}

/** Walks over an AudioSpecificConfig of AAC-LC, plain or with SBR; false for other forms. */
function skipSpecificConfig(bits: BitCursor): boolean {
  const objectType = bits.read(5);
  if (bits.read(4) === 15) bits.read(24);
  const channels = bits.read(4);
  let core = objectType;
  if (objectType === 5 || objectType === 29) {
    if (bits.read(4) === 15) bits.read(24);
    core = bits.read(5);
  }
  if (core !== 2 || channels === 0) return false;
  bits.read(1); // frameLengthFlag
  if (bits.read(1) === 1) bits.read(14); // dependsOnCoreCoder
  if (bits.read(1) === 1) return false; // extensionFlag
  // GStreamer leaves the sync extension in, which the mux config has no place for. No frame length type begins like it.
  const end = bits.at;
  if (bits.read(11) !== 0x2b7) {
    bits.at = end;
    return true;
  }
  if (bits.read(5) === 5 && bits.read(1) === 1 && bits.read(4) === 15) bits.read(24);
  return true;
}

export class LatmDepacketiser {
  readonly #handler: AudioHandler & { config(config: LatmConfig): void };
  readonly #isConfigInBand: boolean;
  readonly #ticksPerFrame: () => number;
  readonly #element = new Uint8Array(rtspLimits.audioBytesMax);
  readonly #frame = new Uint8Array(rtspLimits.audioBytesMax);
  readonly #bits = new BitCursor();
  #length = 0;
  #isBroken = false;
  #config: LatmConfig | undefined;

  /** @param options.config  from the SDP; undefined when it comes in band (cpresent=1) */
  constructor(
    handler: AudioHandler & { config(config: LatmConfig): void },
    options: {
      readonly config: LatmConfig | undefined;
      readonly isConfigInBand: boolean;
      readonly ticksPerFrame: () => number;
    },
  ) {
    this.#handler = handler;
    this.#config = options.config;
    this.#isConfigInBand = options.isConfigInBand;
    this.#ticksPerFrame = options.ticksPerFrame;
  }

  payload(bytes: Uint8Array, begin: number, end: number, rtpTime: number, hasMarker: boolean): void {
    if (this.#length + end - begin > this.#element.length) this.#isBroken = true;
    if (!this.#isBroken) {
      this.#element.set(bytes.subarray(begin, end), this.#length);
      this.#length += end - begin;
    }
    if (!hasMarker) return;
    if (this.#isBroken) this.#handler.damaged();
    else this.#read(rtpTime);
    this.#length = 0;
    this.#isBroken = false;
  }

  gap(): void {
    if (this.#length > 0) this.#isBroken = true;
  }

  #read(rtpTime: number): void {
    const bits = this.#bits;
    bits.reset(this.#element, 0, this.#length);
    if (this.#isConfigInBand && bits.read(1) === 0) {
      const config = parseStreamMuxConfig(bits);
      if (config === undefined) {
        this.#handler.oddity('the sound has a form of LATM that is not supported');
        return;
      }
      this.#config = config;
      this.#handler.config(config);
    }
    if (this.#config === undefined) return;
    for (let index = 0; index < this.#config.framesPerElement && bits.leftBits >= 8; index++) {
      let size = 0;
      for (let byte = 255; byte === 255 && bits.leftBits >= 8; ) {
        byte = bits.read(8);
        size += byte;
      }
      if (size === 0) continue;
      if (size * 8 > bits.leftBits) {
        this.#handler.damaged();
        return;
      }
      bits.readBytes(this.#frame, size);
      this.#handler.frame(this.#frame.subarray(0, size), rtpTime, index * this.#ticksPerFrame());
    }
  }
}
