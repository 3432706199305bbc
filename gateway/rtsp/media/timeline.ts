/**
 * The media timeline of a session: RTP times of all tracks on one axis in microseconds, beginning near 0.
 *
 * Tracks are put beside each other by the first of these that is there and sane: sender reports of both, RTP-Info of both,
 * arrival. The first track listed (video) is never moved afterwards; the others follow what sender reports say by slewing,
 * 1 % of the time up to 100 ms of error and 10 % above, so that times never step and never run backwards. Reports that put
 * tracks more than 10 s apart are not believed. A jump of the RTP clock itself is not bridged: the caller begins anew.
 */

import { rtspLimits } from '../limits.ts';

export type TimedTrack = {
  readonly clockRateHz: number;
  readonly kind: 'video' | 'audio';
  /** RTP-Info's rtptime. */
  readonly rtpInfoTime: number | undefined;
};

type Report = { readonly ntpMs: number; readonly rtpTime: number; ticks: number };

type State = {
  readonly track: TimedTrack;
  isStarted: boolean;
  rtpTime: number;
  /** RTP time without wrap, 0 at the track's first packet on this timeline. */
  ticks: number;
  firstRtpTime: number;
  anchorUs: number;
  slewUs: number;
  slewTargetUs: number;
  lastUs: number;
  lastRawUs: number;
  lastArrivalMs: number;
  /** Smallest difference of arrival and media time so far, which may rise by 1,000 ppm: what no delay explains. */
  leastLagMs: number;
  behindSinceMs: number;
  /** Another source took over: where its first packet goes. */
  continues: boolean;
  hasRtpInfo: boolean;
  report: Report | undefined;
};

const arrivalSlackUs = 3_000_000;
const deadZoneUs = 5_000;
const largeErrorUs = 100_000;
/** Sender reports of cameras without a clock count from 1900 or 1970. */
const plausibleEpochMs = Date.UTC(2000, 0, 1);

/** A place on the timeline that there is none for: the RTP clock jumped. */
export const jumped = Number.NaN;

export class MediaTimeline {
  readonly #states: readonly State[];
  readonly #onImplausible: () => void;
  #zeroArrivalMs = Number.NaN;

  /** @param onImplausible  sender reports of two tracks contradict each other; may be called often */
  constructor(tracks: readonly TimedTrack[], onImplausible: () => void) {
    this.#states = tracks.map(freshState);
    this.#onImplausible = onImplausible;
  }

  /**
   * Presentation time of what was sampled at `rtpTime` plus `ticksAfter`, whole microseconds, or `jumped`.
   *
   * @param track  index into the tracks given to the constructor
   */
  place(track: number, rtpTime: number, ticksAfter: number, arrivalMs: number): number {
    const state = this.#states[track];
    if (state === undefined) return jumped;
    if (!state.isStarted) this.#start(state, rtpTime, arrivalMs);
    const stepTicks = (rtpTime - state.rtpTime) | 0;
    const stepMs = (stepTicks * 1000) / state.track.clockRateHz;
    const elapsedMs = arrivalMs - state.lastArrivalMs;
    if (isJump(state.track.kind, stepMs, elapsedMs)) return jumped;
    state.ticks += stepTicks;
    state.rtpTime = rtpTime;
    const rawUs = state.anchorUs + ((state.ticks + ticksAfter) * 1_000_000) / state.track.clockRateHz;
    if (isLeftBehind(state, rawUs, arrivalMs, elapsedMs)) return jumped;
    state.lastArrivalMs = arrivalMs;
    this.#slew(state, rawUs);
    let us = Math.round(rawUs + state.slewUs);
    // Cameras repeat a time now and then; players take equal times for one picture.
    if (state.track.kind === 'audio') us = Math.max(us, state.lastUs + 1);
    else if (us === state.lastUs) us += 1_000;
    state.lastUs = us;
    return us;
  }

  /** The source's wall time of what was placed last, or undefined while sender reports don't tell a plausible one. */
  producerMs(track: number, ticksAfter: number): number | undefined {
    const state = this.#states[track];
    const report = state?.report;
    if (state === undefined || report === undefined || report.ntpMs < plausibleEpochMs) return undefined;
    return report.ntpMs + ((state.ticks + ticksAfter - report.ticks) * 1000) / state.track.clockRateHz;
  }

  senderReport(track: number, ntpMs: number, rtpTime: number): void {
    const state = this.#states[track];
    // A sender without any clock writes 0: that aligns nothing.
    if (state === undefined || ntpMs <= -2_208_988_800_000) return;
    state.report = { ntpMs, rtpTime, ticks: state.isStarted ? state.ticks + ((rtpTime - state.rtpTime) | 0) : 0 };
    this.#align();
  }

  /** A new source of the same track: its clock has nothing to do with the old one's and goes on by arrival. */
  continueTrack(track: number): void {
    const state = this.#states[track];
    if (state === undefined || !state.isStarted) return;
    state.continues = true;
    state.isStarted = false;
    state.hasRtpInfo = false;
    state.report = undefined;
  }

  /** Begins anew at 0, after a jump of one track's clock or because the caller begins a new session. */
  restart(options: { readonly jumpedTrack: number | undefined }): void {
    this.#zeroArrivalMs = Number.NaN;
    this.#states.forEach((state, index) => {
      const report = index === options.jumpedTrack ? undefined : state.report;
      Object.assign(state, freshState(state.track), { hasRtpInfo: false, report });
    });
  }

  #start(state: State, rtpTime: number, arrivalMs: number): void {
    if (Number.isNaN(this.#zeroArrivalMs)) this.#zeroArrivalMs = arrivalMs;
    const arrivalUs = (arrivalMs - this.#zeroArrivalMs) * 1000;
    state.rtpTime = rtpTime;
    state.firstRtpTime = rtpTime;
    state.ticks = 0;
    if (state.report !== undefined) state.report.ticks = (state.report.rtpTime - rtpTime) | 0;
    const continuedUs = state.lastUs + Math.max(1, arrivalMs - state.lastArrivalMs) * 1000;
    state.anchorUs = state.continues ? continuedUs - state.slewUs : this.#alignedUs(state, rtpTime, arrivalUs);
    state.continues = false;
    state.isStarted = true;
    state.lastArrivalMs = arrivalMs;
    state.leastLagMs = arrivalMs - state.anchorUs / 1000;
    state.behindSinceMs = Number.NaN;
    state.lastRawUs = state.anchorUs;
    this.#align();
  }

  /** Where a track's first packet lies, by the best evidence. */
  #alignedUs(state: State, rtpTime: number, arrivalUs: number): number {
    for (const other of this.#states) {
      if (other === state || !other.isStarted) continue;
      const candidates = [byReports(state, other), byRtpInfo(state, other, rtpTime)];
      for (const us of candidates) {
        if (us !== undefined && Math.abs(us - arrivalUs) < arrivalSlackUs) return us;
      }
    }
    return arrivalUs;
  }

  /** Sets where the other tracks should slew to, from the newest reports. */
  #align(): void {
    const [master, ...others] = this.#states;
    if (master === undefined || !master.isStarted || master.report === undefined) return;
    const masterMs = epochMs(master, master.report);
    for (const state of others) {
      if (!state.isStarted || state.report === undefined) continue;
      const errorUs = (epochMs(state, state.report) - masterMs) * 1000;
      if (Math.abs(errorUs) > rtspLimits.alignmentMsMax * 1000) this.#onImplausible();
      else if (Math.abs(errorUs) > deadZoneUs) state.slewTargetUs = state.slewUs + errorUs;
    }
  }

  #slew(state: State, rawUs: number): void {
    const passedUs = Math.max(0, rawUs - state.lastRawUs);
    state.lastRawUs = Math.max(rawUs, state.lastRawUs);
    const missingUs = state.slewTargetUs - state.slewUs;
    if (missingUs === 0) return;
    const share = Math.abs(missingUs) > largeErrorUs ? 0.1 : 0.01;
    state.slewUs += Math.sign(missingUs) * Math.min(Math.abs(missingUs), passedUs * share);
  }
}

function freshState(track: TimedTrack): State {
  return {
    track,
    isStarted: false,
    rtpTime: 0,
    ticks: 0,
    firstRtpTime: 0,
    anchorUs: 0,
    slewUs: 0,
    slewTargetUs: 0,
    lastUs: Number.NEGATIVE_INFINITY,
    lastRawUs: 0,
    lastArrivalMs: 0,
    leastLagMs: 0,
    behindSinceMs: Number.NaN,
    continues: false,
    hasRtpInfo: track.rtpInfoTime !== undefined,
    report: undefined,
  };
}

/** The wall time, as the sender has it, of 0 on the timeline. */
function epochMs(state: State, report: Report): number {
  return report.ntpMs - (state.anchorUs + state.slewUs) / 1000 - (report.ticks * 1000) / state.track.clockRateHz;
}

function byReports(state: State, other: State): number | undefined {
  if (state.report === undefined || other.report === undefined) return undefined;
  const producerMs = state.report.ntpMs - (state.report.ticks * 1000) / state.track.clockRateHz;
  return (producerMs - epochMs(other, other.report)) * 1000;
}

function byRtpInfo(state: State, other: State, rtpTime: number): number | undefined {
  if (!state.hasRtpInfo || !other.hasRtpInfo) return undefined;
  const ownMs = sinceRtpInfoMs(state.track, rtpTime);
  const otherMs = sinceRtpInfoMs(other.track, other.firstRtpTime);
  if (ownMs === undefined || otherMs === undefined) return undefined;
  return other.anchorUs + (ownMs - otherMs) * 1000;
}

/** Undefined where the rtptime is not near the packets: zero, stale or of another session. */
function sinceRtpInfoMs(track: TimedTrack, rtpTime: number): number | undefined {
  const ms = (((rtpTime - (track.rtpInfoTime ?? 0)) | 0) * 1000) / track.clockRateHz;
  return Math.abs(ms) < rtspLimits.timeJumpMs ? ms : undefined;
}

/** A forward step counts only as far as no waiting explains it: a stream that paused goes on later, that is no jump. */
function isJump(kind: 'video' | 'audio', stepMs: number, elapsedMs: number): boolean {
  if (stepMs > rtspLimits.timeJumpMs) return stepMs - elapsedMs > rtspLimits.timeJumpMs;
  return stepMs < -(kind === 'video' ? rtspLimits.videoStepBackMs : rtspLimits.audioStepBackMs);
}

/** The source paused its media clock: arrival is behind for longer than any stalled connection catches up in. */
function isLeftBehind(state: State, rawUs: number, arrivalMs: number, elapsedMs: number): boolean {
  const lagMs = arrivalMs - rawUs / 1000;
  state.leastLagMs = Math.min(lagMs, state.leastLagMs + elapsedMs * 0.001);
  if (lagMs - state.leastLagMs < rtspLimits.timeJumpMs) {
    state.behindSinceMs = Number.NaN;
    return false;
  }
  if (Number.isNaN(state.behindSinceMs)) state.behindSinceMs = arrivalMs;
  return arrivalMs - state.behindSinceMs > rtspLimits.timeJumpMs;
}
