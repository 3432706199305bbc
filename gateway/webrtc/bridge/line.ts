/**
 * One track of a watched stream as one producer on one worker, for any number of viewers. Sound flows at once, live. Video begins
 * when it is told to: with the kept GOP, whose times are squeezed to right before the present, or else with the next key frame.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import type { Log } from '../../../storage/base/log.ts';
import { type FeedReader, type FeedTrack, type FeedUnit, formatSenderReport, type LiveFeed } from '../../rtp/index.ts';
import { bridgeLimits } from './limits.ts';
import type { RtpPipe } from './rtp-pipe.ts';
import { type RtpSender, squeezedTimes } from './sender.ts';
import type { StreamTimes } from './stream-times.ts';

export type LineDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly feed: Pick<LiveFeed, 'join'>;
  readonly times: StreamTimes;
  readonly pipe: Pick<RtpPipe, 'send' | 'report'>;
  readonly sender: RtpSender;
  /** It ends by itself: with a sentence for people. */
  readonly onEnded: (why: string) => void;
};

export class Line implements FeedReader {
  readonly tracks: ReadonlySet<FeedTrack>;
  readonly #deps: LineDeps;
  readonly #track: FeedTrack;
  readonly #isLead: boolean;
  readonly #streamId: string;
  #leave: (() => void) | undefined;
  /** What the feed kept, while it is being handed over. */
  #kept: FeedUnit[] | undefined;
  #waitsForStart: boolean;
  #reports = 0;
  #reportedMs = Number.NEGATIVE_INFINITY;

  /** @param options.isLead  its times are those of the stream */
  constructor(
    deps: LineDeps,
    options: { readonly track: FeedTrack; readonly isLead: boolean; readonly streamId: string },
  ) {
    this.#deps = deps;
    this.#track = options.track;
    this.#isLead = options.isLead;
    this.#streamId = options.streamId;
    this.tracks = new Set([options.track]);
    this.#waitsForStart = options.track.format.kind === 'video';
  }

  get track(): FeedTrack {
    return this.#track;
  }

  get hasBegun(): boolean {
    return this.#leave !== undefined;
  }

  /** From here on packets flow. May be called twice. */
  begin(): void {
    if (this.hasBegun) return;
    this.#leave = () => {};
    const kept: FeedUnit[] = [];
    this.#kept = kept;
    this.#leave = this.#deps.feed.join(this);
    this.#kept = undefined;
    if (this.#track.format.kind === 'video') this.#sendKept(kept);
  }

  unit(unit: FeedUnit): void {
    if (this.#kept !== undefined) {
      this.#kept.push(unit);
      return;
    }
    if (this.#isLead) this.#deps.times.hear(unit, this.#deps.clock.monotonicMs());
    if (this.#waitsForStart && !unit.isStart) return;
    this.#waitsForStart = false;
    this.#send(unit, unit.burst.rtpTime);
  }

  ended(why: string): void {
    this.#deps.onEnded(why);
  }

  close(): void {
    this.#leave?.();
  }

  #sendKept(kept: readonly FeedUnit[]): void {
    const newest = kept.at(-1);
    if (newest === undefined || kept.length > bridgeLimits.keptPicturesMax) return;
    if (this.#isLead) this.#deps.times.hear(newest, this.#deps.clock.monotonicMs());
    this.#report(newest, newest.burst.rtpTime);
    const stepTicks = (bridgeLimits.keptStepMs * this.#track.format.clockHz) / 1000;
    const times = squeezedTimes(kept.length, newest.burst.rtpTime, stepTicks);
    this.#waitsForStart = false;
    for (const [at, unit] of kept.entries()) {
      if (this.#waitsForStart) return;
      this.#send(unit, times[at] ?? unit.burst.rtpTime);
    }
  }

  #send(unit: FeedUnit, rtpTime: number): void {
    this.#report(unit, rtpTime);
    if (this.#deps.pipe.send(this.#deps.sender.burst(unit.burst, rtpTime))) return;
    // Numbers go on as if it had been sent: players know that something is missing.
    this.#waitsForStart = this.#track.format.kind === 'video';
    this.#deps.log.counted('units dropped before the webrtc worker', 1, { streamId: this.#streamId });
  }

  /** What RTP time it is now (RFC 3550 6.4.1): the same wall clock for sound and pictures, so that players align them. */
  #report(unit: FeedUnit, rtpTime: number): void {
    const { clock, times, sender, pipe } = this.#deps;
    const nowMs = clock.monotonicMs();
    const { reportPeriodMs, firstReportPeriodMs, firstReports } = bridgeLimits;
    const periodMs = this.#reports < firstReports ? firstReportPeriodMs : reportPeriodMs;
    if (nowMs - this.#reportedMs < periodMs) return;
    const unitWallMs = times.wallMsOf(unit.positionUs);
    if (unitWallMs === undefined) return;
    this.#reportedMs = nowMs;
    this.#reports++;
    const wallMs = clock.wallMs();
    const laterTicks = Math.round(((wallMs - unitWallMs) * this.#track.format.clockHz) / 1000);
    pipe.report(
      formatSenderReport({ ssrc: sender.ssrc, wallMs, rtpTime: (rtpTime + laterTicks) >>> 0, ...sender.made }),
    );
  }
}
