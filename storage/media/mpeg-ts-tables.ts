/** The two tables of a transport stream with one program (ISO/IEC 13818-1 2.4.4): where the program is, and what is in it. */

export const tsPids = { pat: 0, video: 0x100, audio: 0x101, pmt: 0x1000 } as const;
export const tsPrograms = { number: 1, videoStreamId: 0xe0, audioStreamId: 0xc0 } as const;

/** stream_type: H.264, and AAC with ADTS heads. */
const streamTypes: Readonly<Record<number, number>> = { [tsPids.video]: 0x1b, [tsPids.audio]: 0x0f };

/** Program association: program 1 is described at the PID of its map. */
export function patSection(): Uint8Array {
  return section(0x00, 1, [0, tsPrograms.number, 0xe0 | (tsPids.pmt >> 8), tsPids.pmt & 0xff]);
}

/** Program map: the PID of the clock, and of each stream its type. */
export function pmtSection({ clockPid, pids }: { readonly clockPid: number; readonly pids: readonly number[] }) {
  const streams = pids.flatMap((pid) => [streamTypes[pid] ?? 0, 0xe0 | (pid >> 8), pid & 0xff, 0xf0, 0]);
  return section(0x02, tsPrograms.number, [0xe0 | (clockPid >> 8), clockPid & 0xff, 0xf0, 0, ...streams]);
}

/** Table head, version 0 and current, content, CRC. */
function section(tableId: number, extension: number, content: readonly number[]): Uint8Array {
  const length = 5 + content.length + 4;
  const head = [tableId, 0xb0 | (length >> 8), length & 0xff, extension >> 8, extension & 0xff, 0xc1, 0, 0];
  const bytes = Uint8Array.from([...head, ...content, 0, 0, 0, 0]);
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crcOf(bytes.subarray(0, -4)));
  return bytes;
}

/** CRC-32 of annex A: not reflected, unlike that of zlib. Sections are some dozen bytes. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  }
  return crc >>> 0;
}
