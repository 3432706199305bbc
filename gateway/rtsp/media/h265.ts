/** H.265 payloads (RFC 7798): single units, aggregation packets and fragmentation units, with DONL fields where announced. */

import { u8, u16 } from '../../../storage/base/bytes.ts';
import { h265NalType, h265NalTypes } from '../../../storage/media/index.ts';
import { rtspLimits } from '../limits.ts';
import { type NalRole, PictureAssembler, type PictureHandler } from './picture.ts';

const aggregate = 48;
const fragment = 49;
const paci = 50;

export class H265Depacketiser {
  readonly pictures: PictureAssembler;
  readonly #handler: PictureHandler;
  readonly #header = new Uint8Array(2);
  /** Bytes of the decoding order number: present when sprop-max-don-diff is above 0. */
  readonly #donlBytes: 0 | 2;

  constructor(handler: PictureHandler, options: { readonly hasDonl: boolean }) {
    this.#handler = handler;
    this.#donlBytes = options.hasDonl ? 2 : 0;
    this.pictures = new PictureAssembler(handler, {
      roleOf: roleOfH265,
      isFirstSlice: isFirstH265Slice,
      mayMakeKey: () => false,
    });
  }

  payload(bytes: Uint8Array, begin: number, end: number, rtpTime: number, hasMarker: boolean): void {
    if (end - begin < 3) return;
    const type = h265NalType(u8(bytes, begin));
    if (type === fragment) this.#fragment(bytes, begin, end, rtpTime);
    else if (type === aggregate) this.#aggregate(bytes, begin, end, rtpTime);
    else if (type === paci) this.#handler.oddity('packets with payload content information are left out');
    else this.#single(bytes, begin, end, rtpTime);
    if (hasMarker) this.pictures.marker(rtpTime);
  }

  #single(bytes: Uint8Array, begin: number, end: number, rtpTime: number): void {
    if (this.#donlBytes === 0) {
      this.pictures.nal(bytes, begin, end, rtpTime);
      return;
    }
    // The number stands between NAL header and content: the unit is put together without it.
    this.#header[0] = u8(bytes, begin);
    this.#header[1] = u8(bytes, begin + 1);
    if (end - begin <= 4) return;
    this.pictures.beginNal(this.#header, bytes, begin + 4, end, rtpTime);
    this.pictures.endNal(rtpTime);
  }

  #fragment(bytes: Uint8Array, begin: number, end: number, rtpTime: number): void {
    const fuHeader = u8(bytes, begin + 2);
    if ((fuHeader & 0x80) !== 0) {
      const dataBegin = begin + 3 + this.#donlBytes;
      if (dataBegin >= end) return;
      this.#header[0] = (u8(bytes, begin) & 0x81) | ((fuHeader & 0x3f) << 1);
      this.#header[1] = u8(bytes, begin + 1);
      this.pictures.beginNal(this.#header, bytes, dataBegin, end, rtpTime);
    } else {
      this.pictures.continueNal(bytes, begin + 3, end, rtpTime);
    }
    if ((fuHeader & 0x40) !== 0) this.pictures.endNal(rtpTime);
  }

  #aggregate(bytes: Uint8Array, begin: number, end: number, rtpTime: number): void {
    let at = begin + 2 + this.#donlBytes;
    for (let pieces = 0; at + 2 < end; pieces++) {
      if (pieces === rtspLimits.piecesMax) {
        this.pictures.leaveOutRest();
        return;
      }
      const next = at + 2 + u16(bytes, at);
      if (next > end) {
        this.#handler.oddity('an aggregation packet is shorter than its units');
        return;
      }
      this.pictures.nal(bytes, at + 2, next, rtpTime);
      // Units after the first carry the difference of their number in one byte.
      at = next + (this.#donlBytes === 0 ? 0 : 1);
    }
  }
}

function roleOfH265(firstByte: number): NalRole {
  const type = h265NalType(firstByte);
  if (type <= h265NalTypes.lastVcl) {
    return type >= h265NalTypes.firstIrap && type <= h265NalTypes.cra ? 'key-slice' : 'slice';
  }
  switch (type) {
    case h265NalTypes.vps:
    case h265NalTypes.sps:
    case h265NalTypes.pps:
      return 'parameter-set';
    case h265NalTypes.filler:
      return 'filler';
    case h265NalTypes.suffixSei:
    case h265NalTypes.endOfSequence:
    case h265NalTypes.endOfStream:
      return 'suffix';
    default:
      // Prefix SEI of H.265 cannot make a key picture, so it need not be looked at.
      return 'prefix';
  }
}

/** first_slice_segment_in_pic_flag is the first bit after the NAL header. */
function isFirstH265Slice(nal: Uint8Array, begin: number): boolean {
  return (u8(nal, begin + 2) & 0x80) !== 0;
}
