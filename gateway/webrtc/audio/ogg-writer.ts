/** Opus in Ogg (RFC 7845) for ffmpeg's standard input: a page for each packet, so that nothing waits for the next one. */

import { assert } from '../../../storage/base/assert.ts';
import { buildOpusHead } from '../../../storage/media/index.ts';

const pageHeadBytes = 27;
const lacingFull = 255;
const segmentsMax = 255;
const isFirstFlag = 2;
/** One stream a child, so any number does. */
const serialNumber = 1;
/** Longest packet that fits on a page. */
export const oggPacketBytesMax = segmentsMax * lacingFull - 1;

export class OpusOggWriter {
  #sequence = 0;

  /** Both headers: OpusHead and an empty OpusTags. */
  head(options: { readonly channels: number }): Uint8Array {
    const tags = Buffer.concat([Buffer.from('OpusTags'), new Uint8Array(8)]);
    return Buffer.concat([this.#page(buildOpusHead(options), { granule: 0 }), this.#page(tags, { granule: 0 })]);
  }

  /** @param endSamples  samples at 48 kHz up to the end of this packet */
  packet(bytes: Uint8Array, endSamples: number): Uint8Array {
    return this.#page(bytes, { granule: endSamples });
  }

  #page(packet: Uint8Array, { granule }: { readonly granule: number }): Uint8Array {
    assert(packet.length <= oggPacketBytesMax, 'a packet fits on a page');
    // A packet ends with a segment that is not full, be it an empty one.
    const full = Math.floor(packet.length / lacingFull);
    const payloadAt = pageHeadBytes + full + 1;
    const page = new Uint8Array(payloadAt + packet.length);
    const view = new DataView(page.buffer);
    page.set(Buffer.from('OggS'));
    page[5] = this.#sequence === 0 ? isFirstFlag : 0;
    view.setBigInt64(6, BigInt(granule), true);
    view.setUint32(14, serialNumber, true);
    view.setUint32(18, this.#sequence, true);
    page[26] = full + 1;
    page.fill(lacingFull, pageHeadBytes, pageHeadBytes + full);
    page[payloadAt - 1] = packet.length % lacingFull;
    page.set(packet, payloadAt);
    view.setUint32(22, checksum(page), true);
    this.#sequence++;
    return page;
  }
}

/** CRC 32 of Ogg: polynomial 0x04c11db7, highest bit first, no inversion. */
function checksum(page: Uint8Array): number {
  let sum = 0;
  for (const byte of page) sum = ((sum << 8) ^ (checksums[(sum >>> 24) ^ byte] ?? 0)) >>> 0;
  return sum;
}

const checksums: readonly number[] = Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 24;
  for (let bit = 0; bit < 8; bit++) sum = (sum << 1) ^ (sum < 0 ? 0x04c11db7 : 0);
  return sum >>> 0;
});
