/**
 * Access units of one track to RTP packets: H.264 (RFC 6184: single units and FU-A), H.265 (RFC 7798: single units and FU), AAC
 * (RFC 3640, AAC-hbr), G.711 (RFC 3551) and Opus (RFC 7587). Keeps nothing but the sequence number.
 */

import { writeU16 } from '../../storage/base/bytes.ts';
import { appError } from '../../storage/base/errors.ts';
import { forEachNal, h264NalType, h264NalTypes, h265NalType, h265NalTypes } from '../../storage/media/index.ts';
import { BurstWriter, type RtpBurst, type RtpSender, rtpHeadBytes } from './burst-writer.ts';
import { type RtpFormat, setsOf } from './format.ts';
import { rtpLimits } from './limits.ts';

/** A unit as lanes and clusters carry it: length-prefixed NAL units, or one frame of sound. Borrowed until return. */
export type UnitToSend = { readonly bytes: Uint8Array; readonly isKey: boolean };

/** How packets are made, beyond what their format says. */
export type PacketForm = {
  /** A whole RTP packet with its head. */
  readonly packetBytesMax: number;
  /** Access unit delimiters are sent too. Decoders need none of them: RTP's marker ends a picture. */
  readonly hasDelimiters: boolean;
};

type Nal = { readonly bytes: Uint8Array; readonly begin: number; readonly end: number };

/** H.264 has one byte before a unit's content, H.265 two; a fragment repeats them and adds one (RFC 6184 5.8, RFC 7798 4.4.3). */
const nalHeadBytes = { h264: 1, h265: 2 } as const;
const fragmentTypes = { h264: 28, h265: 49 } as const;
const auHeadBytes = 4;

export class RtpPacketiser {
  readonly format: RtpFormat;
  readonly #sender: RtpSender;
  readonly #parameterSets: readonly Nal[];
  readonly #form: PacketForm;
  readonly #payloadBytesMax: number;
  #sequence: number;

  /** @param options.firstSequence  0 .. 65535, random */
  constructor(
    format: RtpFormat,
    options: PacketForm & { readonly channel: number; readonly ssrc: number; readonly firstSequence: number },
  ) {
    this.format = format;
    this.#sender = { channel: options.channel, payloadType: format.payloadType, ssrc: options.ssrc };
    const { packetBytesMax, hasDelimiters } = options;
    this.#form = { packetBytesMax, hasDelimiters };
    this.#payloadBytesMax = packetBytesMax - rtpHeadBytes;
    this.#sequence = options.firstSequence;
    this.#parameterSets = setsOf(format.track).map((bytes) => ({ bytes, begin: 0, end: bytes.length }));
  }

  get ssrc(): number {
    return this.#sender.ssrc;
  }

  /** Of the packet that comes next. */
  get nextSequence(): number {
    return this.#sequence;
  }

  /** The same sender of the same track, described anew: other parameter sets. */
  withFormat(format: RtpFormat): RtpPacketiser {
    const { channel, ssrc } = this.#sender;
    return new RtpPacketiser(format, { ...this.#form, channel, ssrc, firstSequence: this.#sequence });
  }

  /**
   * @returns packets that together are the unit; the last one has the marker, where the format knows one
   * @throws AppError data_loss  the unit is broken, empty, in too many pieces or larger than its format can carry
   */
  burst(unit: UnitToSend, rtpTime: number): RtpBurst {
    const burst = this.#burst(unit, rtpTime);
    this.#sequence = (this.#sequence + burst.packets) & 0xffff;
    return burst;
  }

  #burst(unit: UnitToSend, rtpTime: number): RtpBurst {
    if (unit.bytes.length === 0) throw appError('data_loss', 'access unit is empty');
    const { codec } = this.format;
    switch (codec) {
      case 'h264':
      case 'h265':
        return this.#video(codec, this.#nalsOf(codec, unit), rtpTime);
      case 'aac':
        return this.#aac(unit.bytes, rtpTime);
      case 'opus':
        return this.#whole(unit.bytes, rtpTime);
      case 'pcmu':
      case 'pcma':
        return this.#samples(unit.bytes, rtpTime);
    }
  }

  /** The unit's own NAL units, with the track's parameter sets in front of a key picture that brings none. */
  #nalsOf(codec: 'h264' | 'h265', unit: UnitToSend): readonly Nal[] {
    const nals: Nal[] = [];
    let hasSets = false;
    let isBehindDelimiter = false;
    let seen = 0;
    forEachNal(unit.bytes, (bytes, begin, end) => {
      if (++seen > rtpLimits.nalsMax) throw appError('data_loss', 'access unit has too many nal units', { seen });
      const first = bytes[begin] ?? 0;
      hasSets ||= isSequenceSet(codec, first);
      if (isDelimiter(codec, first)) {
        if (!this.#form.hasDelimiters) return;
        isBehindDelimiter ||= nals.length === 0;
      }
      if (end - begin > nalHeadBytes[codec]) nals.push({ bytes, begin, end });
    });
    if (nals.length === 0) throw appError('data_loss', 'access unit has no nal unit');
    if (!unit.isKey || hasSets) return nals;
    const at = isBehindDelimiter ? 1 : 0;
    return [...nals.slice(0, at), ...this.#parameterSets, ...nals.slice(at)];
  }

  #video(codec: 'h264' | 'h265', nals: readonly Nal[], rtpTime: number): RtpBurst {
    const payloadBytesMax = this.#payloadBytesMax;
    const headBytes = nalHeadBytes[codec];
    const pieceHeadBytes = headBytes + 1;
    const pieceBytesMax = payloadBytesMax - pieceHeadBytes;
    let packets = 0;
    let payloadBytes = 0;
    for (const { begin, end } of nals) {
      const isWhole = end - begin <= payloadBytesMax;
      const pieces = isWhole ? 1 : Math.ceil((end - begin - headBytes) / pieceBytesMax);
      packets += pieces;
      payloadBytes += isWhole ? end - begin : end - begin - headBytes + pieces * pieceHeadBytes;
    }
    const writer = this.#writer(packets, payloadBytes);
    for (const [index, { bytes, begin, end }] of nals.entries()) {
      const isLastNal = index === nals.length - 1;
      if (end - begin <= payloadBytesMax) {
        const target = writer.packet(end - begin, rtpTime, isLastNal);
        target.bytes.set(bytes.subarray(begin, end), target.at);
        continue;
      }
      for (let from = begin + headBytes; from < end; from += pieceBytesMax) {
        const to = Math.min(end, from + pieceBytesMax);
        const isLast = to === end;
        const { bytes: out, at } = writer.packet(pieceHeadBytes + to - from, rtpTime, isLastNal && isLast);
        const edge = (from === begin + headBytes ? 0x80 : 0) | (isLast ? 0x40 : 0);
        writeFragmentHead(codec, { out, at, first: bytes[begin] ?? 0, second: bytes[begin + 1] ?? 0, edge });
        out.set(bytes.subarray(from, to), at + pieceHeadBytes);
      }
    }
    return writer.finish(rtpTime);
  }

  /** One frame a packet, or a frame in several: each tells the whole frame's size, the last has the marker (RFC 3640 3.2.3). */
  #aac(frame: Uint8Array, rtpTime: number): RtpBurst {
    if (frame.length > rtpLimits.aacFrameBytesMax) throw tooLarge(frame);
    const pieceBytesMax = this.#payloadBytesMax - auHeadBytes;
    const packets = Math.ceil(frame.length / pieceBytesMax);
    const writer = this.#writer(packets, frame.length + packets * auHeadBytes);
    for (let from = 0; from < frame.length; from += pieceBytesMax) {
      const to = Math.min(frame.length, from + pieceBytesMax);
      const { bytes, at } = writer.packet(auHeadBytes + to - from, rtpTime, to === frame.length);
      writeU16(bytes, at, 16);
      writeU16(bytes, at + 2, frame.length << 3);
      bytes.set(frame.subarray(from, to), at + auHeadBytes);
    }
    return writer.finish(rtpTime);
  }

  #whole(frame: Uint8Array, rtpTime: number): RtpBurst {
    if (frame.length > rtpLimits.wholeFrameBytesMax) throw tooLarge(frame);
    const writer = this.#writer(1, frame.length);
    const { bytes, at } = writer.packet(frame.length, rtpTime, false);
    bytes.set(frame, at);
    return writer.finish(rtpTime);
  }

  /** A byte is a sample of one channel: cut anywhere between samples. */
  #samples(frame: Uint8Array, rtpTime: number): RtpBurst {
    const channels = Math.max(1, this.format.track.audio?.channels ?? 1);
    const pieceBytesMax = this.#payloadBytesMax - (this.#payloadBytesMax % channels);
    const writer = this.#writer(Math.ceil(frame.length / pieceBytesMax), frame.length);
    for (let from = 0; from < frame.length; from += pieceBytesMax) {
      const to = Math.min(frame.length, from + pieceBytesMax);
      const { bytes, at } = writer.packet(to - from, (rtpTime + from / channels) % 2 ** 32, false);
      bytes.set(frame.subarray(from, to), at);
    }
    return writer.finish(rtpTime);
  }

  #writer(packets: number, payloadBytes: number): BurstWriter {
    return new BurstWriter(this.#sender, { firstSequence: this.#sequence, packets, payloadBytes });
  }
}

function writeFragmentHead(
  codec: 'h264' | 'h265',
  piece: {
    readonly out: Uint8Array;
    readonly at: number;
    readonly first: number;
    readonly second: number;
    readonly edge: number;
  },
): void {
  const { out, at, first, second, edge } = piece;
  if (codec === 'h264') {
    out[at] = (first & 0xe0) | fragmentTypes.h264;
    out[at + 1] = edge | h264NalType(first);
    return;
  }
  out[at] = (first & 0x81) | (fragmentTypes.h265 << 1);
  out[at + 1] = second;
  out[at + 2] = edge | h265NalType(first);
}

function isSequenceSet(codec: 'h264' | 'h265', first: number): boolean {
  return codec === 'h264' ? h264NalType(first) === h264NalTypes.sps : h265NalType(first) === h265NalTypes.sps;
}

function isDelimiter(codec: 'h264' | 'h265', first: number): boolean {
  return codec === 'h264'
    ? h264NalType(first) === h264NalTypes.delimiter
    : h265NalType(first) === h265NalTypes.delimiter;
}

function tooLarge(frame: Uint8Array): Error {
  return appError('data_loss', 'sound frame is larger than its format can carry', { byteLength: frame.length });
}
