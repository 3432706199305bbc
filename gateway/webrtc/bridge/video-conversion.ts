/**
 * The video of one stream as H.264 without B-frames, for as long as it is watched. Its child begins with a key frame; what is older
 * than the newest picture by then is decoded only, so that what comes out is live at once. A child that ends is replaced.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, toAppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import { Backoff } from '../../../storage/base/retry.ts';
import type { LaneUnit } from '../../../storage/lane/index.ts';
import { h264Parameters, parseAvcC, videoTrack } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { convertedSize, type Encoder, runningArguments } from '../../playback/index.ts';
import { ConvertingChild } from './converting-child.ts';
import { bridgeLimits } from './limits.ts';

export type VideoConversionDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** 0..1, jitter of restarts. */
  readonly random: () => number;
  readonly ffmpeg: string;
  readonly encoder: () => Promise<Encoder>;
};

export type VideoConversionEvents = {
  /** Of the pictures that follow: told by each child before its first one. */
  readonly onTrack: (track: Track) => void;
  readonly onUnit: (unit: LaneUnit) => void;
  /** This machine cannot convert; nothing comes any more. */
  readonly onImpossible: (error: AppError) => void;
};

type Times = Pick<LaneUnit, 'presentationTimeUs' | 'serverTimestampMs' | 'producerTimestampMs'>;

/** Time of a child's first picture: leading pictures of an open GOP are shown before it. */
const firstTimeMs = 5_000;

export class VideoConversion {
  readonly #deps: VideoConversionDeps;
  readonly #events: VideoConversionEvents;
  readonly #track: Track;
  readonly #backoff: Backoff;
  #encoder: Encoder | undefined;
  #child: ConvertingChild | undefined;
  #gone: Promise<unknown> = Promise.resolve();
  /** Pictures from a key frame on that no child has yet. */
  #waiting: LaneUnit[] = [];
  #waitingBytes = 0;
  /** By the child's time: pictures that it was given and that are to come out. */
  readonly #inside = new Map<number, Times>();
  #baseUs = 0;
  #sinceMs = 0;
  #heardMs = 0;
  /** When the child gave its first picture. */
  #firstMs: number | undefined;
  #waitsForKey = true;
  #cancelRestart: (() => void) | undefined;
  #isClosed = false;

  constructor(deps: VideoConversionDeps, options: VideoConversionEvents & { readonly track: Track }) {
    const { track, ...events } = options;
    this.#deps = deps;
    this.#events = events;
    this.#track = track;
    this.#backoff = new Backoff({
      firstDelayMs: bridgeLimits.conversionRestartMs,
      delayMsMax: bridgeLimits.conversionRestartMsMax,
      random: deps.random,
    });
  }

  /** Asks for the encoder; pictures may be pushed at once. */
  start(): void {
    this.#deps.encoder().then(
      (encoder) => {
        this.#encoder = encoder;
        this.#begin();
      },
      (error: unknown) => {
        if (!this.#isClosed) this.#events.onImpossible(toAppError(error));
      },
    );
  }

  /** Takes the next picture in decode order; its bytes are the conversion's from now on. Never waits. */
  push(unit: LaneUnit): void {
    if (this.#isClosed) return;
    if (this.#waitsForKey && !unit.isKey) return;
    this.#waitsForKey = false;
    if (this.#child === undefined) this.#wait(unit);
    else if (this.#isBehind(unit)) this.#restart('it is behind');
    else this.#write(this.#child, unit, { isShown: true });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRestart?.();
    this.#drop();
    await this.#gone;
  }

  /** Keeps the newest GOP for the next child, unless it is too long. */
  #wait(unit: LaneUnit): void {
    if (unit.isKey) this.#forgetWaiting();
    this.#waiting.push(unit);
    this.#waitingBytes += unit.bytes.length;
    const { keptPicturesMax, feeds } = bridgeLimits;
    if (this.#waiting.length > keptPicturesMax || this.#waitingBytes > feeds.keptBytesMax) {
      this.#forgetWaiting();
      this.#waitsForKey = true;
    }
    this.#begin();
  }

  #isBehind(next: LaneUnit): boolean {
    const { conversionStuckMs, conversionStartMs, conversionPicturesMax, conversionBytesMax } = bridgeLimits;
    const { conversionBehindMs, conversionCatchUpMs } = bridgeLimits;
    const [oldestMs] = this.#inside.keys();
    if (oldestMs === undefined) return false;
    const nowMs = this.#deps.clock.monotonicMs();
    const givingMs = this.#firstMs === undefined ? 0 : nowMs - this.#firstMs;
    const behindMs = this.#timeMsOf(next.presentationTimeUs) - oldestMs;
    const isLate = givingMs > conversionCatchUpMs && behindMs > conversionBehindMs;
    const isStuck = nowMs - this.#heardMs > (this.#firstMs === undefined ? conversionStartMs : conversionStuckMs);
    const queuedBytes = this.#child?.queuedBytes ?? 0;
    const isTooMuch = this.#inside.size > conversionPicturesMax || queuedBytes > conversionBytesMax;
    return isLate || isStuck || isTooMuch;
  }

  #begin(): void {
    const isReady = this.#encoder !== undefined && this.#cancelRestart === undefined && !this.#isClosed;
    const [first] = this.#waiting;
    if (!isReady || this.#encoder === undefined || this.#child !== undefined || first === undefined) return;
    this.#baseUs = first.presentationTimeUs;
    const newestUs = this.#waiting.reduce(
      (us, unit) => Math.max(us, unit.presentationTimeUs),
      first.presentationTimeUs,
    );
    const beginMs = this.#timeMsOf(newestUs);
    const child = ConvertingChild.start(
      this.#deps,
      {
        track: this.#track,
        arguments: runningArguments(this.#encoder, {
          size: convertedSize(this.#track),
          beginMs,
          keyIntervalMs: bridgeLimits.conversionKeyIntervalMs,
        }),
      },
      {
        config: (avcC) => this.#told(avcC),
        picture: (picture) => this.#converted(picture),
        ended: (said) => this.#restart(said),
      },
    );
    this.#child = child;
    this.#sinceMs = this.#deps.clock.monotonicMs();
    this.#heardMs = this.#sinceMs;
    this.#firstMs = undefined;
    for (const unit of this.#waiting) {
      this.#write(child, unit, { isShown: this.#timeMsOf(unit.presentationTimeUs) >= beginMs });
    }
    this.#forgetWaiting();
  }

  #write(child: ConvertingChild, unit: LaneUnit, { isShown }: { readonly isShown: boolean }): void {
    const timeMs = this.#timeMsOf(unit.presentationTimeUs);
    if (timeMs < 0) return;
    const { presentationTimeUs, serverTimestampMs, producerTimestampMs } = unit;
    if (this.#inside.size === 0) this.#heardMs = this.#deps.clock.monotonicMs();
    if (isShown) this.#inside.set(timeMs, { presentationTimeUs, serverTimestampMs, producerTimestampMs });
    child.write({ timeMs, isKey: unit.isKey, bytes: unit.bytes });
  }

  #timeMsOf(presentationTimeUs: number): number {
    return firstTimeMs + Math.round((presentationTimeUs - this.#baseUs) / 1000);
  }

  #told(avcC: Uint8Array): void {
    const { sps, pps } = parseAvcC(avcC);
    const [first] = sps;
    if (first !== undefined) this.#events.onTrack(videoTrack(this.#track.number, h264Parameters(first, pps)));
  }

  #converted(picture: { readonly presentationMs: number; readonly isKey: boolean; readonly bytes: Uint8Array }): void {
    const { presentationMs, isKey, bytes } = picture;
    this.#heardMs = this.#deps.clock.monotonicMs();
    if (this.#heardMs - this.#sinceMs > bridgeLimits.conversionStableMs) this.#backoff.reset();
    this.#firstMs ??= this.#heardMs;
    const times = this.#inside.get(presentationMs);
    // Pictures that could not be decoded never come out; nothing comes out twice, or after a later one.
    for (const timeMs of this.#inside.keys()) if (timeMs <= presentationMs) this.#inside.delete(timeMs);
    if (times === undefined) return;
    this.#events.onUnit({ ...times, trackNumber: this.#track.number, isKey, isAfterLoss: false, bytes });
  }

  /** The next child begins with the next key frame. */
  #restart(said: string): void {
    this.#drop();
    if (this.#isClosed) return;
    const delayMs = this.#backoff.nextDelayMs();
    this.#deps.log.warn('conversion begins anew', { said, delayMs: Math.round(delayMs) });
    this.#cancelRestart?.();
    this.#cancelRestart = this.#deps.clock.after(delayMs, () => {
      this.#cancelRestart = undefined;
      this.#begin();
    });
  }

  #drop(): void {
    const child = this.#child;
    this.#child = undefined;
    this.#inside.clear();
    this.#forgetWaiting();
    this.#waitsForKey = true;
    if (child !== undefined) this.#gone = Promise.all([this.#gone, child.close()]);
  }

  #forgetWaiting(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}
