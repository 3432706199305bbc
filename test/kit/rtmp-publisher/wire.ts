/**
 * What an RTMP publisher writes, from the standard and independent of what we read it with: AMF0, chunks, and the tags of FLV and
 * of Enhanced RTMP, version 1.
 */

export type Amf = number | boolean | string | null | { readonly [name: string]: Amf };

export function amf0(...values: readonly Amf[]): Buffer {
  return Buffer.concat(values.map(amfValue));
}

function amfValue(value: Amf): Buffer {
  if (value === null) return Buffer.from([5]);
  if (typeof value === 'boolean') return Buffer.from([1, value ? 1 : 0]);
  if (typeof value === 'string') return Buffer.concat([Buffer.from([2]), shortString(value)]);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  const properties = Object.entries(value).map(([name, one]) => Buffer.concat([shortString(name), amfValue(one)]));
  return Buffer.concat([Buffer.from([3]), ...properties, Buffer.from([0, 0, 9])]);
}

function shortString(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

export type Message = {
  readonly type: number;
  /** Its low 32 bits are sent. */
  readonly timestampMs: number;
  readonly body: Uint8Array;
  readonly chunkStream?: number;
  readonly streamId?: number;
};

/** A message as chunks, its head always the full one (type 0), as the simplest encoders write it. */
export function chunks(message: Message, options: { readonly chunkBytes: number }): Buffer {
  const { type, body, chunkStream = 4, streamId = 1 } = message;
  const timestamp = message.timestampMs >>> 0;
  const isExtended = timestamp >= 0xffffff;
  const extended = Buffer.alloc(isExtended ? 4 : 0);
  if (isExtended) extended.writeUInt32BE(timestamp);
  const head = Buffer.alloc(11);
  head.writeUIntBE(Math.min(timestamp, 0xffffff), 0, 3);
  head.writeUIntBE(body.length, 3, 3);
  head.writeUInt8(type, 6);
  head.writeUInt32LE(streamId, 7);
  const pieces: Uint8Array[] = [basicHead(0, chunkStream), head, extended];
  for (let at = 0; at < body.length || at === 0; at += options.chunkBytes) {
    if (at > 0) pieces.push(basicHead(3, chunkStream), extended);
    pieces.push(body.subarray(at, at + options.chunkBytes));
  }
  return Buffer.concat(pieces);
}

function basicHead(fmt: number, chunkStream: number): Buffer {
  if (chunkStream < 64) return Buffer.from([(fmt << 6) | chunkStream]);
  const rest = chunkStream - 64;
  return rest < 256 ? Buffer.from([fmt << 6, rest]) : Buffer.from([(fmt << 6) | 1, rest & 255, rest >> 8]);
}

/** Bodies of audio and video messages. */
export const tags = {
  avcConfiguration: (avcC: Uint8Array) => Buffer.concat([Buffer.from([0x17, 0, 0, 0, 0]), avcC]),
  avcFrame: (unit: Uint8Array, options: { readonly isKey: boolean; readonly compositionMs?: number }) =>
    Buffer.concat([Buffer.from([options.isKey ? 0x17 : 0x27, 1]), signed24(options.compositionMs ?? 0), unit]),
  aacConfiguration: (config: Uint8Array) => Buffer.concat([Buffer.from([0xaf, 0]), config]),
  aacFrame: (frame: Uint8Array) => Buffer.concat([Buffer.from([0xaf, 1]), frame]),
  alawFrame: (frame: Uint8Array) => Buffer.concat([Buffer.from([0x72]), frame]),
  mp3Frame: (frame: Uint8Array) => Buffer.concat([Buffer.from([0x2f]), frame]),
  enhancedConfiguration: (fourCc: string, record: Uint8Array) =>
    Buffer.concat([Buffer.from([0x90]), Buffer.from(fourCc), record]),
  enhancedFrame: (
    fourCc: string,
    unit: Uint8Array,
    options: { readonly isKey: boolean; readonly compositionMs?: number },
  ) =>
    Buffer.concat([
      Buffer.from([options.isKey ? 0x91 : 0xa1]),
      Buffer.from(fourCc),
      signed24(options.compositionMs ?? 0),
      unit,
    ]),
  /** CodedFramesX: without a composition time. */
  enhancedFrameX: (fourCc: string, unit: Uint8Array, options: { readonly isKey: boolean }) =>
    Buffer.concat([Buffer.from([options.isKey ? 0x93 : 0xa3]), Buffer.from(fourCc), unit]),
  enhancedAudioConfiguration: (fourCc: string, record: Uint8Array) =>
    Buffer.concat([Buffer.from([0x90]), Buffer.from(fourCc), record]),
  enhancedAudioFrame: (fourCc: string, frame: Uint8Array) =>
    Buffer.concat([Buffer.from([0x91]), Buffer.from(fourCc), frame]),
} as const;

function signed24(value: number): Buffer {
  return Buffer.from([(value >> 16) & 255, (value >> 8) & 255, value & 255]);
}
