/**
 * Cuts the bytes of an RTSP connection into interleaved packets and messages. Packets that lie whole in what was read are
 * handed out where they lie, without a copy or an object; only what a read cut in two is held and joined.
 * Tolerated: blank lines between messages, packets inside a message's head, bodies without or with a wrong Content-Length,
 * line ends of one character, garbage (skipped up to the next packet or message, bounded). Never allocates by a length from
 * outside beyond the bounds in `limits.ts`.
 */

import { latin1, u8, u16 } from '../../../storage/base/bytes.ts';
import { rtspLimits } from '../limits.ts';

export type FramerHandler = {
  /** One interleaved packet; the bytes are borrowed until return. */
  packet(channel: number, bytes: Uint8Array, begin: number, end: number): void;
  /** One message. */
  message(head: string, body: string): void;
  /** True for channels that were agreed on: guides the search after garbage. */
  isChannel(channel: number): boolean;
  /** So many bytes were neither packet nor message. */
  garbage(byteLength: number): void;
  /** Too much garbage: whatever this is, it is no RTSP. Nothing is read from now on. */
  lost(): void;
};

const dollar = 0x24;
/** What a message's first word may be. Servers send requests too. */
const firstWord =
  /^(?:RTSP|HTTP)\/\d|^(?:OPTIONS|GET_PARAMETER|SET_PARAMETER|ANNOUNCE|REDIRECT|TEARDOWN|PLAY_NOTIFY|DESCRIBE|PLAY|PAUSE|RECORD|SETUP) /;
const firstWordBytesMax = 16;
/** Most heads are shorter: a small message must not cost a look at all that might be a head behind it. */
const headBytesLikely = 1024;
/** Packets between the lines of one head: servers that do this at all squeeze in one or two. */
const packetsInHeadMax = 16;
const endOfHead = /\r\n\r\n|\n\n|\r\r|\n\r\n/;
const incomplete = -1;

export class Framer {
  readonly #handler: FramerHandler;
  #hold: Uint8Array = Buffer.allocUnsafeSlow(2048);
  #held = 0;
  /** End of valid bytes in what is being parsed. */
  #end = 0;
  #garbageBytes = 0;
  #packetsInHead = 0;
  #isLost = false;

  constructor(handler: FramerHandler) {
    this.#handler = handler;
  }

  /** True while a message is unfinished: the owner calls `flush` when nothing more comes. */
  get hasPartialMessage(): boolean {
    return this.#held > 0 && u8(this.#hold, 0) !== dollar;
  }

  /** Takes the first `length` bytes, borrowed until return (and possibly moved within). */
  push(bytes: Uint8Array, length: number): void {
    if (this.#isLost) return;
    let at = 0;
    if (this.#held > 0) at = this.#join(bytes, length);
    if (at < length && this.#held === 0 && !this.#isLost) {
      this.#end = length;
      const begin = this.#parse(bytes, at);
      if (begin < this.#end) this.#keep(bytes, begin, this.#end);
    }
  }

  /** Nothing came for a while: a message whose body is shorter than promised, or has no length, ends here. */
  flush(): void {
    if (!this.hasPartialMessage || this.#isLost) return;
    const text = latin1(this.#hold, 0, this.#held);
    const blank = endOfHead.exec(text);
    if (blank === null || !firstWord.test(text)) return;
    this.#held = 0;
    this.#handler.message(text.slice(0, blank.index), text.slice(blank.index + blank[0].length));
  }

  /** Continues with what is held; returns how many of the new bytes were used. */
  #join(bytes: Uint8Array, length: number): number {
    let used = 0;
    if (u8(this.#hold, 0) === dollar) {
      while (this.#held < 4 && used < length) this.#hold[this.#held++] = u8(bytes, used++);
      if (this.#held < 4) return used;
      const whole = 4 + u16(this.#hold, 2);
      const missing = Math.max(0, whole - this.#held);
      const take = Math.min(missing, length - used);
      this.#append(bytes, used, used + take);
      used += take;
      if (this.#held < whole) return used;
      // One frame, and rarely more behind it (bytes held as something else before); both go through the same parser.
    } else {
      // A message: append what there is room for; the rest of the read follows after it was parsed.
      const room = rtspLimits.headBytesMax + rtspLimits.bodyBytesMax - this.#held;
      const take = Math.min(Math.max(0, room), length);
      this.#append(bytes, 0, take);
      used = take;
    }
    const held = this.#held;
    this.#held = 0;
    this.#end = held;
    const begin = this.#parse(this.#hold, 0);
    if (begin < this.#end) {
      this.#hold.copyWithin(0, begin, this.#end);
      this.#held = this.#end - begin;
      if (used < length && !this.#isLost) return used + this.#join(bytes.subarray(used), length - used);
    }
    return used;
  }

  /** Parses whole units in `bytes[at .. this.#end)`; returns where the first incomplete one begins. */
  #parse(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < this.#end) {
      const byte = u8(bytes, at);
      if (byte === dollar) {
        const next = this.#packet(bytes, at);
        if (next === incomplete) return at;
        at = next;
      } else if (byte === 0x0d || byte === 0x0a || byte === 0x20) {
        at++;
      } else {
        const next = this.#message(bytes, at);
        if (next === incomplete) return at;
        at = next;
      }
      if (this.#isLost) return this.#end;
    }
    return at;
  }

  #packet(bytes: Uint8Array, at: number): number {
    if (at + 4 > this.#end) return incomplete;
    const channel = u8(bytes, at + 1);
    const end = at + 4 + u16(bytes, at + 2);
    if (!this.#handler.isChannel(channel) && !this.#isFollowed(bytes, end)) return this.#resync(bytes, at);
    if (end > this.#end) return incomplete;
    this.#garbageBytes = 0;
    this.#handler.packet(channel, bytes, at + 4, end);
    return end;
  }

  /** Whether a packet on a channel nobody agreed on (an old session's) is one: something must begin where it ends. */
  #isFollowed(bytes: Uint8Array, end: number): boolean {
    if (end >= this.#end) return true;
    const byte = u8(bytes, end);
    return byte === dollar || byte === 0x52 || byte === 0x0d;
  }

  #message(bytes: Uint8Array, at: number): number {
    const word = latin1(bytes, at, Math.min(this.#end, at + firstWordBytesMax));
    if (!firstWord.test(word)) {
      return couldBecomeWord(word) ? incomplete : this.#resync(bytes, at);
    }
    const { text, match, inner } = this.#head(bytes, at);
    if (inner !== -1 && (match === null || inner < match.index)) return this.#packetInHead(bytes, at, at + inner + 1);
    if (match === null) return text.length >= rtspLimits.headBytesMax ? this.#resync(bytes, at + 1) : incomplete;
    this.#packetsInHead = 0;
    const bodyBegin = at + match.index + match[0].length;
    const head = text.slice(0, match.index);
    const bodyEnd = this.#bodyEnd(bytes, head, bodyBegin);
    if (bodyEnd === incomplete) return incomplete;
    this.#garbageBytes = 0;
    this.#handler.message(head, latin1(bytes, bodyBegin, bodyEnd));
    return bodyEnd;
  }

  /** What may be the head at `at`: where it ends, and where a packet stands between its lines (-1: nowhere). */
  #head(bytes: Uint8Array, at: number): { text: string; match: RegExpExecArray | null; inner: number } {
    for (const bytesMax of [headBytesLikely, rtspLimits.headBytesMax]) {
      const text = latin1(bytes, at, Math.min(this.#end, at + bytesMax));
      const match = endOfHead.exec(text);
      const inner = text.indexOf('\n$');
      const isSeen = match !== null || inner !== -1 || text.length < bytesMax;
      if (isSeen || bytesMax === rtspLimits.headBytesMax) return { text, match, inner };
    }
    return { text: '', match: null, inner: -1 };
  }

  /** Where the body ends, or `incomplete` (then `flush` decides if nothing more comes). */
  #bodyEnd(bytes: Uint8Array, head: string, bodyBegin: number): number {
    const length = /^content-length\s*:\s*(\d{1,9})\s*$/im.exec(head)?.[1];
    if (length !== undefined) {
      const end = bodyBegin + Math.min(Number(length), rtspLimits.bodyBytesMax);
      return end > this.#end ? incomplete : end;
    }
    if (!/^content-type\s*:\s*application\/sdp/im.test(head)) return bodyBegin;
    // Without a length the body is as many lines as look like SDP; it is over where something else begins.
    const text = latin1(bytes, bodyBegin, Math.min(this.#end, bodyBegin + rtspLimits.bodyBytesMax));
    const other = /(?:^|\n)(?:\$|RTSP\/)/.exec(text);
    if (other !== null) return bodyBegin + other.index + (other[0].startsWith('\n') ? 1 : 0);
    return text.length >= rtspLimits.bodyBytesMax ? bodyBegin + text.length : incomplete;
  }

  /**
   * A server sent a packet between two lines of a head: deliver it and close the gap from the left, since the head is short and
   * what follows may be long. Returns where the head begins now.
   */
  #packetInHead(bytes: Uint8Array, at: number, begin: number): number {
    if (this.#packetsInHead >= packetsInHeadMax) {
      this.#packetsInHead = 0;
      return this.#resync(bytes, at + 1);
    }
    if (begin + 4 > this.#end) return incomplete;
    const end = begin + 4 + u16(bytes, begin + 2);
    if (end > this.#end) return end - at > rtspLimits.headBytesMax + 65_536 ? this.#resync(bytes, at + 1) : incomplete;
    this.#handler.packet(u8(bytes, begin + 1), bytes, begin + 4, end);
    this.#packetsInHead++;
    bytes.copyWithin(at + end - begin, at, begin);
    return at + end - begin;
  }

  /** Skips from `at` to the next thing that looks like a packet on an agreed channel, or a response. */
  #resync(bytes: Uint8Array, at: number): number {
    let next = at + 1;
    for (; next < this.#end; next++) {
      const byte = u8(bytes, next);
      if (byte === dollar && this.#looksLikePacket(bytes, next)) break;
      if (byte === 0x52 && 'RTSP/1.'.startsWith(latin1(bytes, next, Math.min(this.#end, next + 7)))) break;
    }
    this.#garbageBytes += next - at;
    this.#handler.garbage(next - at);
    if (this.#garbageBytes > rtspLimits.resyncBytesMax) {
      this.#isLost = true;
      this.#handler.lost();
    }
    return next;
  }

  #looksLikePacket(bytes: Uint8Array, at: number): boolean {
    if (at + 1 < this.#end && !this.#handler.isChannel(u8(bytes, at + 1))) return false;
    return at + 4 >= this.#end || u8(bytes, at + 4) >> 6 === 2;
  }

  #keep(bytes: Uint8Array, begin: number, end: number): void {
    this.#held = 0;
    this.#append(bytes, begin, end);
  }

  #append(bytes: Uint8Array, begin: number, end: number): void {
    const needed = this.#held + end - begin;
    if (needed > this.#hold.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#hold.length));
      larger.set(this.#hold.subarray(0, this.#held));
      this.#hold = larger;
    }
    // Views are fine here: once per read, not per packet.
    this.#hold.set(bytes.subarray(begin, end), this.#held);
    this.#held = needed;
  }
}

/** True while the bytes so far may still become a known first word. */
function couldBecomeWord(text: string): boolean {
  if (text.length >= firstWordBytesMax) return false;
  return words.some((word) => word.startsWith(text) || (text.startsWith(word) && /^[\w/.]*$/.test(text)));
}

const words = [
  'RTSP/',
  'HTTP/',
  'OPTIONS ',
  'GET_PARAMETER ',
  'SET_PARAMETER ',
  'ANNOUNCE ',
  'REDIRECT ',
  'TEARDOWN ',
  'PLAY_NOTIFY ',
  'DESCRIBE ',
  'PLAY ',
  'PAUSE ',
  'RECORD ',
  'SETUP ',
];
