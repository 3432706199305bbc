/** RTCP (RFC 3550 6): sender reports and BYE are read, receiver reports written. */

import { u8, u16, u32, writeU16, writeU32 } from '../../../storage/base/bytes.ts';

export type RtcpHandler = {
  /**
   * A sender report.
   *
   * @param ntpMs    the sender's wall time, milliseconds since 1970 UTC with fraction; nonsense when its clock is not set
   * @param rtpTime  the same instant on the track's RTP clock
   * @param ntpMiddle  middle 32 bits of the time, to be echoed in receiver reports
   */
  senderReport(source: number, ntpMs: number, rtpTime: number, ntpMiddle: number): void;
  bye(source: number): void;
};

const ntpEpochMs = 2_208_988_800_000;
const types = { senderReport: 200, receiverReport: 201, bye: 203 } as const;

/** Walks one compound packet; stops at what is no RTCP. Bounded by the packet's own length. */
export function parseRtcp(bytes: Uint8Array, begin: number, end: number, handler: RtcpHandler): void {
  let at = begin;
  while (at + 8 <= end) {
    if (u8(bytes, at) >> 6 !== 2) return;
    const type = u8(bytes, at + 1);
    const next = at + 4 + (u16(bytes, at + 2) << 2);
    if (next > end) return;
    if (type === types.senderReport && next - at >= 28) {
      const seconds = u32(bytes, at + 8);
      const fraction = u32(bytes, at + 12);
      const ntpMs = ntpToMs(seconds, fraction);
      const ntpMiddle = ((seconds & 0xffff) * 0x10000 + (fraction >>> 16)) >>> 0;
      handler.senderReport(u32(bytes, at + 4), ntpMs, u32(bytes, at + 16), ntpMiddle);
    } else if (type === types.bye && (u8(bytes, at) & 0x1f) > 0) {
      handler.bye(u32(bytes, at + 4));
    }
    at = next;
  }
}

/** Milliseconds since 1970 UTC of a sender's clock, which may be nonsense. */
export function ntpToMs(seconds: number, fraction: number): number {
  // Era 1 begins in 2036: cameras that live so long send small numbers again.
  const era = seconds < 0x80000000 ? 0x100000000 : 0;
  return (seconds === 0 ? 0 : seconds + era) * 1000 + (fraction * 1000) / 0x100000000 - ntpEpochMs;
}

export type ReceiverReport = {
  readonly ourSource: number;
  readonly source: number;
  /** Share lost since the last report, 0 .. 255. */
  readonly fractionLost: number;
  readonly packetsLost: number;
  readonly highestSequence: number;
  /** From the last sender report; 0 when there was none. */
  readonly lastReport: number;
  /** Milliseconds since it came. */
  readonly sinceLastReportMs: number;
};

/** A compound packet of one receiver report and the CNAME that RFC 3550 demands. */
export function formatReceiverReport(report: ReceiverReport): Uint8Array {
  const name = 'weir';
  // Chunk: source, item (type, length, text), at least one zero, padded to 32 bits.
  const chunkBytes = 4 + Math.ceil((2 + name.length + 1) / 4) * 4;
  const bytes = new Uint8Array(32 + 4 + chunkBytes);
  bytes[0] = 0x81;
  bytes[1] = types.receiverReport;
  writeU16(bytes, 2, 7);
  writeU32(bytes, 4, report.ourSource);
  writeU32(bytes, 8, report.source);
  const lost = Math.min(0x7fffff, Math.max(0, report.packetsLost));
  writeU32(bytes, 12, report.fractionLost * 0x1000000 + lost);
  writeU32(bytes, 16, report.highestSequence % 0x100000000);
  writeU32(bytes, 24, report.lastReport);
  const delay = report.lastReport === 0 ? 0 : Math.min(0xffffffff, Math.round(report.sinceLastReportMs * 65.536));
  writeU32(bytes, 28, delay);
  bytes[32] = 0x81;
  bytes[33] = 202;
  writeU16(bytes, 34, chunkBytes / 4);
  writeU32(bytes, 36, report.ourSource);
  bytes[40] = 1;
  bytes[41] = name.length;
  for (let i = 0; i < name.length; i++) bytes[42 + i] = name.charCodeAt(i);
  return bytes;
}
