/**
 * Listens to one device for as long as it lives: subscribes, pulls, renews, and begins anew with growing delays when anything goes
 * wrong. One device's troubles stay here.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, isAppError, toAppError } from '../../../storage/base/errors.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import { Backoff } from '../../../storage/base/retry.ts';
import { withDeadline } from '../deadline.ts';
import type { OnvifDevice } from '../device.ts';
import { onvifLimits } from '../limits.ts';
import { EventRanges } from './event-ranges.ts';
import type { EventSink } from './event-sink.ts';
import { eventsOf } from './notifications.ts';
import { PullPoint } from './pull-point.ts';

/** A device that is gone does not hold up the end. */
const unsubscribeMs = 1_000;

export type EventStreamState = {
  /** `unsupported`: the device has no events, and is asked again seldom. */
  readonly state: 'connecting' | 'listening' | 'retrying' | 'unsupported';
  readonly message: string | undefined;
  readonly hint: string | undefined;
  readonly sinceMs: number;
  readonly nextAttemptMs: number | undefined;
  readonly openEvents: number;
  readonly droppedEvents: number;
};

export type EventStreamDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly device: OnvifDevice;
  readonly sink: EventSink;
  readonly newId: () => string;
  readonly random: () => number;
};

export class EventStream {
  readonly #deps: EventStreamDeps;
  readonly #ranges: EventRanges;
  readonly #lifetime = new Lifetime();
  #state: Pick<EventStreamState, 'state' | 'message' | 'hint' | 'sinceMs' | 'nextAttemptMs'>;

  constructor(deps: EventStreamDeps, options: { readonly streamId: string; readonly cameraId: string }) {
    this.#deps = deps;
    this.#ranges = new EventRanges(deps.sink, { ...options, newId: deps.newId });
    this.#state = {
      state: 'connecting',
      message: undefined,
      hint: undefined,
      sinceMs: deps.clock.wallMs(),
      nextAttemptMs: undefined,
    };
  }

  get state(): EventStreamState {
    return { ...this.#state, openEvents: this.#ranges.openCount, droppedEvents: this.#ranges.droppedCount };
  }

  start(): void {
    const { clock } = this.#deps;
    this.#lifetime.defer(() => this.#ranges.endAll(clock.wallMs()));
    this.#lifetime.defer(clock.every(1_000, () => this.#ranges.sweep(clock.wallMs())));
    this.#lifetime.loop((signal) => this.#listen(signal));
  }

  /** Ends what goes on and gives the subscription back. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#deps;
    const soon = new Backoff({
      firstDelayMs: onvifLimits.retryDelayMsFirst,
      delayMsMax: onvifLimits.retryDelayMsMax,
      random,
    });
    const seldom = new Backoff({
      firstDelayMs: onvifLimits.loginDelayMsMin,
      delayMsMax: onvifLimits.loginDelayMsMax,
      random,
    });
    while (!signal.aborted) {
      const beginMs = clock.monotonicMs();
      const failure = await this.#listenOnce(signal).catch((error: unknown) => toAppError(error));
      if (signal.aborted) return;
      if (clock.monotonicMs() - beginMs > onvifLimits.stableMs) {
        soon.reset();
        seldom.reset();
      }
      // What worked until now is a device in trouble, whatever it says.
      const isUnsupported = failure.code === 'unimplemented' && this.#state.state !== 'listening';
      const delayMs = isUnsupported
        ? onvifLimits.unsupportedMs
        : (failure.code === 'unauthenticated' ? seldom : soon).nextDelayMs();
      if (this.#state.message !== failure.message) {
        if (isUnsupported) log.info('camera has no events', { reason: failure.message });
        else log.warn('events of the camera are not heard', { error: failure });
      }
      this.#change({
        state: isUnsupported ? 'unsupported' : 'retrying',
        message: failure.message,
        hint: failure.hint,
        nextAttemptMs: clock.wallMs() + delayMs,
      });
      await clock.sleep(delayMs, signal);
    }
  }

  /** From connecting to the first failure, which it returns or throws. */
  async #listenOnce(signal: AbortSignal): Promise<AppError> {
    const { clock, device, log } = this.#deps;
    await device.connect(signal);
    const subscription = await PullPoint.subscribe(device, signal);
    log.info('events of the camera are heard');
    this.#change({ state: 'listening', message: undefined, hint: undefined, nextAttemptMs: undefined });
    let renewedMs = clock.monotonicMs();
    let clockReadMs = renewedMs;
    try {
      for (;;) {
        const askedMs = clock.monotonicMs();
        const answer = await subscription.pull(signal);
        const at = { nowMs: clock.wallMs(), offsetMs: device.clock?.offsetMs };
        for (const event of eventsOf(answer)) this.#ranges.take(event, at);
        const nowMs = clock.monotonicMs();
        if (nowMs - renewedMs >= onvifLimits.renewMs / 2) {
          await subscription.renew(signal);
          renewedMs = nowMs;
        }
        if (nowMs - clockReadMs >= onvifLimits.clockMs) {
          await device.readClock(signal);
          clockReadMs = nowMs;
        }
        await clock.sleep(Math.max(0, onvifLimits.pullGapMs - (clock.monotonicMs() - askedMs)), signal);
      }
    } catch (error) {
      // Without this a camera that refuses one pull has no subscription left for the next attempt.
      await withDeadline(clock, { timeoutMs: unsubscribeMs }, (within) => subscription.unsubscribe(within));
      if (isAppError(error)) return error;
      throw error;
    }
  }

  #change(change: Pick<EventStreamState, 'state' | 'message' | 'hint' | 'nextAttemptMs'>): void {
    const isSame = this.#state.state === change.state && this.#state.message === change.message;
    this.#state = { ...change, sinceMs: isSame ? this.#state.sinceMs : this.#deps.clock.wallMs() };
  }
}
