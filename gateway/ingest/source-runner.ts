/**
 * Keeps one source running: connects, hands on what it delivers, and connects again with backoff when it ends. Always in a
 * state with a reason that people understand. A mistake of ours in this stream ends its session and no other.
 *
 *   idle -> connecting -> live -> retrying -> connecting ...  stopped
 */

import type { Clock } from '../../storage/base/clock.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { Backoff } from '../../storage/base/retry.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';
import type { SourceStateName } from '../../storage/model/camera.ts';
import { limits } from '../../storage/model/limits.ts';
import { type GapReason, type RunEndReason, runEndReasons } from '../../storage/model/run.ts';
import type { Track } from '../../storage/model/track.ts';
import type { SourceEnd, SourceSink } from '../rtsp/index.ts';

/** One attempt at a source: `RtspSession`, `RtmpSession`, or what a test puts in its place. */
export type SourceSession = {
  run(sink: SourceSink, signal: AbortSignal): Promise<SourceEnd>;
  /** It comes to us: after its end it is waited for again at once, since nobody is asked too often by that. */
  readonly isAwaited?: boolean;
};

/** Where the source's media goes, and who wants to know how it is. */
export type SourceTarget = {
  session(tracks: readonly Track[], endOfLast: RunEndReason): void;
  unit(unit: AccessUnit): void;
  sessionEnded(reason: RunEndReason): void;
  /** The session failed by our own mistake: whatever it left open is dropped. */
  abandoned(): void;
  onState(): void;
};

/** What a person is told about a source; `SourceState` without the recorder's part. */
export type SourceStatus = {
  readonly state: SourceStateName;
  readonly reason: GapReason | undefined;
  readonly message: string | undefined;
  readonly hint: string | undefined;
  readonly sinceMs: number;
  readonly attempts: number;
  readonly nextAttemptMs: number | undefined;
};

/** A disk that does not answer by then is for the recorder to tell. */
const afterMsMax = 2_000;

export class SourceRunner {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #open: () => SourceSession;
  readonly #target: SourceTarget;
  readonly #backoff: Backoff;
  /** Wrong password, wrong path: trying often does not help and locks accounts. */
  readonly #slowBackoff: Backoff;
  readonly #lifetime = new Lifetime();
  readonly #warnings = new Set<string>();
  #status: SourceStatus;
  #attempt: AbortController | undefined;
  /** The other side is not there yet: that is no hanging. */
  #isWaiting = false;
  /** How the last session ended, until the next one begins. */
  #lastEnd: SourceEnd | undefined;
  /** The attempt is ended for a mistake of ours. */
  #isMistaken = false;
  #progressMs = 0;
  #sessions = 0;
  #unitsAll = 0;
  #bytesAll = 0;
  #packetsLost = 0;
  #mistakes = 0;
  #lastUnit: { readonly receivedMs: number; readonly producerTimestampMs: number | undefined } | undefined;
  #clockOffsetMs: number | undefined;
  #clockDriftPpm: number | undefined;
  #closeReason: RunEndReason = 'shutdown';

  constructor(dependencies: {
    readonly clock: Clock;
    readonly log: Log;
    readonly random: () => number;
    readonly open: () => SourceSession;
    readonly target: SourceTarget;
  }) {
    const { clock, log, random, open, target } = dependencies;
    this.#clock = clock;
    this.#log = log;
    this.#open = open;
    this.#target = target;
    this.#backoff = new Backoff({ firstDelayMs: 1_000, delayMsMax: 30_000, random });
    this.#slowBackoff = new Backoff({ firstDelayMs: 60_000, delayMsMax: 300_000, random });
    this.#status = this.#statusOf('idle');
  }

  get status(): SourceStatus {
    return this.#status;
  }

  get clockOffsetMs(): number | undefined {
    return this.#clockOffsetMs;
  }

  get clockDriftPpm(): number | undefined {
    return this.#clockDriftPpm;
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  get stats() {
    return {
      sessions: this.#sessions,
      units: this.#unitsAll,
      bytes: this.#bytesAll,
      packetsLost: this.#packetsLost,
      mistakes: this.#mistakes,
      lastUnit: this.#lastUnit,
    };
  }

  /**
   * @param options.delayMs  before the first attempt: a hundred sources do not begin at once
   * @param options.after    what the first pictures need, waited for within reason: live viewers need nothing of it
   */
  start(options: { readonly delayMs: number; readonly after: Promise<void> }): void {
    this.#lifetime.loop(async (signal) => {
      await this.#clock.sleep(options.delayMs, signal);
      await Promise.race([options.after, this.#clock.sleep(afterMsMax, signal)]);
      while (!signal.aborted) {
        try {
          await this.#once(signal);
        } catch (error) {
          if (signal.aborted) return;
          // Nothing but a mistake of ours comes here; the stream goes on, whatever it was.
          this.#mistakes++;
          this.#log.error('source restarts after a mistake of ours', { error });
          await this.#clock.sleep(this.#backoff.nextDelayMs(), signal);
        }
      }
    });
  }

  /** Ends the session for the reason given; resolves when the connection is gone. */
  async close(reason: RunEndReason): Promise<void> {
    this.#closeReason = reason;
    await this.#lifetime.close();
    this.#setStatus(this.#statusOf('stopped', { reason }));
  }

  /** Ends an attempt that neither fails nor delivers; to be called about once a second. */
  tick(): void {
    if (this.#attempt === undefined || this.#isWaiting) return;
    if (this.#clock.monotonicMs() - this.#progressMs < limits.sourceStuckMs) return;
    this.#log.warn('source hangs and is ended', { stuckMs: limits.sourceStuckMs });
    this.#progressMs = this.#clock.monotonicMs();
    this.#attempt.abort();
  }

  /** What hangs on the source failed by a mistake of ours outside of its calls: the session begins anew, as after one inside. */
  restart(error: unknown): void {
    this.#abandon(error);
    this.#isMistaken = true;
    this.#attempt?.abort();
  }

  async #once(signal: AbortSignal): Promise<void> {
    const attempt = new AbortController();
    const onAbort = () => attempt.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#attempt = attempt;
    this.#isMistaken = false;
    this.#progressMs = this.#clock.monotonicMs();
    // While it tries again people go on to see why it has to.
    const { reason, message, hint } = this.#status;
    this.#setStatus({ ...this.#statusOf('connecting'), reason: reason ?? 'connecting', message, hint });
    let liveSinceMs: number | undefined;
    const { end, isAwaited } = await this.#run(attempt.signal, () => {
      liveSinceMs ??= this.#clock.monotonicMs();
    });
    signal.removeEventListener('abort', onAbort);
    this.#attempt = undefined;
    this.#isWaiting = false;
    this.#lastEnd = end;
    this.#endSession(signal.aborted ? this.#closeReason : toRunEndReason(end.reason));
    if (signal.aborted) return;
    const liveMs = liveSinceMs === undefined ? 0 : this.#clock.monotonicMs() - liveSinceMs;
    if (liveMs >= limits.stableMs) {
      this.#backoff.reset();
      this.#slowBackoff.reset();
    }
    if (isAwaited) {
      this.#setStatus(this.#statusOf('retrying', end));
      this.#log.warn('source ended and is waited for', { reason: end.reason, message: end.message, liveMs });
      return;
    }
    const delayMs = (end.isRetryable ? this.#backoff : this.#slowBackoff).nextDelayMs();
    const retrying = this.#statusOf('retrying', end);
    this.#setStatus({ ...retrying, nextAttemptMs: this.#clock.wallMs() + delayMs });
    this.#log.warn('source ended', { reason: end.reason, message: end.message, liveMs, retryInMs: delayMs });
    await this.#clock.sleep(delayMs, signal);
  }

  async #run(signal: AbortSignal, onLive: () => void): Promise<{ end: SourceEnd; isAwaited: boolean }> {
    try {
      const session = this.#open();
      const end = await session.run(this.#sink(onLive), signal);
      if (signal.aborted && !this.#lifetime.signal.aborted) {
        return { end: this.#isMistaken ? internalEnd : stuckEnd, isAwaited: false };
      }
      return { end, isAwaited: session.isAwaited ?? false };
    } catch (error) {
      this.#abandon(error);
      // A mistake of ours that comes at once each time must not keep a core busy, whoever began.
      return { end: internalEnd, isAwaited: false };
    }
  }

  #sink(onLive: () => void): SourceSink {
    return {
      session: (tracks, reason) => {
        onLive();
        this.#progressMs = this.#clock.monotonicMs();
        this.#isWaiting = false;
        this.#lastEnd = undefined;
        this.#sessions++;
        this.#target.session(tracks, reason === 'started' ? 'source-closed' : reason);
        if (this.#status.state !== 'live') this.#setStatus(this.#statusOf('live'));
        else this.#target.onState();
      },
      unit: (unit) => {
        this.#progressMs = unit.receivedMonotonicMs;
        this.#unitsAll++;
        this.#bytesAll += unit.bytes.length;
        this.#lastUnit = { receivedMs: unit.receivedMonotonicMs, producerTimestampMs: unit.producerTimestampMs };
        this.#target.unit(unit);
      },
      loss: ({ packets }) => {
        this.#packetsLost += packets;
      },
      clock: ({ offsetMs, driftPpm }) => {
        this.#clockOffsetMs = offsetMs;
        this.#clockDriftPpm = driftPpm;
      },
      waiting: (why) => {
        this.#isWaiting = true;
        // What ended the last session says more than that it is waited for.
        this.#setStatus(this.#statusOf('retrying', this.#lastEnd ?? why));
      },
      warning: (text) => {
        if (this.#warnings.size >= warningsMax || this.#warnings.has(text)) return;
        this.#warnings.add(text);
        this.#target.onState();
      },
    };
  }

  #endSession(reason: RunEndReason): void {
    try {
      this.#target.sessionEnded(reason);
    } catch (error) {
      this.#abandon(error);
    }
  }

  #abandon(error: unknown): void {
    this.#mistakes++;
    this.#log.error('stream restarts after a mistake of ours', { error });
    this.#target.abandoned();
  }

  #statusOf(state: SourceStateName, end: Partial<SourceEnd> = {}): SourceStatus {
    const { reason, message, hint } = end;
    const attempts = Math.max(this.#backoff.attempts, this.#slowBackoff.attempts);
    return { state, reason, message, hint, sinceMs: this.#clock.wallMs(), attempts, nextAttemptMs: undefined };
  }

  /** Attempts between one failure and the next do not begin the time anew: it says for how long there is no picture. */
  #setStatus(status: SourceStatus): void {
    const { state, sinceMs } = this.#status;
    this.#status = isSeeking(state) && isSeeking(status.state) ? { ...status, sinceMs } : status;
    this.#target.onState();
  }
}

function isSeeking(state: SourceStateName): boolean {
  return state === 'connecting' || state === 'retrying';
}

/** Kinds of oddities one camera may show. */
const warningsMax = 20;

const stuckEnd: SourceEnd = {
  reason: 'source-silent',
  message: `the camera neither answered nor sent anything for ${limits.sourceStuckMs / 1_000} s`,
  hint: 'restart the camera if this goes on',
  isRetryable: true,
};

const internalEnd: SourceEnd = {
  reason: 'source-error',
  message: 'what the camera sent led to an internal error',
  hint: 'please report the log lines of this camera; recording begins anew by itself',
  isRetryable: true,
};

function toRunEndReason(reason: GapReason): RunEndReason {
  if (Object.hasOwn(runEndReasons, reason)) return reason as RunEndReason;
  return reason === 'unreachable' ? 'connection-lost' : 'source-error';
}
