/**
 * One track's RTP packets: header, sequence, source, loss. What passes goes to the depacketiser in order, each packet once,
 * as offsets into the bytes it came in.
 */

import { u8, u16, u32 } from '../../../storage/base/bytes.ts';
import { rtspLimits } from '../limits.ts';

export type PacketHandler = {
  /**
   * The next packet's payload; `bytes` are borrowed until return.
   *
   * @param rtpTime  32-bit RTP timestamp
   */
  payload(bytes: Uint8Array, begin: number, end: number, rtpTime: number, hasMarker: boolean): void;
  /** So many packets are missing before the next payload. */
  gap(packets: number): void;
  /** Another source took over: sequence numbers and timestamps start anew with the next payload. */
  restarted(): void;
};

/** What happened to a packet. `foreign-type`: another track's payload type, not looked at further. */
export type PacketVerdict = 'taken' | 'malformed' | 'duplicate' | 'foreign-type' | 'foreign-source';

const minimumHeaderBytes = 12;

export class RtpReceiver {
  readonly #handler: PacketHandler;
  #payloadType: number;
  readonly #otherTypes: readonly number[];
  #source = -1;
  #expected = -1;
  #cycles = 0;
  #firstExtended = -1;
  #foreignSource = -1;
  #foreignCount = 0;
  #foreignType = -1;
  #foreignTypeCount = 0;
  #received = 0;
  #lost = 0;

  constructor(
    handler: PacketHandler,
    options: { readonly payloadType: number; readonly otherTypes: readonly number[] },
  ) {
    this.#handler = handler;
    this.#payloadType = options.payloadType;
    this.#otherTypes = options.otherTypes;
  }

  /** Of this track's source; undefined before its first packet. */
  get source(): number | undefined {
    return this.#source < 0 ? undefined : this.#source;
  }

  get received(): number {
    return this.#received;
  }

  get lost(): number {
    return this.#lost;
  }

  /** Highest sequence number with its cycles, for receiver reports. */
  get highestSequence(): number {
    return this.#expected < 0 ? 0 : this.#cycles * 0x10000 + ((this.#expected - 1) & 0xffff);
  }

  /** Packets that should have come by now. */
  get expectedPackets(): number {
    return this.#firstExtended < 0 ? 0 : this.highestSequence - this.#firstExtended + 1;
  }

  /** Payload type of a packet that is long enough, else -1: decides whose it is where channels are mixed up. */
  static payloadTypeOf(bytes: Uint8Array, begin: number, end: number): number {
    return end - begin < minimumHeaderBytes || u8(bytes, begin) >> 6 !== 2 ? -1 : u8(bytes, begin + 1) & 0x7f;
  }

  /** Whether this track announced the type. */
  hasType(payloadType: number): boolean {
    return payloadType === this.#payloadType;
  }

  /** Takes one packet in `bytes[begin .. end)`, in the order that they should be in. */
  packet(bytes: Uint8Array, begin: number, end: number): PacketVerdict {
    const first = u8(bytes, begin);
    if (end - begin < minimumHeaderBytes || first >> 6 !== 2) return 'malformed';
    const second = u8(bytes, begin + 1);
    if ((second & 0x7f) !== this.#payloadType && !this.#adoptType(second & 0x7f)) return 'foreign-type';
    let payloadBegin = begin + minimumHeaderBytes + ((first & 0x0f) << 2);
    if ((first & 0x10) !== 0) payloadBegin += 4 + (u16(bytes, payloadBegin + 2) << 2);
    let payloadEnd = end;
    if ((first & 0x20) !== 0) {
      const padding = u8(bytes, end - 1);
      // Padding of 0 or beyond the payload is a mistake of encoders that set the bit and forget the count: keep the bytes.
      if (padding > 0 && payloadEnd - padding >= payloadBegin) payloadEnd -= padding;
    }
    if (payloadBegin > payloadEnd) return 'malformed';
    if (!this.#isFromSource(u32(bytes, begin + 8))) return 'foreign-source';
    if (!this.#isNext(u16(bytes, begin + 2))) return 'duplicate';
    this.#received++;
    // A packet without payload keeps a NAT open; it counts in the sequence and says nothing.
    if (payloadBegin < payloadEnd) {
      this.#handler.payload(bytes, payloadBegin, payloadEnd, u32(bytes, begin + 4), (second & 0x80) !== 0);
    }
    return 'taken';
  }

  /** A track that only ever sends another type than it announced is believed after a while; a stray one is not. */
  #adoptType(payloadType: number): boolean {
    if (this.#received > 0 || this.#otherTypes.includes(payloadType)) return false;
    this.#foreignTypeCount = payloadType === this.#foreignType ? this.#foreignTypeCount + 1 : 1;
    this.#foreignType = payloadType;
    if (this.#foreignTypeCount < rtspLimits.changeAfterPackets * 10) return false;
    this.#payloadType = payloadType;
    return true;
  }

  /** Packets of an older session of the same camera may be mixed in (live555 before 2017): a new source must persist. */
  #isFromSource(source: number): boolean {
    if (source === this.#source) {
      this.#foreignCount = 0;
      return true;
    }
    if (this.#source >= 0) {
      this.#foreignCount = source === this.#foreignSource ? this.#foreignCount + 1 : 1;
      this.#foreignSource = source;
      if (this.#foreignCount < rtspLimits.changeAfterPackets) return false;
      this.#handler.gap(this.#foreignCount - 1);
      this.#handler.restarted();
    }
    this.#source = source;
    this.#expected = -1;
    this.#foreignCount = 0;
    return true;
  }

  #isNext(sequence: number): boolean {
    if (this.#expected < 0) {
      this.#expected = sequence;
      this.#cycles = 0;
      this.#firstExtended = sequence;
    }
    const ahead = (sequence - this.#expected) & 0xffff;
    if (ahead !== 0) {
      // One or few behind: sent twice, or so late that its place is gone.
      if (ahead > 0x10000 - 100) return false;
      const isCountable = ahead <= rtspLimits.lossPacketsMax;
      const packets = isCountable ? ahead : 1;
      this.#lost += packets;
      this.#handler.gap(packets);
      if (!isCountable) this.#firstExtended += sequence - this.#expected;
    }
    if (sequence < this.#expected && ahead <= rtspLimits.lossPacketsMax) this.#cycles++;
    this.#expected = (sequence + 1) & 0xffff;
    if (this.#expected === 0) this.#cycles++;
    return true;
  }
}
