/**
 * Joins NAL units to access units. The only copy of video bytes in this room happens here: from the socket's buffer into
 * the track's own, laid out with the lengths that storage wants.
 *
 * RFC 6184 and 7798 say that a picture is the packets of one timestamp and ends with the marker. Cameras don't: they set the
 * marker on every slice or never, give parameter sets the timestamp of the picture before (Reolink) or a marker of their own,
 * repeat timestamps, or repeat the parameter sets before every slice (GStreamer). So a picture begins where a slice says that
 * it is the first of a picture, or where the timestamp changes under a slice; what stands before it and cannot belong to the
 * picture before (delimiter, parameter sets, prefix SEI) goes with it; and the marker is trusted to end a picture early only
 * after it was right for a while, and never again once it lied.
 */

import { writeU32 } from '../../../storage/base/bytes.ts';
import { limits } from '../../../storage/model/limits.ts';
import { rtspLimits } from '../limits.ts';

/** What a NAL unit is to the picture it belongs to. */
export type NalRole = 'slice' | 'key-slice' | 'parameter-set' | 'sei' | 'prefix' | 'suffix' | 'filler';

export type PictureHandler = {
  /**
   * One whole access unit; `bytes` are borrowed until return.
   *
   * @param mayBeKey  an IDR or IRAP slice is in it, or only a look at its SEI can tell
   */
  picture(bytes: Uint8Array, rtpTime: number, key: 'key' | 'perhaps' | 'no', isAfterLoss: boolean): void;
  /** A whole parameter set, borrowed until return. */
  parameterSet(nal: Uint8Array): void;
  /** An access unit was left out because it is incomplete. */
  damaged(): void;
  /** The camera breaks a rule; once each. */
  oddity(text: string): void;
};

const lengthBytes = 4;
/** Pictures that ended with the marker before it is trusted. */
const trustAfter = 8;
/** NAL units that are searched for start codes at the beginning; afterwards only parameter sets, or all if any had one. */
const searchedUnits = 30;

export class PictureAssembler {
  readonly #handler: PictureHandler;
  readonly #roleOf: (firstByte: number) => NalRole;
  readonly #isFirstSlice: (nal: Uint8Array, begin: number) => boolean;
  readonly #mayMakeKey: (nal: Uint8Array, begin: number, end: number) => boolean;
  #bytes: Uint8Array = Buffer.allocUnsafeSlow(rtspLimits.unitBytesFirst);
  #length = 0;
  /** End of the picture's own NAL units; what follows already belongs to the next one. */
  #pictureEnd = 0;
  #hasSlice = false;
  #rtpTime = 0;
  #isKey = false;
  /** A SEI unit that may make the picture key; one behind a slice already belongs to the next picture. */
  #hasSei = false;
  #hasNextSei = false;
  #isDamaged = false;
  #isAfterLoss = false;
  /** Packets are missing since the last NAL unit. */
  #isAfterGap = false;
  #nalBegin = -1;
  #role: NalRole = 'prefix';
  #isMarked = false;
  #markersRight = 0;
  #hasMarkerLied = false;
  #endedByMarkerAt = -1;
  #searchesLeft = searchedUnits;
  #hasStartCodes = false;
  /** Both fields of an interlaced frame have one timestamp and each a first slice: they stay together. */
  isInterlaced = false;

  constructor(
    handler: PictureHandler,
    codec: {
      readonly roleOf: (firstByte: number) => NalRole;
      /** Whether the slice at `begin` (its NAL header) is the first of a picture. */
      readonly isFirstSlice: (nal: Uint8Array, begin: number) => boolean;
      /** Whether a SEI unit may make its picture a key picture. */
      readonly mayMakeKey: (nal: Uint8Array, begin: number, end: number) => boolean;
    },
  ) {
    this.#handler = handler;
    this.#roleOf = codec.roleOf;
    this.#isFirstSlice = codec.isFirstSlice;
    this.#mayMakeKey = codec.mayMakeKey;
  }

  /** A whole NAL unit in `source[begin .. end)`. */
  nal(source: Uint8Array, begin: number, end: number, rtpTime: number): void {
    const skip = startCodeBytes(source, begin, end);
    if (end - begin - skip <= 0) return;
    this.#begin(source, begin + skip, end, rtpTime);
    this.#append(source, begin + skip, end);
    this.endNal(rtpTime);
  }

  /**
   * The first piece of a NAL unit that comes in pieces. The NAL header is given apart, since fragmentation units carry it in
   * their own.
   *
   * @param header  1 byte (H.264) or 2 bytes (H.265)
   */
  beginNal(header: Uint8Array, source: Uint8Array, begin: number, end: number, rtpTime: number): void {
    // Header and first payload bytes side by side, so that the first-slice flag is read the same way as in whole units.
    this.#probe.set(header);
    for (let i = 0; i < 4; i++) this.#probe[header.length + i] = begin + i < end ? (source[begin + i] ?? 0) : 0;
    this.#begin(this.#probe, 0, header.length + end - begin, rtpTime);
    this.#append(header, 0, header.length);
    this.#append(source, begin, end);
  }

  readonly #probe = new Uint8Array(8);

  /** The next piece; without a begin (lost) it is left out and the picture is damaged. */
  continueNal(source: Uint8Array, begin: number, end: number, rtpTime: number): void {
    if (this.#nalBegin < 0) {
      this.#missPiece(rtpTime);
      return;
    }
    this.#append(source, begin, end);
  }

  endNal(rtpTime: number): void {
    const begin = this.#nalBegin;
    if (begin < 0) return;
    this.#nalBegin = -1;
    const size = this.#length - begin - lengthBytes;
    if (size <= 0 || this.#role === 'filler') {
      this.#length = begin;
      return;
    }
    writeU32(this.#bytes, begin, size);
    const isSlice = this.#role === 'slice' || this.#role === 'key-slice';
    if (this.#searchesLeft > 0 || this.#role === 'parameter-set' || this.#hasStartCodes) {
      this.#searchesLeft--;
      if (this.#splitAtStartCodes(begin, rtpTime)) return;
    }
    if (isSlice || this.#role === 'suffix') this.#pictureEnd = this.#length;
    if (this.#role === 'sei') this.#lookAtSei(this.#bytes, begin + lengthBytes, this.#length);
    if (this.#role === 'parameter-set' && size <= rtspLimits.parameterSetBytesMax) {
      this.#handler.parameterSet(this.#bytes.subarray(begin + lengthBytes, this.#length));
    }
  }

  /** The packet had the marker bit: by the standard the picture is whole. */
  marker(rtpTime: number): void {
    if (!this.#hasSlice || this.#nalBegin >= 0 || rtpTime !== this.#rtpTime) return;
    this.#isMarked = true;
    if (!this.#hasMarkerLied && this.#markersRight >= trustAfter) {
      this.#finish();
      this.#endedByMarkerAt = rtpTime;
    }
  }

  /** More units stand here than any camera makes: they are left out, and the picture that they would belong to is damaged. */
  leaveOutRest(): void {
    this.#handler.oddity('the camera puts more units into one than a picture has, and the rest is left out');
    this.#isDamaged ||= this.#hasSlice;
    this.#isAfterLoss = true;
  }

  /** Packets are missing here. */
  gap(): void {
    if (this.#nalBegin >= 0) {
      this.#length = this.#nalBegin;
      this.#nalBegin = -1;
      this.#isDamaged ||= this.#hasSlice;
    }
    if (this.#hasSlice) {
      // Marked pictures were whole; of others nobody knows.
      if (!this.#isMarked || this.#hasMarkerLied) this.#isDamaged = true;
      this.#finish();
    }
    this.#isAfterGap = true;
    this.#isAfterLoss = true;
  }

  /** The stream ends or starts anew: what is whole goes out, the rest is forgotten. */
  flush(): void {
    if (this.#nalBegin >= 0) this.#isDamaged = true;
    this.#nalBegin = -1;
    if (this.#hasSlice) this.#finish();
    this.#length = 0;
    this.#pictureEnd = 0;
    this.#isDamaged = false;
    this.#endedByMarkerAt = -1;
  }

  #begin(probe: Uint8Array, at: number, end: number, rtpTime: number): void {
    if (this.#nalBegin >= 0) {
      // The last piece of the unit before never came, although no packet is missing.
      this.#length = this.#nalBegin;
      this.#nalBegin = -1;
      this.#isDamaged ||= this.#hasSlice;
      this.#isAfterLoss = true;
    }
    this.#role = this.#roleOf(probe[at] ?? 0);
    if (this.#role === 'slice' || this.#role === 'key-slice') {
      this.#beginSlice(end - at < 2 || this.#isFirstSlice(probe, at), rtpTime);
    } else if (this.#hasSlice && rtpTime !== this.#rtpTime) {
      if (this.#role !== 'suffix') this.#boundary();
    } else if (this.#role === 'suffix' && !this.#hasSlice) {
      // Its picture has gone out at the marker already.
      this.#role = 'filler';
    }
    if (!this.#hasSlice && this.#length > rtspLimits.prefixBytesMax) this.#length = 0;
    this.#nalBegin = this.#length;
    this.#reserve(lengthBytes);
    this.#length += lengthBytes;
  }

  #beginSlice(isFirst: boolean, rtpTime: number): void {
    if (this.#hasSlice) {
      const isSecondField = this.isInterlaced && isFirst && rtpTime === this.#rtpTime;
      if (rtpTime !== this.#rtpTime || (isFirst && !isSecondField)) this.#boundary();
      else if (!isSecondField) {
        if (this.#isMarked) this.#markerLied();
        // Parameter sets between slices of one picture (GStreamer) would cut it in two for every decoder.
        this.#length = this.#pictureEnd;
      }
    } else if (!isFirst && rtpTime === this.#endedByMarkerAt && !this.#isAfterGap) {
      // More of a picture that went out at its marker: it is broken already, the rest of it must not pose as a picture.
      this.#markerLied();
      this.#isDamaged = true;
      this.#isAfterLoss = true;
    }
    if (!this.#hasSlice) {
      this.#rtpTime = rtpTime;
      this.#hasSlice = true;
      if (!isFirst && this.#isAfterGap) this.#isDamaged = true;
      this.#isAfterGap = false;
      this.#endedByMarkerAt = -1;
    }
    if (this.#role === 'key-slice') this.#isKey = true;
  }

  #lookAtSei(nal: Uint8Array, begin: number, end: number): void {
    if (!this.#mayMakeKey(nal, begin, end)) return;
    if (this.#hasSlice) this.#hasNextSei = true;
    else this.#hasSei = true;
  }

  /** The next picture begins: the one before ends, whether the marker said so or not. */
  #boundary(): void {
    if (this.#isMarked) this.#markersRight++;
    else this.#markersRight = 0;
    this.#finish();
  }

  #markerLied(): void {
    if (!this.#hasMarkerLied) this.#handler.oddity('the camera marks the end of a picture before it is over');
    this.#hasMarkerLied = true;
  }

  /** Gives out the picture and moves what belongs to the next one to the front. */
  #finish(): void {
    const end = this.#pictureEnd;
    const isDamaged = this.#isDamaged;
    const isAfterLoss = this.#isAfterLoss;
    const key = this.#isKey ? 'key' : this.#hasSei ? 'perhaps' : 'no';
    this.#hasSlice = false;
    this.#isKey = false;
    this.#hasSei = this.#hasNextSei;
    this.#hasNextSei = false;
    this.#isDamaged = false;
    this.#isMarked = false;
    if (isDamaged || end === 0) {
      this.#isAfterLoss = true;
      this.#handler.damaged();
    } else {
      this.#isAfterLoss = false;
      this.#handler.picture(this.#bytes.subarray(0, end), this.#rtpTime, key, isAfterLoss);
    }
    if (end < this.#length) this.#bytes.copyWithin(0, end, this.#length);
    this.#length -= end;
    if (this.#nalBegin >= 0) this.#nalBegin -= end;
    this.#pictureEnd = 0;
  }

  /** A piece of a NAL unit whose beginning is missing. */
  #missPiece(rtpTime: number): void {
    if (this.#hasSlice && rtpTime !== this.#rtpTime) this.#boundary();
    if (!this.#hasSlice && rtpTime === this.#endedByMarkerAt) return;
    if (!this.#hasSlice) this.#rtpTime = rtpTime;
    this.#hasSlice = true;
    this.#isDamaged = true;
    this.#isAfterGap = false;
  }

  /**
   * Some cameras put a whole access unit with Annex-B start codes into what should be one NAL unit. Start codes cannot stand
   * inside a NAL unit (emulation prevention), so each one is a border.
   */
  #splitAtStartCodes(begin: number, rtpTime: number): boolean {
    const first = begin + lengthBytes;
    const found = findStartCode(this.#bytes, first, this.#length);
    if (found < 0) return false;
    if (!this.#hasStartCodes) this.#handler.oddity('the camera puts several units with start codes into one');
    this.#hasStartCodes = true;
    const copy = this.#bytes.slice(first, this.#length);
    this.#length = begin;
    if (this.#hasSlice && this.#pictureEnd === 0 && (this.#role === 'slice' || this.#role === 'key-slice')) {
      // This unit opened the picture: it is taken anew, piece by piece.
      this.#hasSlice = false;
    }
    let at = 0;
    for (let pieces = 0; at < copy.length; pieces++) {
      if (pieces === rtspLimits.piecesMax) {
        this.leaveOutRest();
        break;
      }
      const next = findStartCode(copy, at, copy.length);
      let end = next < 0 ? copy.length : next;
      while (end > at && copy[end - 1] === 0) end--;
      if (end > at) this.#plain(copy, at, end, rtpTime);
      at = next < 0 ? copy.length : next + 3;
    }
    return true;
  }

  #plain(source: Uint8Array, begin: number, end: number, rtpTime: number): void {
    this.#begin(source, begin, end, rtpTime);
    this.#append(source, begin, end);
    const nalBegin = this.#nalBegin;
    this.#nalBegin = -1;
    if (nalBegin < 0) return;
    if (this.#role === 'filler') {
      this.#length = nalBegin;
      return;
    }
    writeU32(this.#bytes, nalBegin, end - begin);
    if (this.#role === 'sei') this.#lookAtSei(source, begin, end);
    if (this.#role === 'slice' || this.#role === 'key-slice' || this.#role === 'suffix')
      this.#pictureEnd = this.#length;
    if (this.#role === 'parameter-set' && end - begin <= rtspLimits.parameterSetBytesMax) {
      this.#handler.parameterSet(source.subarray(begin, end));
    }
  }

  #append(source: Uint8Array, begin: number, end: number): void {
    if (this.#role === 'filler') return;
    const count = end - begin;
    if (this.#length + count > limits.accessUnitBytesMax) {
      // No picture is that large: give it up and go on with the next.
      this.#length = this.#nalBegin;
      this.#nalBegin = -1;
      this.#isDamaged = true;
      return;
    }
    this.#reserve(count);
    // For short pieces a loop beats the creation of a view; packets are far above that.
    if (count < 32) for (let i = 0; i < count; i++) this.#bytes[this.#length + i] = source[begin + i] ?? 0;
    else this.#bytes.set(source.subarray(begin, end), this.#length);
    this.#length += count;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#length + count, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Bytes of a start code at the very beginning, 0 if there is none. */
function startCodeBytes(bytes: Uint8Array, begin: number, end: number): number {
  if (end - begin < 4 || bytes[begin] !== 0 || bytes[begin + 1] !== 0) return 0;
  if (bytes[begin + 2] === 1) return 3;
  return bytes[begin + 2] === 0 && bytes[begin + 3] === 1 ? 4 : 0;
}

/** Where `00 00 01` stands, or -1. */
function findStartCode(bytes: Uint8Array, begin: number, end: number): number {
  // Every third byte: a start code has a byte above 1 at none of its three places.
  for (let i = begin + 2; i < end; ) {
    const byte = bytes[i] ?? 0;
    if (byte > 1) i += 3;
    else if (byte === 1) {
      if (bytes[i - 1] === 0 && bytes[i - 2] === 0) return i - 2;
      i += 3;
    } else i++;
  }
  return -1;
}
