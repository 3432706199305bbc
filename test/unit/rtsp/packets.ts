/** Bytes of RTP, RTCP and coded pictures for tests: no decoder would take the pictures, everything before it does. */

import { writeU16, writeU32 } from '../../../storage/base/bytes.ts';

/** 640 x 360, constrained baseline, from x264. */
export const sps = Uint8Array.from(Buffer.from('Z0LAHtoCgL/lwFqDAwNSgAAAAwCAAAAZR4sXUA==', 'base64'));
export const pps = Uint8Array.from(Buffer.from('aM48gA==', 'base64'));
export const spropParameterSets = 'Z0LAHtoCgL/lwFqDAwNSgAAAAwCAAAAZR4sXUA==,aM48gA==';

/** A slice: first of a picture or not, with `fill` as its content (above 3, so that no start code can arise). */
export function slice(options: { isKey?: boolean; isFirst?: boolean; bytes?: number; fill?: number } = {}): Uint8Array {
  const { isKey = false, isFirst = true, bytes = 20, fill = 0x55 } = options;
  const nal = new Uint8Array(bytes).fill(fill);
  nal[0] = isKey ? 0x65 : 0x41;
  nal[1] = isFirst ? 0x88 : 0x48;
  return nal;
}

export type RtpOptions = {
  readonly sequence: number;
  readonly time: number;
  readonly payload: Uint8Array;
  readonly marker?: boolean;
  readonly type?: number;
  readonly source?: number;
  readonly padding?: number;
  readonly extensionWords?: number;
  readonly contributors?: number;
};

export function rtp(options: RtpOptions): Uint8Array {
  const {
    sequence,
    time,
    payload,
    marker = false,
    type = 96,
    source = 0x1234,
    padding = 0,
    contributors = 0,
  } = options;
  const extension = options.extensionWords === undefined ? 0 : 4 + 4 * options.extensionWords;
  const head = 12 + 4 * contributors + extension;
  const packet = new Uint8Array(head + payload.length + padding);
  packet[0] = 0x80 | (padding > 0 ? 0x20 : 0) | (extension > 0 ? 0x10 : 0) | contributors;
  packet[1] = (marker ? 0x80 : 0) | type;
  writeU16(packet, 2, sequence & 0xffff);
  writeU32(packet, 4, time >>> 0);
  writeU32(packet, 8, source);
  if (extension > 0) writeU16(packet, 12 + 4 * contributors + 2, options.extensionWords ?? 0);
  packet.set(payload, head);
  if (padding > 0) packet[packet.length - 1] = padding;
  return packet;
}

export function interleaved(channel: number, packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + packet.length);
  frame[0] = 0x24;
  frame[1] = channel;
  writeU16(frame, 2, packet.length);
  frame.set(packet, 4);
  return frame;
}

export function senderReport(options: { source?: number; ntpMs: number; time: number }): Uint8Array {
  const { source = 0x1234, ntpMs, time } = options;
  const packet = new Uint8Array(28);
  packet[0] = 0x80;
  packet[1] = 200;
  writeU16(packet, 2, 6);
  writeU32(packet, 4, source);
  const seconds = Math.floor((ntpMs + 2_208_988_800_000) / 1000);
  writeU32(packet, 8, seconds >>> 0);
  writeU32(packet, 12, Math.floor((((ntpMs % 1000) + 1000) % 1000) * 4_294_967.296));
  writeU32(packet, 16, time >>> 0);
  return packet;
}

/** FU-A pieces of one H.264 NAL unit. */
export function fragments(nal: Uint8Array, pieceBytes: number): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 1; at < nal.length; at += pieceBytes) {
    const isLast = at + pieceBytes >= nal.length;
    const header = ((nal[0] ?? 0) & 0x1f) | (at === 1 ? 0x80 : 0) | (isLast ? 0x40 : 0);
    pieces.push(Uint8Array.of(((nal[0] ?? 0) & 0xe0) | 28, header, ...nal.subarray(at, at + pieceBytes)));
  }
  return pieces;
}

export function aggregate(type: number, nals: readonly Uint8Array[]): Uint8Array {
  const head = type === 48 ? [48 << 1, 1] : [type];
  return Uint8Array.from([...head, ...nals.flatMap((nal) => [nal.length >> 8, nal.length & 255, ...nal])]);
}

/** Deterministic randomness for tests. */
export function countedRandom(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
