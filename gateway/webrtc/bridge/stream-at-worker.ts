/**
 * The producers of one stream on one worker. Sound has one for all viewers. Pictures have several: a viewer who comes in the middle
 * of a GOP gets one of his own that begins with the kept part of it, since a producer's other viewers must not see that again.
 * Where there are too many, or the next key frame is near, he joins another's and waits for it.
 */

import type { types } from 'mediasoup';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { FeedTrack, LiveFeed } from '../../rtp/index.ts';
import { bridgeLimits } from './limits.ts';
import { Line } from './line.ts';
import { producerOptionsOf } from './producer-parameters.ts';
import { RtpPipe } from './rtp-pipe.ts';
import { RtpSender } from './sender.ts';
import type { StreamTimes } from './stream-times.ts';
import type { BridgeWorker } from './watched.ts';

/** A viewer's part in a line. */
export type Seat = { readonly producer: types.Producer; begin(): void; leave(): void };

export type StreamAtWorkerDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly feed: LiveFeed;
  readonly times: StreamTimes;
  readonly worker: BridgeWorker;
  /** Takes one of the places that all streams share. @throws AppError resource_exhausted */
  readonly takePlace: () => () => void;
};

type OpenLine = {
  readonly line: Line;
  readonly pipe: RtpPipe;
  readonly started: Promise<void>;
  readonly onEnded: Set<(why: string) => void>;
  readonly givePlace: () => void;
};

export class StreamAtWorker {
  readonly #deps: StreamAtWorkerDeps;
  readonly #streamId: string;
  readonly #lines = new Set<OpenLine>();
  readonly #unlisten: () => void;

  constructor(deps: StreamAtWorkerDeps, { streamId }: { readonly streamId: string }) {
    this.#deps = deps;
    this.#streamId = streamId;
    this.#unlisten = deps.worker.onDied(() => this.#endAll('the WebRTC worker died'));
  }

  /** Open lines, and viewers in them. */
  get figures(): { readonly lines: number; readonly seats: number } {
    return { lines: this.#lines.size, seats: [...this.#lines].reduce((sum, { onEnded }) => sum + onEnded.size, 0) };
  }

  /**
   * A place in a line of this track.
   *
   * @param onEnded  called once when the line ends by itself
   * @throws AppError unavailable         the worker died
   * @throws AppError resource_exhausted  too many lines are open, and none is of this track
   */
  async seat(track: FeedTrack, onEnded: (why: string) => void): Promise<Seat> {
    const open = this.#choose(track);
    open.onEnded.add(onEnded);
    const leave = () => {
      if (open.onEnded.delete(onEnded) && open.onEnded.size === 0) this.#close(open);
    };
    try {
      await open.started;
      return { producer: open.pipe.producer, begin: () => open.line.begin(), leave };
    } catch (error) {
      leave();
      throw error;
    }
  }

  close(): void {
    this.#unlisten();
    this.#endAll('closed');
  }

  #choose(track: FeedTrack): OpenLine {
    const mates = [...this.#lines].filter(({ line }) => line.track === track);
    const fullest = mates.toSorted((a, b) => b.onEnded.size - a.onEnded.size)[0];
    if (fullest !== undefined && (this.#isOneEnough(track) || mates.length >= bridgeLimits.cohortsMax)) return fullest;
    let givePlace: () => void;
    try {
      givePlace = this.#deps.takePlace();
    } catch (error) {
      if (fullest !== undefined) return fullest;
      throw error;
    }
    return this.#open(track, givePlace);
  }

  #isOneEnough(track: FeedTrack): boolean {
    if (track.format.kind === 'audio') return true;
    const { times, clock } = this.#deps;
    const untilKeyMs = times.untilKeyMs(clock.monotonicMs());
    return untilKeyMs !== undefined && untilKeyMs >= 0 && untilKeyMs < bridgeLimits.nearKeyMs;
  }

  #open(track: FeedTrack, givePlace: () => void): OpenLine {
    const { clock, log, random, feed, times, worker } = this.#deps;
    const numbers = Buffer.from(random(6));
    const sender = new RtpSender({ ssrc: numbers.readUInt32BE(0), firstSequence: numbers.readUInt16BE(4) });
    const options = producerOptionsOf(track.format, sender.ssrc);
    if (options === undefined) {
      givePlace();
      throw appError('failed_precondition', `browsers do not play ${track.format.map} by WebRTC`);
    }
    const pipe = new RtpPipe({ clock, worker }, options);
    const onEnded = new Set<(why: string) => void>();
    const line = new Line(
      { clock, log, feed, times, pipe, sender, onEnded: (why) => this.#end(open, why) },
      { track, isLead: feed.tracks[0] === track, streamId: this.#streamId },
    );
    const open: OpenLine = { line, pipe, started: pipe.start(), onEnded, givePlace };
    open.started.catch(() => {});
    this.#lines.add(open);
    return open;
  }

  #end(open: OpenLine, why: string): void {
    const callbacks = [...open.onEnded];
    open.onEnded.clear();
    this.#close(open);
    for (const callback of callbacks) callback(why);
  }

  #endAll(why: string): void {
    for (const open of [...this.#lines]) this.#end(open, why);
  }

  #close(open: OpenLine): void {
    if (!this.#lines.delete(open)) return;
    open.line.close();
    open.pipe.close();
    open.givePlace();
  }
}
