/**
 * What browsers leave out, so that recordings have it: parameter sets before each key frame, and silence where Opus says nothing. A sink
 * before another sink; notes key frames and losses on the way. A peer that begins anew all the time is ended.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import {
  audioFrameDurationUs,
  forEachNal,
  h264NalType,
  h264NalTypes,
  joinNals,
  parameterSetsOf,
} from '../../../storage/media/index.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { SessionReason, SourceEnd, SourceSink } from '../../rtsp/index.ts';
import { receiveLimits } from './limits.ts';

/** A frame of silence, as browsers send it: 20 ms, CELT, two channels. */
const silentFrame = Uint8Array.of(0xfc, 0xff, 0xfe);
const silentFrameUs = 20_000;

const restless: SourceEnd = {
  reason: 'protocol-error',
  message: 'the pictures of the publisher change their form, or its clock jumps, again and again',
  hint: 'look at its encoder: size and profile of the picture are to stay as they are',
  isRetryable: true,
};

export class WholeMedia implements SourceSink {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #onFault: (end: SourceEnd) => void;
  readonly #sink: SourceSink;
  readonly #onKeyFrame: () => void;
  readonly #onPictureLost: () => void;
  #video: Track | undefined;
  #audio: Track | undefined;
  #parameterSets: Uint8Array = new Uint8Array(0);
  /** Where the last sound frame ends; NaN where what follows has nothing to do with it. */
  #soundEndUs = Number.NaN;
  /** When sessions began, in the last minute. */
  #beganMs: number[] = [];
  #isOver = false;

  constructor(deps: {
    readonly clock: Pick<Clock, 'monotonicMs'>;
    readonly sink: SourceSink;
    readonly onKeyFrame: () => void;
    readonly onPictureLost: () => void;
    /** Nothing more is passed on. */
    readonly onFault: (end: SourceEnd) => void;
  }) {
    this.#clock = deps.clock;
    this.#onFault = deps.onFault;
    this.#sink = deps.sink;
    this.#onKeyFrame = deps.onKeyFrame;
    this.#onPictureLost = deps.onPictureLost;
  }

  session(tracks: readonly Track[], reason: SessionReason): void {
    if (this.#isOver) return;
    const nowMs = this.#clock.monotonicMs();
    this.#beganMs = this.#beganMs.filter((beganMs) => beganMs > nowMs - 60_000);
    this.#beganMs.push(nowMs);
    if (this.#beganMs.length > receiveLimits.sessionsPerMinuteMax) {
      this.#isOver = true;
      this.#onFault(restless);
      return;
    }
    this.#video = tracks.find((track) => track.kind === 'video');
    this.#audio = tracks.find((track) => track.kind === 'audio');
    this.#parameterSets = this.#video === undefined ? new Uint8Array(0) : joinNals(parameterSetsOf(this.#video));
    this.#soundEndUs = Number.NaN;
    this.#sink.session(tracks, reason);
  }

  unit(unit: AccessUnit): void {
    if (this.#isOver) return;
    if (unit.trackNumber === this.#audio?.number) this.#sound(unit, this.#audio);
    else this.#picture(unit);
  }

  loss(loss: { readonly trackNumber: number; readonly packets: number }): void {
    if (loss.trackNumber === this.#video?.number) this.#onPictureLost();
    this.#sink.loss(loss);
  }

  clock(clock: { readonly offsetMs: number; readonly driftPpm: number | undefined }): void {
    this.#sink.clock(clock);
  }

  warning(text: string): void {
    this.#sink.warning?.(text);
  }

  #picture(unit: AccessUnit): void {
    if (!unit.isKey) {
      this.#sink.unit(unit);
      return;
    }
    this.#onKeyFrame();
    const bytes = hasParameterSets(unit.bytes) ? unit.bytes : Buffer.concat([this.#parameterSets, unit.bytes]);
    this.#sink.unit({ ...unit, bytes });
  }

  #sound(unit: AccessUnit, track: Track): void {
    const { presentationTimeUs, isAfterLoss } = unit;
    const pauseUs = presentationTimeUs - this.#soundEndUs;
    if (!isAfterLoss && pauseUs >= silentFrameUs && pauseUs <= receiveLimits.silenceMsMax * 1_000) {
      for (let atUs = this.#soundEndUs; atUs + silentFrameUs <= presentationTimeUs; atUs += silentFrameUs) {
        const aheadMs = (presentationTimeUs - atUs) / 1_000;
        const producerTimestampMs =
          unit.producerTimestampMs === undefined ? undefined : unit.producerTimestampMs - aheadMs;
        this.#sink.unit({ ...unit, presentationTimeUs: atUs, producerTimestampMs, bytes: silentFrame });
      }
    }
    this.#soundEndUs = presentationTimeUs + durationUs(track, unit.bytes);
    this.#sink.unit(unit);
  }
}

function hasParameterSets(picture: Uint8Array): boolean {
  let has = false;
  forEachNal(picture, (bytes, begin) => {
    has = h264NalType(bytes[begin] ?? 0) === h264NalTypes.sps;
    return !has;
  });
  return has;
}

/** NaN of a packet that is none: what follows it is no pause. */
function durationUs(track: Track, bytes: Uint8Array): number {
  try {
    return audioFrameDurationUs(track, bytes);
  } catch (error) {
    if (isAppError(error)) return Number.NaN;
    throw error;
  }
}
