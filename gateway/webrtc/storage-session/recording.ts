/**
 * A master's media on its way into the stream, for as long as the master is there: what ends on the way is begun again, but for what
 * will not change by itself.
 */

import type { types } from 'mediasoup';
import { type AppError, appError, isAppError, toAppError } from '../../../storage/base/errors.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import { Backoff } from '../../../storage/base/retry.ts';
import type { SourceEnd } from '../../rtsp/index.ts';
import type { AudioDependencies } from '../audio/index.ts';
import type { MediaWorker } from '../media-plane/index.ts';
import type { MediaSink } from '../receive/index.ts';
import { storageSessionLimits } from './limits.ts';
import type { SessionSound } from './session-sound.ts';
import { StoredSound } from './stored-sound.ts';

/** Whose media it is: `requestId` is for logs. */
export type StoredHead = { readonly streamId: string; readonly requestId: string };

/** Where media comes from and where it goes. */
export type RecordingParts = {
  /** A peer's media as units. */
  readonly newMedia: (
    events: { readonly sink: MediaSink; readonly onFault: (end: SourceEnd) => void },
    options: { readonly worker: MediaWorker; readonly video: types.Producer; readonly audio: types.Producer },
  ) => { start(): Promise<void>; wantKeyFrame(): void; close(): void | Promise<void> };
  /** Units into a stream. */
  readonly newPut: (
    events: { readonly wantKeyFrame: () => void; readonly onEnded: (error: AppError) => void },
    head: StoredHead,
  ) => MediaSink & { close(): Promise<void> };
};

export type RecordingDeps = AudioDependencies &
  RecordingParts & {
    readonly sound: SessionSound;
    /** The stream is gone, or takes nothing of the kind: nothing is tried any more. */
    readonly onRefused: (error: AppError) => void;
  };

export type RecordingOptions = {
  readonly worker: MediaWorker;
  readonly video: types.Producer;
  readonly audio: types.Producer;
  readonly head: StoredHead;
};

export class Recording {
  readonly #deps: RecordingDeps;
  readonly #options: RecordingOptions;
  readonly #lifetime = new Lifetime();

  constructor(deps: RecordingDeps, options: RecordingOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  start(): void {
    this.#lifetime.loop((signal) => this.#run(signal));
  }

  /** What is whole is recorded. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log, random, onRefused } = this.#deps;
    const { recordAgainMsMin, recordAgainMsMax } = storageSessionLimits;
    const backoff = new Backoff({ firstDelayMs: recordAgainMsMin, delayMsMax: recordAgainMsMax, random });
    while (!signal.aborted) {
      const beganMs = clock.monotonicMs();
      const error = await this.#once(signal);
      if (signal.aborted) return;
      if (isFinal(error)) {
        onRefused(error);
        return;
      }
      if (clock.monotonicMs() - beganMs > recordAgainMsMax) backoff.reset();
      const delayMs = backoff.nextDelayMs();
      log.warn('a storage session is not recorded just now', { error, againMs: Math.round(delayMs) });
      await clock.sleep(delayMs, signal);
    }
  }

  /** Records until something ends. Never throws. */
  async #once(signal: AbortSignal): Promise<AppError> {
    const { newMedia, newPut, sound } = this.#deps;
    const { head, ...peer } = this.#options;
    const { promise: ended, resolve: end } = Promise.withResolvers<AppError>();
    const onAbort = () => end(appError('cancelled', 'the master has left'));
    signal.addEventListener('abort', onAbort, { once: true });
    const wantKeyFrame = () => media.wantKeyFrame();
    const put = newPut({ wantKeyFrame, onEnded: end }, head);
    const stored = new StoredSound({ ...this.#deps, target: put });
    const onFault = ({ message }: SourceEnd) => end(appError('data_loss', message));
    const media = newMedia({ sink: stored, onFault }, peer);
    try {
      await media.start();
      sound.record(stored);
      return await ended;
    } catch (error) {
      return toAppError(error);
    } finally {
      signal.removeEventListener('abort', onAbort);
      sound.record(undefined);
      await media.close();
      await stored.close();
      await put.close().catch((error: unknown) => this.#deps.log.warn('a recording did not end well', { error }));
    }
  }
}

/** The stream, or the right to it, will not come back by waiting. */
function isFinal(error: AppError): boolean {
  return (['not_found', 'failed_precondition', 'permission_denied'] as const).some((code) => isAppError(error, code));
}
