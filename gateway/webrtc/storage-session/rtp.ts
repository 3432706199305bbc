/** RTP packets (RFC 3550 5.1) of one peer on their way to others: read, and given the numbers of the line on which they go out. Pure. */

import { storageSessionLimits } from './limits.ts';

export type RtpPacket = {
  readonly isMarked: boolean;
  readonly sequence: number;
  readonly rtpTime: number;
  /** Without padding: a view. */
  readonly payload: Uint8Array;
};

const headBytes = 12;

/** Undefined for what is no packet, or has nothing in it, as probes of the bandwidth. */
export function readRtp(packet: Uint8Array): RtpPacket | undefined {
  const [first = 0, second = 0] = packet;
  if (packet.length < headBytes || packet.length > storageSessionLimits.packetBytesMax || first >> 6 !== 2)
    return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  let begin = headBytes + 4 * (first & 0x0f);
  if ((first & 0x10) !== 0) {
    if (begin + 4 > packet.length) return undefined;
    begin += 4 + 4 * view.getUint16(begin + 2);
  }
  const paddingBytes = (first & 0x20) === 0 ? 0 : (packet.at(-1) ?? 0);
  const end = packet.length - paddingBytes;
  if (begin >= end) return undefined;
  return {
    isMarked: (second & 0x80) !== 0,
    sequence: view.getUint16(2),
    rtpTime: view.getUint32(4),
    payload: packet.subarray(begin, end),
  };
}

export type RtpLine = { readonly ssrc: number; readonly payloadType: number; readonly clockHz: number };

/**
 * One outgoing stream that is fed by one source after another: numbers and times go on where the last one stopped. Holes inside a
 * source stay, so that who receives knows of them, and what comes late comes in its place.
 */
export class RtpStamper {
  readonly #line: RtpLine;
  #source: unknown;
  #sequenceOffset = 0;
  #timeOffset = 0;
  #lastSequence: number;
  #lastTime: number;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** @param random  0..1: where numbers and times begin */
  constructor(line: RtpLine, random: () => number) {
    this.#line = line;
    this.#lastSequence = Math.floor(random() * 0x8000);
    this.#lastTime = Math.floor(random() * 0xffff_ffff);
  }

  /**
   * @param source  whose packet it is, compared by identity
   * @param nowMs   on any clock that does not step
   * @returns       the packet to be sent: a copy
   */
  stamp(packet: RtpPacket, source: unknown, nowMs: number): Uint8Array {
    const { ssrc, payloadType, clockHz } = this.#line;
    const isFirst = this.#lastMs === Number.NEGATIVE_INFINITY;
    if (source !== this.#source || isFirst) {
      const passedMs = isFirst ? 0 : Math.max(20, nowMs - this.#lastMs);
      this.#sequenceOffset = this.#lastSequence + 1 - packet.sequence;
      this.#timeOffset = this.#lastTime + Math.round((passedMs * clockHz) / 1_000) - packet.rtpTime;
      this.#source = source;
    }
    const sequence = (packet.sequence + this.#sequenceOffset) & 0xffff;
    const rtpTime = (packet.rtpTime + this.#timeOffset) >>> 0;
    const isAhead = ((sequence - this.#lastSequence) & 0xffff) < 0x8000;
    if (isAhead) {
      this.#lastSequence = sequence;
      this.#lastTime = rtpTime;
    }
    this.#lastMs = nowMs;
    const stamped = new Uint8Array(headBytes + packet.payload.length);
    const view = new DataView(stamped.buffer);
    stamped[0] = 0x80;
    stamped[1] = (packet.isMarked ? 0x80 : 0) | payloadType;
    view.setUint16(2, sequence);
    view.setUint32(4, rtpTime);
    view.setUint32(8, ssrc);
    stamped.set(packet.payload, headBytes);
    return stamped;
  }
}

/** Whether a compound RTCP packet asks for a key frame (PLI or FIR, RFC 4585 6.3.1 and RFC 5104 4.3.1). */
export function asksForKeyFrame(rtcp: Uint8Array): boolean {
  const view = new DataView(rtcp.buffer, rtcp.byteOffset, rtcp.byteLength);
  for (let at = 0; at + 4 <= rtcp.length; at += 4 + 4 * view.getUint16(at + 2)) {
    const format = (rtcp[at] ?? 0) & 0x1f;
    if (rtcp[at + 1] === 206 && (format === 1 || format === 4)) return true;
  }
  return false;
}
