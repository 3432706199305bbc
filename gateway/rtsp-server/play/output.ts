/** What one reader gets while it plays: bursts of the tracks it set up, with sender reports among them. */

import type { Clock } from '../../../storage/base/clock.ts';
import { formatBye, formatSenderReport, type RtpBurst } from '../../rtp/index.ts';
import { rtspServerLimits } from '../limits.ts';
import type { TrackSink } from './sinks.ts';

type TrackState = {
  readonly sink: TrackSink;
  readonly ssrc: number;
  reportedMs: number;
  packets: number;
  payloadBytes: number;
};

export class ReaderOutput {
  readonly #clock: Clock;
  readonly #tracks: ReadonlyMap<number, TrackState>;

  /** @param tracks  by track number */
  constructor(
    { clock }: { readonly clock: Clock },
    tracks: ReadonlyMap<number, { readonly sink: TrackSink; readonly ssrc: number }>,
  ) {
    this.#clock = clock;
    const beginning = { reportedMs: Number.NEGATIVE_INFINITY, packets: 0, payloadBytes: 0 };
    this.#tracks = new Map([...tracks].map(([number, { sink, ssrc }]) => [number, { sink, ssrc, ...beginning }]));
  }

  hasTrack(trackNumber: number): boolean {
    return this.#tracks.has(trackNumber);
  }

  /** Waiting for the reader. Tracks in one connection tell the same bytes, so the largest counts. */
  get queuedBytes(): number {
    let bytes = 0;
    for (const { sink } of this.#tracks.values()) bytes = Math.max(bytes, sink.queuedBytes);
    return bytes;
  }

  /**
   * Sends the packets of one unit, with a sender report before the first and then about every 5 s.
   *
   * @param wallMs  the source's time of the unit, milliseconds since 1970 UTC
   */
  send(trackNumber: number, burst: RtpBurst, wallMs: number): void {
    const state = this.#tracks.get(trackNumber);
    if (state === undefined) return;
    const { ssrc, packets, payloadBytes } = state;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - state.reportedMs >= rtspServerLimits.reportPeriodMs) {
      state.reportedMs = nowMs;
      state.sink.report(formatSenderReport({ ssrc, wallMs, rtpTime: burst.rtpTime, packets, payloadBytes }));
    }
    state.sink.send(burst.bytes);
    state.packets += burst.packets;
    state.payloadBytes += burst.payloadBytes;
  }

  /** The next unit of each track brings a report: time jumped against RTP time. */
  reportSoon(): void {
    for (const state of this.#tracks.values()) state.reportedMs = Number.NEGATIVE_INFINITY;
  }

  /** It is over: players stop here instead of waiting, also for tracks of which nothing came. */
  bye(): void {
    for (const { sink, ssrc } of this.#tracks.values()) sink.report(formatBye(ssrc));
  }
}
