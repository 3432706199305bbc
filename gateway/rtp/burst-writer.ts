/**
 * Packets of one access unit as one piece of memory, each already in its interleaved frame (`$`, channel, length; RFC 2326 10.12):
 * a TCP reader gets all of it in one write, UDP walks over the frames. All readers share the bytes, so nobody may change them.
 */

import { writeU16, writeU32 } from '../../storage/base/bytes.ts';

/** The packets of one access unit. */
export type RtpBurst = {
  /** Interleaved frames, one after another. Shared: never changed. */
  readonly bytes: Uint8Array;
  readonly packets: number;
  /** Without RTP heads, as sender reports count. */
  readonly payloadBytes: number;
  readonly firstSequence: number;
  readonly rtpTime: number;
};

export const frameHeadBytes = 4;
export const rtpHeadBytes = 12;
const dollar = 0x24;

/** What does not change from packet to packet of a track. */
export type RtpSender = { readonly channel: number; readonly payloadType: number; readonly ssrc: number };

export class BurstWriter {
  readonly #sender: RtpSender;
  readonly #bytes: Uint8Array;
  readonly #firstSequence: number;
  #at = 0;
  #packets = 0;

  /** @param options.packets, options.payloadBytes  known before: the memory is made once */
  constructor(
    sender: RtpSender,
    options: { readonly firstSequence: number; readonly packets: number; readonly payloadBytes: number },
  ) {
    this.#sender = sender;
    this.#firstSequence = options.firstSequence;
    // Not from Node's pool: a small sound packet would keep 8 KiB alive for as long as a slow reader does not take it.
    this.#bytes = new Uint8Array(options.payloadBytes + options.packets * (frameHeadBytes + rtpHeadBytes));
  }

  /** Begins a packet; returns where its payload is to be written. */
  packet(payloadBytes: number, rtpTime: number, hasMarker: boolean): { bytes: Uint8Array; at: number } {
    const bytes = this.#bytes;
    const { channel, payloadType, ssrc } = this.#sender;
    const at = this.#at;
    bytes[at] = dollar;
    bytes[at + 1] = channel;
    writeU16(bytes, at + 2, rtpHeadBytes + payloadBytes);
    bytes[at + 4] = 0x80;
    bytes[at + 5] = payloadType | (hasMarker ? 0x80 : 0);
    writeU16(bytes, at + 6, (this.#firstSequence + this.#packets) & 0xffff);
    writeU32(bytes, at + 8, rtpTime);
    writeU32(bytes, at + 12, ssrc);
    this.#packets++;
    this.#at = at + frameHeadBytes + rtpHeadBytes + payloadBytes;
    return { bytes, at: at + frameHeadBytes + rtpHeadBytes };
  }

  finish(rtpTime: number): RtpBurst {
    const bytes = this.#bytes.subarray(0, this.#at);
    const payloadBytes = this.#at - this.#packets * (frameHeadBytes + rtpHeadBytes);
    return { bytes, packets: this.#packets, payloadBytes, firstSequence: this.#firstSequence, rtpTime };
  }
}

/** Calls back with each packet's place, without its frame's head. */
export function forEachPacket(burst: Uint8Array, visit: (begin: number, end: number) => void): void {
  for (let at = 0; at + frameHeadBytes <= burst.length; ) {
    const begin = at + frameHeadBytes;
    const end = begin + (((burst[at + 2] ?? 0) << 8) | (burst[at + 3] ?? 0));
    visit(begin, end);
    at = end;
  }
}

/** A copy for a reader that chose another channel. */
export function onChannel(burst: Uint8Array, channel: number): Uint8Array {
  const copy = new Uint8Array(burst);
  forEachPacket(copy, (begin) => {
    copy[begin - frameHeadBytes + 1] = channel;
  });
  return copy;
}
