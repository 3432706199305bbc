/** H.264 payloads (RFC 6184): single units, STAP-A and FU-A. STAP-B, MTAP and FU-B need interleaved mode, which no camera uses. */

import { u8, u16 } from '../../../storage/base/bytes.ts';
import { h264NalType, h264NalTypes } from '../../../storage/media/index.ts';
import { rtspLimits } from '../limits.ts';
import { type NalRole, PictureAssembler, type PictureHandler } from './picture.ts';

const aggregateA = 24;
const fragmentA = 28;

export class H264Depacketiser {
  readonly pictures: PictureAssembler;
  readonly #handler: PictureHandler;
  readonly #header = new Uint8Array(1);

  constructor(handler: PictureHandler) {
    this.#handler = handler;
    this.pictures = new PictureAssembler(handler, {
      roleOf: roleOfH264,
      isFirstSlice: isFirstH264Slice,
      mayMakeKey: mayHoldRecoveryPoint,
    });
  }

  payload(bytes: Uint8Array, begin: number, end: number, rtpTime: number, hasMarker: boolean): void {
    const first = u8(bytes, begin);
    const type = h264NalType(first);
    if (type === fragmentA) this.#fragment(bytes, begin, end, rtpTime);
    else if (type === aggregateA) this.#aggregate(bytes, begin, end, rtpTime);
    else if (type < aggregateA) this.pictures.nal(bytes, begin, end, rtpTime);
    else this.#handler.oddity(`packets of type ${type} (interleaved mode) are left out`);
    if (hasMarker) this.pictures.marker(rtpTime);
  }

  #fragment(bytes: Uint8Array, begin: number, end: number, rtpTime: number): void {
    if (end - begin < 2) return;
    const fuHeader = u8(bytes, begin + 1);
    if ((fuHeader & 0x80) !== 0) {
      this.#header[0] = (u8(bytes, begin) & 0xe0) | (fuHeader & 0x1f);
      this.pictures.beginNal(this.#header, bytes, begin + 2, end, rtpTime);
    } else {
      this.pictures.continueNal(bytes, begin + 2, end, rtpTime);
    }
    if ((fuHeader & 0x40) !== 0) this.pictures.endNal(rtpTime);
  }

  #aggregate(bytes: Uint8Array, begin: number, end: number, rtpTime: number): void {
    let at = begin + 1;
    for (let pieces = 0; at + 2 < end; pieces++) {
      if (pieces === rtspLimits.piecesMax) {
        this.pictures.leaveOutRest();
        return;
      }
      const next = at + 2 + u16(bytes, at);
      // A size beyond the packet: what is there is cut off and would only damage a decoder.
      if (next > end) {
        this.#handler.oddity('an aggregation packet is shorter than its units');
        return;
      }
      this.pictures.nal(bytes, at + 2, next, rtpTime);
      at = next;
    }
  }
}

function roleOfH264(firstByte: number): NalRole {
  switch (h264NalType(firstByte)) {
    case h264NalTypes.slice:
    case h264NalTypes.partitionA:
    case 3:
    case h264NalTypes.partitionC:
      return 'slice';
    case h264NalTypes.idrSlice:
      return 'key-slice';
    case h264NalTypes.sps:
    case h264NalTypes.pps:
      return 'parameter-set';
    case h264NalTypes.sei:
      return 'sei';
    case h264NalTypes.endOfSequence:
    case h264NalTypes.endOfStream:
    case 19:
    case 20:
    case 21:
      return 'suffix';
    case h264NalTypes.filler:
      return 'filler';
    default:
      return 'prefix';
  }
}

/** first_mb_in_slice is the slice header's first number, Exp-Golomb coded: 0 is a single 1 bit. Partitions B and C never begin. */
function isFirstH264Slice(nal: Uint8Array, begin: number): boolean {
  const type = h264NalType(u8(nal, begin));
  return type !== 3 && type !== h264NalTypes.partitionC && (u8(nal, begin + 1) & 0x80) !== 0;
}

const recoveryPoint = 6;

/**
 * Whether one of the unit's messages is a recovery point, without unescaping anything: cameras put messages of their own into
 * every picture, and only these few are worth the full reading.
 */
function mayHoldRecoveryPoint(nal: Uint8Array, begin: number, end: number): boolean {
  for (let at = begin + 1; at + 2 < end; ) {
    let type = 0;
    for (; u8(nal, at) === 0xff && at < end; at++) type += 255;
    type += u8(nal, at++);
    if (type === recoveryPoint) return true;
    let size = 0;
    for (; u8(nal, at) === 0xff && at < end; at++) size += 255;
    at += size + u8(nal, at) + 1;
  }
  return false;
}
