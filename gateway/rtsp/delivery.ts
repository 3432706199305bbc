/**
 * The media side of a session: which packet belongs to which track, what their units are worth on the session's timeline,
 * when the session can be announced, and whether the camera still sends. Synchronous from the socket's callback to the sink.
 */

import { u8 } from '../../storage/base/bytes.ts';
import type { Clock } from '../../storage/base/clock.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';
import type { Track } from '../../storage/model/track.ts';
import { rtspLimits } from './limits.ts';
import { AudioTrack } from './media/audio-track.ts';
import { type ChosenMedia, clockRateOf } from './media/formats.ts';
import { ProducerClock } from './media/producer-clock.ts';
import { RtpReceiver } from './media/receiver.ts';
import { formatReceiverReport, parseRtcp, type RtcpHandler } from './media/rtcp.ts';
import { MediaTimeline } from './media/timeline.ts';
import { type MediaTrack, VideoTrack } from './media/video-track.ts';
import { faults, type SessionReason, type SourceFault, type SourceSink } from './source.ts';
import type { RtpInfo } from './wire/headers.ts';

export type DeliveryOptions = { readonly silenceMs: number };

type Lane = {
  readonly chosen: ChosenMedia;
  readonly control: string | undefined;
  readonly receiver: RtpReceiver;
  readonly track: MediaTrack;
  readonly sendReport: (packet: Uint8Array) => void;
  /** Of the last sender report. */
  ntpMiddle: number;
  reportMs: number;
  /** At the last receiver report. */
  reportedLost: number;
  reportedExpected: number;
  lastUnitMs: number;
};

const watchPeriodMs = 1_000;
const watchLateMs = 3 * watchPeriodMs;

export class Delivery {
  readonly #clock: Clock;
  readonly #sink: SourceSink;
  readonly #onFault: (fault: SourceFault) => void;
  readonly #options: DeliveryOptions;
  readonly #lanes: Lane[] = [];
  readonly #producerClock = new ProducerClock();
  readonly #warnings = new Set<string>();
  readonly #ourSource: number;
  #timeline = new MediaTimeline([], () => {});
  /** Track numbers of the session that the sink knows; undefined before it. */
  #announced: readonly number[] | undefined;
  #playingMs = Number.NaN;
  #watchedMs = Number.NaN;
  #packets = 0;
  /** Units since a moment, for the bound on their rate. */
  #units = 0;
  #unitsSinceMs = Number.NaN;
  #isFlooding = false;
  #byeMs = Number.NaN;
  #timers: (() => void)[] = [];

  constructor(
    deps: {
      readonly clock: Clock;
      readonly random: () => number;
      readonly sink: SourceSink;
      readonly onFault: (fault: SourceFault) => void;
    },
    options: DeliveryOptions,
  ) {
    this.#clock = deps.clock;
    this.#sink = deps.sink;
    this.#onFault = deps.onFault;
    this.#options = options;
    this.#ourSource = Math.floor(deps.random() * 0x100000000);
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  /** Passes a text on to the sink, once. */
  warn(text: string): void {
    if (this.#warnings.has(text) || this.#warnings.size >= 50) return;
    this.#warnings.add(text);
    this.#sink.warning?.(text);
  }

  /** Takes a track that was set up; returns its index for `rtp` and `rtcp`. */
  add(chosen: ChosenMedia, sendReport: (packet: Uint8Array) => void): number {
    const index = this.#lanes.length;
    const owner = {
      unit: (bytes: Uint8Array, rtpTime: number, after: number, isKey: boolean, isAfterLoss: boolean, isNew: boolean) =>
        this.#unit(index, bytes, rtpTime, after, isKey, isAfterLoss, isNew),
      loss: (packets: number) => {
        if (this.#announced?.includes(chosen.trackNumber))
          this.#sink.loss({ trackNumber: chosen.trackNumber, packets });
      },
      described: () => this.#described(index),
      restarted: () => {
        this.warn(`the camera restarted its ${chosen.kind === 'video' ? 'picture' : 'sound'} inside the connection`);
        this.#timeline.continueTrack(index);
      },
      warning: (text: string) => this.warn(text),
    };
    const track = chosen.kind === 'video' ? new VideoTrack(owner, chosen) : new AudioTrack(owner, chosen);
    const otherTypes = this.#lanes.map((lane) => lane.chosen.format.payloadType);
    const receiver = new RtpReceiver(track.packets, { payloadType: chosen.format.payloadType, otherTypes });
    this.#lanes.push({
      chosen,
      control: chosen.media.control,
      receiver,
      track,
      sendReport,
      ntpMiddle: 0,
      reportMs: 0,
      reportedLost: 0,
      reportedExpected: 0,
      lastUnitMs: Number.NaN,
    });
    this.#openTimeline([]);
    return index;
  }

  /** PLAY was answered: media may come from now on, and must. */
  begin(info: readonly RtpInfo[]): void {
    if (!Number.isNaN(this.#playingMs)) return;
    this.#playingMs = this.#clock.monotonicMs();
    if (this.#packets === 0) this.#openTimeline(info);
    this.#watchedMs = this.#playingMs;
    this.#timers.push(this.#clock.every(watchPeriodMs, () => this.#watch()));
    this.#timers.push(this.#clock.every(rtspLimits.receiverReportMs, () => this.#report()));
  }

  /** Gives out what is whole and stops. */
  close(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers = [];
  }

  /** A packet that came where RTP or RTCP of this track is expected: its second byte tells which it is (RFC 5761 4). */
  packet(index: number, bytes: Uint8Array, begin: number, end: number): void {
    const lane = this.#lanes[index];
    if (lane === undefined || end - begin < 8) return;
    const type = u8(bytes, begin + 1);
    if (type >= 192 && type <= 223) {
      this.#rtcp(lane, index, bytes, begin, end);
      return;
    }
    this.#packets++;
    const verdict = lane.receiver.packet(bytes, begin, end);
    if (verdict === 'foreign-type') this.#otherTrack(index, bytes, begin, end);
    else if (verdict === 'malformed') this.warn('some packets of the camera are no RTP');
  }

  /** What a track's sender says of its clock, where it does not come as RTCP. @param ntpMs  as of `RtcpHandler` */
  senderReport(index: number, ntpMs: number, rtpTime: number): void {
    this.#timeline.senderReport(index, ntpMs, rtpTime);
    if (index !== 0) return;
    const estimate = this.#producerClock.report(ntpMs, this.#clock.wallMs(), this.#clock.monotonicMs());
    if (estimate !== undefined) this.#sink.clock(estimate);
  }

  /** Which track a packet on an unknown channel belongs to: the only one of its payload type that has received nothing yet. */
  claim(bytes: Uint8Array, begin: number, end: number): number | undefined {
    const payloadType = RtpReceiver.payloadTypeOf(bytes, begin, end);
    const index = this.#lanes.findIndex((lane) => lane.receiver.hasType(payloadType) && lane.receiver.received === 0);
    return index < 0 ? undefined : index;
  }

  /** Some cameras answer every SETUP with the same channels: the payload type then decides. */
  #otherTrack(index: number, bytes: Uint8Array, begin: number, end: number): void {
    const payloadType = RtpReceiver.payloadTypeOf(bytes, begin, end);
    const other = this.#lanes.findIndex((lane, at) => at !== index && lane.receiver.hasType(payloadType));
    if (other >= 0) this.#lanes[other]?.receiver.packet(bytes, begin, end);
    else this.warn(`packets of payload type ${payloadType}, which was not announced, are left out`);
  }

  #rtcp(lane: Lane, index: number, bytes: Uint8Array, begin: number, end: number): void {
    const handler: RtcpHandler = {
      senderReport: (source, ntpMs, rtpTime, ntpMiddle) => {
        // Before the first packet nobody knows the source: the report is believed.
        if (lane.receiver.source !== undefined && lane.receiver.source !== source) return;
        lane.ntpMiddle = ntpMiddle;
        lane.reportMs = this.#clock.monotonicMs();
        this.senderReport(index, ntpMs, rtpTime);
      },
      bye: (source) => {
        if (index === 0 && source === lane.receiver.source) this.#byeMs = this.#clock.monotonicMs();
      },
    };
    parseRtcp(bytes, begin, end, handler);
  }

  #unit(
    index: number,
    bytes: Uint8Array,
    rtpTime: number,
    ticksAfter: number,
    isKey: boolean,
    isAfterLoss: boolean,
    isNew: boolean,
  ): void {
    const lane = this.#lanes[index];
    if (lane === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    if (this.#isFlood(nowMs)) return;
    lane.lastUnitMs = nowMs;
    if (this.#announced === undefined && !this.#announceWith(lane)) return;
    if (!this.#announced?.includes(lane.chosen.trackNumber)) return;
    if (isNew) {
      this.#timeline.restart({ jumpedTrack: undefined });
      this.#announce('tracks-changed');
    }
    let us = this.#timeline.place(index, rtpTime, ticksAfter, nowMs);
    if (Number.isNaN(us)) {
      this.#timeline.restart({ jumpedTrack: index });
      this.#announce('time-jump');
      us = this.#timeline.place(index, rtpTime, ticksAfter, nowMs);
    }
    const unit: AccessUnit = {
      trackNumber: lane.chosen.trackNumber,
      presentationTimeUs: us,
      producerTimestampMs: this.#timeline.producerMs(index, ticksAfter),
      receivedMonotonicMs: nowMs,
      isKey,
      isAfterLoss,
      bytes,
    };
    this.#sink.unit(unit);
  }

  /** Each unit costs the whole process some time: a source that makes thousands a second is ended. */
  #isFlood(nowMs: number): boolean {
    if (this.#isFlooding) return true;
    if (!(nowMs - this.#unitsSinceMs < rtspLimits.unitsPeriodMs)) {
      this.#unitsSinceMs = nowMs;
      this.#units = 0;
    }
    this.#isFlooding = ++this.#units > rtspLimits.unitsPerPeriodMax;
    if (this.#isFlooding) {
      this.#onFault(
        faults.protocol(
          `the camera sends more than ${rtspLimits.unitsPerPeriodMax} pictures within ${rtspLimits.unitsPeriodMs / 1_000} s`,
          'no camera does that: check that the address is that of the camera, and its firmware',
        ),
      );
    }
    return this.#isFlooding;
  }

  /** The session begins with the first picture (or sound where there is none) once every track is described. */
  #announceWith(lane: Lane): boolean {
    const hasVideo = this.#lanes.some(({ chosen }) => chosen.kind === 'video');
    const isLeading = !hasVideo || lane.chosen.kind === 'video';
    if (!isLeading || this.#lanes.some(({ track }) => track.description === undefined)) return false;
    this.#announce('started');
    return true;
  }

  #announce(reason: SessionReason): void {
    const tracks = this.#lanes
      .map(({ track }) => track.description)
      .filter((track): track is Track => track !== undefined);
    this.#announced = tracks.map((track) => track.number);
    this.#sink.session(tracks, reason);
  }

  /** Parameters of a track came; if the session began without it, another one begins. */
  #described(index: number): void {
    const lane = this.#lanes[index];
    if (this.#announced === undefined || lane === undefined || this.#announced.includes(lane.chosen.trackNumber))
      return;
    this.#timeline.restart({ jumpedTrack: undefined });
    this.#announce('tracks-changed');
  }

  #openTimeline(info: readonly RtpInfo[]): void {
    this.#timeline = new MediaTimeline(
      this.#lanes.map((lane, index) => ({
        clockRateHz: clockRateOf(lane.chosen),
        kind: lane.chosen.kind,
        rtpInfoTime: infoOf(info, lane.control, index)?.rtpTime,
      })),
      () => this.warn('the sender reports of picture and sound contradict each other and are not used'),
    );
  }

  /** Once a second: silence, and parameters that don't come. */
  #watch(): void {
    const nowMs = this.#clock.monotonicMs();
    const isLate = nowMs - this.#watchedMs > watchLateMs;
    this.#watchedMs = nowMs;
    // This process stood still itself (a stopped machine, a long pause): what came meanwhile is still to be read.
    if (isLate) return;
    this.#watchParameters(nowMs);
    const [main] = this.#lanes;
    if (main === undefined) return;
    const sinceMs = nowMs - (Number.isNaN(main.lastUnitMs) ? this.#playingMs : main.lastUnitMs);
    if (sinceMs > 2_000 && this.#byeMs > nowMs - sinceMs) {
      this.#onFault(faults.closed('the camera said that its stream is over'));
    } else if (sinceMs > this.#options.silenceMs) {
      this.#onFault(this.#silence(main, sinceMs));
    }
  }

  #silence(main: Lane, sinceMs: number): SourceFault {
    const noun = main.chosen.kind === 'video' ? 'picture' : 'sound';
    const seconds = Math.round(sinceMs / 1000);
    if (this.#packets === 0) {
      return faults.silent(
        `the camera accepted the session and sent nothing for ${seconds} s`,
        'restart the camera; with UDP also check firewalls, or choose TCP as the transport',
      );
    }
    return faults.silent(
      `no whole ${noun} came for ${seconds} s (${main.receiver.received} packets received, ${main.receiver.lost} lost)`,
      'check the camera and the network to it; a lower bit rate helps where packets are lost',
    );
  }

  #watchParameters(nowMs: number): void {
    if (this.#announced !== undefined) return;
    const missing = this.#lanes.filter(({ track }) => track.description === undefined);
    const waitedMs = nowMs - this.#playingMs;
    const isOver = waitedMs > rtspLimits.parametersWaitMs;
    const isFlowing = this.#lanes.some((lane) => lane.track.description !== undefined && lane.receiver.received > 0);
    if (
      isOver &&
      isFlowing &&
      (missing.length > 0 ||
        !this.#lanes.some((lane) => lane.chosen.kind === 'video' && !Number.isNaN(lane.lastUnitMs)))
    ) {
      for (const lane of missing)
        this.warn(
          `the ${lane.chosen.kind === 'video' ? 'picture' : 'sound'} is left out until the camera describes it`,
        );
      this.#announce('started');
    } else if (waitedMs > rtspLimits.parametersAloneWaitMs && missing.length === this.#lanes.length) {
      this.#onFault(
        faults.protocol(
          'the camera sends media but never said how it is coded (no parameter sets)',
          "look in the camera's settings for the interval of key frames (I-frames) and shorten it",
        ),
      );
    }
  }

  #report(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const lane of this.#lanes) {
      const { source, lost, expectedPackets } = lane.receiver;
      if (source === undefined) continue;
      const newLost = Math.max(0, lost - lane.reportedLost);
      const newExpected = Math.max(1, expectedPackets - lane.reportedExpected);
      lane.reportedLost = lost;
      lane.reportedExpected = expectedPackets;
      lane.sendReport(
        formatReceiverReport({
          ourSource: this.#ourSource,
          source,
          fractionLost: Math.min(255, Math.floor((newLost * 256) / newExpected)),
          packetsLost: lost,
          highestSequence: lane.receiver.highestSequence,
          lastReport: lane.ntpMiddle,
          sinceLastReportMs: nowMs - lane.reportMs,
        }),
      );
    }
  }
}

/** RTP-Info names tracks by URL, in many spellings: the end decides, and the order where no end fits. */
function infoOf(info: readonly RtpInfo[], control: string | undefined, index: number): RtpInfo | undefined {
  const name = control?.split('/').at(-1);
  const byName = name === undefined || name === '' ? undefined : info.find(({ url }) => url.endsWith(name));
  return byName ?? info[index];
}
