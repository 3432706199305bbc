/** A reader of a live feed: what it does not take in time is dropped up to the next key frame, never kept without bound. */

import type { FeedReader, FeedTrack, FeedUnit } from '../../rtp/index.ts';
import { rtspServerLimits } from '../limits.ts';
import type { ReaderOutput } from './output.ts';

export class LiveReader implements FeedReader {
  readonly tracks: ReadonlySet<FeedTrack>;
  readonly #output: ReaderOutput;
  readonly #onEnded: (why: string) => void;
  readonly #onDropped: () => void;
  readonly #hasVideo: boolean;
  #waitsForStart: boolean;
  #hasBegun = false;
  #isBehind = false;

  constructor(deps: {
    readonly tracks: ReadonlySet<FeedTrack>;
    readonly output: ReaderOutput;
    readonly onEnded: (why: string) => void;
    readonly onDropped: () => void;
  }) {
    this.tracks = deps.tracks;
    this.#output = deps.output;
    this.#onEnded = deps.onEnded;
    this.#onDropped = deps.onDropped;
    // A reader of sound alone never sees the start of a picture.
    this.#hasVideo = [...deps.tracks].some((track) => track.format.kind === 'video');
    this.#waitsForStart = this.#hasVideo;
  }

  unit(unit: FeedUnit): void {
    const { queuedBytes } = this.#output;
    if (!this.#isBehind && queuedBytes > rtspServerLimits.readerBytesMax) {
      this.#isBehind = true;
      this.#waitsForStart = this.#hasVideo;
    }
    this.#isBehind &&= queuedBytes > rtspServerLimits.readerBytesMax / 2;
    if (this.#isBehind || (this.#waitsForStart && !unit.isStart)) {
      // Before the first key frame nothing was promised.
      if (this.#hasBegun) this.#onDropped();
      return;
    }
    this.#waitsForStart = false;
    this.#hasBegun = true;
    const { track, burst } = unit;
    this.#output.send(track.format.track.number, burst, unit.wallMs());
  }

  ended(why: string): void {
    this.#onEnded(why);
  }
}
