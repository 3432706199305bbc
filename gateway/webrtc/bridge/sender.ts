/** One RTP source of our own: shared bursts become its packets, which differ in source, number and time alone. Pure. */

import { forEachPacket, type RtpBurst } from '../../rtp/index.ts';

export class RtpSender {
  readonly ssrc: number;
  #sequence: number;
  #packets = 0;
  #payloadBytes = 0;

  /** @param options.ssrc, options.firstSequence  random: 0 .. 2^32 - 1 and 0 .. 65535 */
  constructor(options: { readonly ssrc: number; readonly firstSequence: number }) {
    this.ssrc = options.ssrc;
    this.#sequence = options.firstSequence;
  }

  /** What was made so far, as sender reports tell it. */
  get made(): { readonly packets: number; readonly payloadBytes: number } {
    return { packets: this.#packets, payloadBytes: this.#payloadBytes };
  }

  /**
   * A copy with this source's own heads, interleaved frames as before.
   *
   * @param rtpTime  of the burst's first packet; packets that are later stay so much later
   */
  burst(shared: RtpBurst, rtpTime: number): Uint8Array {
    const bytes = new Uint8Array(shared.bytes);
    const view = new DataView(bytes.buffer);
    forEachPacket(bytes, (begin) => {
      const later = view.getUint32(begin + 4) - shared.rtpTime;
      view.setUint16(begin + 2, this.#sequence);
      view.setUint32(begin + 4, rtpTime + later);
      view.setUint32(begin + 8, this.ssrc);
      this.#sequence = (this.#sequence + 1) & 0xffff;
    });
    this.#packets += shared.packets;
    this.#payloadBytes += shared.payloadBytes;
    return bytes;
  }
}

/**
 * RTP times for kept pictures that are sent at once: right before the newest one, which keeps its own, so that players are not
 * behind by as much as the pictures are old.
 *
 * @param newestTime  RTP time of the newest one
 * @returns           one for each, 0 .. 2^32 - 1, `stepTicks` apart
 */
export function squeezedTimes(count: number, newestTime: number, stepTicks: number): number[] {
  return Array.from({ length: count }, (_, at) => (newestTime - (count - 1 - at) * stepTicks) >>> 0);
}
