/** Positions on a stream's timeline to RTP time. Sound goes by its own samples, since stored times are rounded to milliseconds. Pure. */

import { audioFrameCounter } from '../../storage/media/index.ts';
import type { RtpFormat } from './format.ts';

const rtpTimeModulus = 2 ** 32;
/** Sound is off by more than this: it jumped, and so do we. */
const jumpSeconds = 0.1;
/** Below it a sixteenth of the error is taken back with each frame: rounding disappears, a camera's drift is followed. */
const followShare = 1 / 16;

export class TrackClock {
  readonly #clockHz: number;
  readonly #firstTime: number;
  readonly #samplesOf: ((frame: Uint8Array) => number) | undefined;
  #nextTicks: number | undefined;

  /** @param options.firstTime  RTP time of position 0, 0 .. 2^32 - 1, random */
  constructor(format: RtpFormat, options: { readonly firstTime: number }) {
    this.#clockHz = format.clockHz;
    this.#firstTime = options.firstTime;
    this.#samplesOf = format.kind === 'audio' ? audioFrameCounter(format.track) : undefined;
  }

  /**
   * RTP time of the next unit in order.
   *
   * @param positionUs  microseconds on the stream's timeline
   * @param frame       of sound, to know how long it lasts
   * @throws AppError data_loss  the frame is no valid one
   */
  next(positionUs: number, frame: Uint8Array): number {
    const told = (positionUs * this.#clockHz) / 1_000_000;
    if (this.#samplesOf === undefined) return this.#toRtp(told);
    const samples = this.#samplesOf(frame);
    const expected = this.#nextTicks ?? told;
    const error = told - expected;
    const ticks = Math.abs(error) > jumpSeconds * this.#clockHz ? told : expected + error * followShare;
    this.#nextTicks = ticks + samples;
    return this.#toRtp(ticks);
  }

  /** RTP time of a position, whatever was sent before. */
  at(positionUs: number): number {
    return this.#toRtp((positionUs * this.#clockHz) / 1_000_000);
  }

  #toRtp(ticks: number): number {
    const time = (this.#firstTime + Math.round(ticks)) % rtpTimeModulus;
    return time < 0 ? time + rtpTimeModulus : time;
  }
}
