/**
 * Frames of the lane protocol as bytes: what `messages.ts` describes, written and read. Pure: no socket, no clock.
 * A frame is told by its length, so a reader needs no knowledge of what is in it and every split of the bytes gives the same
 * frames. A length is checked before a byte is allocated for it.
 */

import { appError } from '../base/errors.ts';
import { limits } from '../model/limits.ts';
import type { ClientMessage, ServerMessage } from './messages.ts';

export const frameTypeControl = 1;
export const frameTypeUnit = 2;
export const frameTypeMedia = 3;

const lengthBytes = 4;
const unitHeadBytes = 32;
const putIdBytes = 4;
const flagKey = 1;
const flagAfterLoss = 2;
/** A frame that arrives in pieces is gathered in a buffer that grows from here: a declared length alone reserves nothing. */
const gatherBytesFirst = 64 * 1024;

/** An access unit as a lane carries it. */
export type LaneUnit = {
  readonly trackNumber: number;
  /** Microseconds of the session's media timeline. */
  readonly presentationTimeUs: number;
  /** Our time of it, milliseconds since 1970 UTC. */
  readonly serverTimestampMs: number;
  /** The source's time of it, or undefined while the source has not told it. */
  readonly producerTimestampMs: number | undefined;
  readonly isKey: boolean;
  /** Media is missing before it: lost on the way from the source, or dropped by a full lane. */
  readonly isAfterLoss: boolean;
  /** Sender: borrowed until the call returns. Receiver: its own. */
  readonly bytes: Uint8Array;
};

/** A control message as one frame. */
export function controlFrame(message: ClientMessage | ServerMessage): Uint8Array {
  const text = JSON.stringify(message);
  const textBytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(lengthBytes + 1 + textBytes);
  frame.writeUInt32LE(1 + textBytes, 0);
  frame[lengthBytes] = frameTypeControl;
  frame.write(text, lengthBytes + 1);
  return frame;
}

/** Length of the frame of a unit whose payload has `payloadBytes`. */
export function unitFrameBytes(payloadBytes: number): number {
  return lengthBytes + 1 + unitHeadBytes + payloadBytes;
}

/** A unit as one frame: the one copy that a subscriber costs. */
export function unitFrame(laneId: number, unit: LaneUnit): Uint8Array {
  const frame = Buffer.allocUnsafe(unitFrameBytes(unit.bytes.length));
  frame.writeUInt32LE(frame.length - lengthBytes, 0);
  frame[lengthBytes] = frameTypeUnit;
  const at = lengthBytes + 1;
  frame.writeUInt32LE(laneId, at);
  frame[at + 4] = unit.trackNumber;
  frame[at + 5] = (unit.isKey ? flagKey : 0) | (unit.isAfterLoss ? flagAfterLoss : 0);
  frame.writeUInt16LE(0, at + 6);
  frame.writeDoubleLE(unit.presentationTimeUs, at + 8);
  frame.writeDoubleLE(unit.serverTimestampMs, at + 16);
  frame.writeDoubleLE(unit.producerTimestampMs ?? Number.NaN, at + 24);
  frame.set(unit.bytes, at + unitHeadBytes);
  return frame;
}

/** Head of a frame of media: the bytes follow as they are, without a copy. */
export function mediaFrameHead(putId: number, byteLength: number): Uint8Array {
  const head = Buffer.allocUnsafe(lengthBytes + 1 + putIdBytes);
  head.writeUInt32LE(1 + putIdBytes + byteLength, 0);
  head[lengthBytes] = frameTypeMedia;
  head.writeUInt32LE(putId, lengthBytes + 1);
  return head;
}

/** @param body  of a media frame; `bytes` are a view of it @throws AppError invalid_argument  shorter than its head */
export function parseMedia(body: Uint8Array): { putId: number; bytes: Uint8Array } {
  if (body.length < putIdBytes) throw appError('invalid_argument', 'media frame is shorter than its head');
  const putId = new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(0, true);
  return { putId, bytes: body.subarray(putIdBytes) };
}

/** @param body  of a unit frame; the unit's bytes are a view of it @throws AppError invalid_argument  shorter than its head */
export function parseUnit(body: Uint8Array): { laneId: number; unit: LaneUnit } {
  if (body.length < unitHeadBytes)
    throw appError('invalid_argument', 'access unit frame is shorter than its head', { byteLength: body.length });
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const flags = view.getUint8(5);
  const producerTimestampMs = view.getFloat64(24, true);
  return {
    laneId: view.getUint32(0, true),
    unit: {
      trackNumber: view.getUint8(4),
      presentationTimeUs: view.getFloat64(8, true),
      serverTimestampMs: view.getFloat64(16, true),
      producerTimestampMs: Number.isNaN(producerTimestampMs) ? undefined : producerTimestampMs,
      isKey: (flags & flagKey) !== 0,
      isAfterLoss: (flags & flagAfterLoss) !== 0,
      bytes: body.subarray(unitHeadBytes),
    },
  };
}

/** The JSON value of a control frame's body. @throws AppError invalid_argument  not JSON */
export function parseControl(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch (cause) {
    throw appError('invalid_argument', 'control message is not JSON', { cause, byteLength: body.length });
  }
}

/**
 * Takes frames out of a byte stream. After it threw it must not be fed again: the stream has lost its framing.
 *
 * A frame's body is a view of the chunk when it lies in one, so it belongs to whoever owns the chunk; else of a buffer of its own.
 */
export class FrameReader {
  readonly #bytesMax: number;
  readonly #length = Buffer.alloc(lengthBytes);
  #lengthFilled = 0;
  #gathered: Uint8Array | undefined;
  #gatheredFilled = 0;
  #expected = 0;

  constructor(options: { readonly bytesMax: number } = { bytesMax: limits.laneMessageBytesMax }) {
    this.#bytesMax = options.bytesMax;
  }

  /** @throws AppError invalid_argument  a frame says that it is empty, or longer than this reader takes */
  push(chunk: Uint8Array, onFrame: (type: number, body: Uint8Array) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#gathered !== undefined) {
        at += this.#gather(this.#gathered, chunk, at, onFrame);
        continue;
      }
      const taken = Math.min(lengthBytes - this.#lengthFilled, chunk.length - at);
      this.#length.set(chunk.subarray(at, at + taken), this.#lengthFilled);
      this.#lengthFilled += taken;
      at += taken;
      if (this.#lengthFilled < lengthBytes) return;
      this.#lengthFilled = 0;
      const expected = this.#length.readUInt32LE(0);
      if (expected < 1 || expected > this.#bytesMax)
        throw appError('invalid_argument', 'frame length is out of bounds', { expected, bytesMax: this.#bytesMax });
      if (chunk.length - at >= expected) {
        onFrame(chunk[at] ?? 0, chunk.subarray(at + 1, at + expected));
        at += expected;
      } else {
        this.#expected = expected;
        this.#gathered = new Uint8Array(Math.min(expected, gatherBytesFirst));
        this.#gatheredFilled = 0;
      }
    }
  }

  #gather(
    gathered: Uint8Array,
    chunk: Uint8Array,
    at: number,
    onFrame: (type: number, body: Uint8Array) => void,
  ): number {
    const taken = Math.min(this.#expected - this.#gatheredFilled, chunk.length - at);
    const filled = this.#gatheredFilled + taken;
    let target = gathered;
    if (filled > target.length) {
      target = new Uint8Array(Math.min(this.#expected, Math.max(filled, 2 * target.length)));
      target.set(gathered.subarray(0, this.#gatheredFilled));
    }
    target.set(chunk.subarray(at, at + taken), this.#gatheredFilled);
    this.#gatheredFilled = filled;
    this.#gathered = filled === this.#expected ? undefined : target;
    if (filled === this.#expected) onFrame(target[0] ?? 0, target.subarray(1, filled));
    return taken;
  }
}
