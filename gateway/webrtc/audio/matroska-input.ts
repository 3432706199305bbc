/**
 * Coded sound for ffmpeg's standard input: Matroska, since its blocks are whole frames with their times, and its head says of any
 * codec what a decoder has to know. (Of ADTS, read without probing, the first frame's time is told twice or no times at all.) Pure.
 */

import {
  audioClockHz,
  audioFrameCounter,
  clusterHead,
  matroskaHead,
  simpleBlockHeadBytesMax,
  writeSimpleBlockHead,
} from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';

/** Times count so: finer than a decoder cares for, so that rounding looks like no hole. */
const unitUs = 100;
/** What a block's own 16 bits can count to is 3.2 s. */
const clusterUnitsMax = 20_000;
/** Nobody reads it. */
const segmentUid = new Uint8Array(16).fill(1);

export class MatroskaInput {
  readonly #track: Track;
  readonly #samplesOf: (frame: Uint8Array) => number;
  readonly #clockHz: number;
  #samples = 0;
  #clusterUnits: number | undefined;

  /** @throws AppError invalid_argument  the codec's frames do not tell how long they are */
  constructor(track: Track) {
    this.#track = track;
    this.#samplesOf = audioFrameCounter(track);
    this.#clockHz = audioClockHz(track);
  }

  head(): Uint8Array {
    return matroskaHead({ segmentUid, tracks: [this.#track], timecodeScaleNs: unitUs * 1_000 });
  }

  /**
   * The next frame as a block, which begins where the one before it ended.
   * @throws AppError data_loss  it is no valid one: as if it had not come
   */
  block(frame: Uint8Array): { readonly block: Uint8Array; readonly durationUs: number } {
    const samples = this.#samplesOf(frame);
    const units = Math.round((this.#samples * 1_000_000) / this.#clockHz / unitUs);
    const isNewCluster = this.#clusterUnits === undefined || units - this.#clusterUnits > clusterUnitsMax;
    const cluster = isNewCluster ? clusterHead(units) : new Uint8Array(0);
    if (isNewCluster) this.#clusterUnits = units;
    const block = new Uint8Array(cluster.length + simpleBlockHeadBytesMax + frame.length);
    block.set(cluster);
    const written = writeSimpleBlockHead(block, cluster.length, {
      trackNumber: this.#track.number,
      relativeMs: units - (this.#clusterUnits ?? units),
      isKey: true,
      payloadBytes: frame.length,
    });
    const payloadAt = cluster.length + written;
    block.set(frame, payloadAt);
    this.#samples += samples;
    return { block: block.subarray(0, payloadAt + frame.length), durationUs: (samples * 1_000_000) / this.#clockHz };
  }
}
