/** RTP packets (RFC 3550) for H.264 (RFC 6184, single NAL and FU-A) and AAC (RFC 3640, AAC-hbr), framed for RTSP over TCP. */

const payloadBytesMax = 1_400;
const rtpHeadBytes = 12;
/** Seconds from 1900 (NTP) to 1970 (Unix). */
const ntpOffsetSeconds = 2_208_988_800;

export class RtpStream {
  readonly #options: {
    readonly channel: number;
    readonly payloadType: number;
    readonly ssrc: number;
    readonly clockHz: number;
  };
  #sequence: number;
  #packets = 0;
  #octets = 0;

  /** @param options.channel  RTSP's interleaved channel for RTP; RTCP has the next one */
  constructor(options: {
    readonly channel: number;
    readonly payloadType: number;
    readonly ssrc: number;
    readonly clockHz: number;
    readonly firstSequence: number;
  }) {
    this.#options = options;
    this.#sequence = options.firstSequence & 0xffff;
  }

  /** One access unit's packets, one after another. */
  h264(nals: readonly Uint8Array[], timestamp: number): Uint8Array {
    const packets = nals.flatMap((nal, i) => {
      const isLastNal = i === nals.length - 1;
      if (nal.length <= payloadBytesMax) return [this.#packet([nal], { timestamp, hasMarker: isLastNal })];
      return this.#fragments(nal, { timestamp, isLastNal });
    });
    return Buffer.concat(packets);
  }

  /** One AAC frame in one packet. */
  aac(frame: Uint8Array, timestamp: number): Uint8Array {
    const auHeads = Buffer.alloc(4);
    auHeads.writeUInt16BE(16, 0);
    auHeads.writeUInt16BE(frame.length << 3, 2);
    return this.#packet([auHeads, frame], { timestamp, hasMarker: true });
  }

  /** A sender report: which wall time a timestamp stands for. */
  senderReport(options: { readonly wallMs: number; readonly timestamp: number }): Uint8Array {
    const report = Buffer.alloc(4 + 28);
    report.writeUInt8(0x24, 0);
    report.writeUInt8(this.#options.channel + 1, 1);
    report.writeUInt16BE(28, 2);
    report.writeUInt8(0x80, 4);
    report.writeUInt8(200, 5);
    report.writeUInt16BE(6, 6);
    report.writeUInt32BE(this.#options.ssrc, 8);
    report.writeUInt32BE((Math.floor(options.wallMs / 1000) + ntpOffsetSeconds) >>> 0, 12);
    report.writeUInt32BE(Math.floor(((options.wallMs % 1000) / 1000) * 2 ** 32) >>> 0, 16);
    report.writeUInt32BE(options.timestamp >>> 0, 20);
    report.writeUInt32BE(this.#packets >>> 0, 24);
    report.writeUInt32BE(this.#octets >>> 0, 28);
    return report;
  }

  #fragments(nal: Uint8Array, options: { readonly timestamp: number; readonly isLastNal: boolean }): Uint8Array[] {
    const head = nal[0] ?? 0;
    const packets: Uint8Array[] = [];
    for (let begin = 1; begin < nal.length; begin += payloadBytesMax) {
      const end = Math.min(nal.length, begin + payloadBytesMax);
      const isFirst = begin === 1;
      const isLast = end === nal.length;
      const flags = (isFirst ? 0x80 : 0) | (isLast ? 0x40 : 0);
      const fragmentHead = Uint8Array.of((head & 0xe0) | 28, flags | (head & 0x1f));
      const hasMarker = isLast && options.isLastNal;
      packets.push(this.#packet([fragmentHead, nal.subarray(begin, end)], { timestamp: options.timestamp, hasMarker }));
    }
    return packets;
  }

  #packet(
    payload: readonly Uint8Array[],
    options: { readonly timestamp: number; readonly hasMarker: boolean },
  ): Uint8Array {
    const payloadBytes = payload.reduce((sum, part) => sum + part.length, 0);
    const head = Buffer.alloc(4 + rtpHeadBytes);
    head.writeUInt8(0x24, 0);
    head.writeUInt8(this.#options.channel, 1);
    head.writeUInt16BE(rtpHeadBytes + payloadBytes, 2);
    head.writeUInt8(0x80, 4);
    head.writeUInt8((options.hasMarker ? 0x80 : 0) | this.#options.payloadType, 5);
    head.writeUInt16BE(this.#sequence, 6);
    head.writeUInt32BE(options.timestamp >>> 0, 8);
    head.writeUInt32BE(this.#options.ssrc, 12);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#packets++;
    this.#octets += payloadBytes;
    return Buffer.concat([head, ...payload]);
  }
}
