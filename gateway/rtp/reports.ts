/** What a sender tells by RTCP (RFC 3550 6.4.1, 6.6): reports that join RTP time to the source's wall time, and that it ends. Pure. */

import { writeU16, writeU32 } from '../../storage/base/bytes.ts';

const ntpEpochMs = 2_208_988_800_000;
const types = { senderReport: 200, receiverReport: 201, description: 202, bye: 203 } as const;
const canonicalName = 'weir';
/** Chunk of a source description: source, item (type, length, text), at least one zero, padded to 32 bits. */
const chunkBytes = 4 + Math.ceil((2 + canonicalName.length + 1) / 4) * 4;
const reportBytes = 28;

export type SenderReport = {
  readonly ssrc: number;
  /** The source's wall time, milliseconds since 1970 UTC with fraction, at `rtpTime`. */
  readonly wallMs: number;
  readonly rtpTime: number;
  readonly packets: number;
  readonly payloadBytes: number;
};

/** A compound packet: the report, and the name that RFC 3550 demands with it. */
export function formatSenderReport(report: SenderReport): Uint8Array {
  const bytes = new Uint8Array(reportBytes + 4 + chunkBytes);
  bytes[0] = 0x80;
  bytes[1] = types.senderReport;
  writeU16(bytes, 2, reportBytes / 4 - 1);
  writeU32(bytes, 4, report.ssrc);
  const ntpMs = report.wallMs + ntpEpochMs;
  const seconds = Math.floor(ntpMs / 1000);
  // Era 1 begins in 2036 and counts from 0 again.
  writeU32(bytes, 8, seconds % 2 ** 32);
  writeU32(bytes, 12, Math.floor(((ntpMs - seconds * 1000) / 1000) * 2 ** 32));
  writeU32(bytes, 16, report.rtpTime);
  writeU32(bytes, 20, report.packets % 2 ** 32);
  writeU32(bytes, 24, report.payloadBytes % 2 ** 32);
  writeName(bytes, reportBytes, report.ssrc);
  return bytes;
}

/** A report of nothing received, the name, and the goodbye (RFC 3550 6.6): receivers end the track at once. */
export function formatBye(ssrc: number): Uint8Array {
  const nameAt = 8;
  const byeAt = nameAt + 4 + chunkBytes;
  const bytes = new Uint8Array(byeAt + 8);
  bytes[0] = 0x80;
  bytes[1] = types.receiverReport;
  writeU16(bytes, 2, 1);
  writeU32(bytes, 4, ssrc);
  writeName(bytes, nameAt, ssrc);
  bytes[byeAt] = 0x81;
  bytes[byeAt + 1] = types.bye;
  writeU16(bytes, byeAt + 2, 1);
  writeU32(bytes, byeAt + 4, ssrc);
  return bytes;
}

function writeName(bytes: Uint8Array, at: number, ssrc: number): void {
  bytes[at] = 0x81;
  bytes[at + 1] = types.description;
  writeU16(bytes, at + 2, chunkBytes / 4);
  writeU32(bytes, at + 4, ssrc);
  bytes[at + 8] = 1;
  bytes[at + 9] = canonicalName.length;
  bytes.set(Buffer.from(canonicalName), at + 10);
}
