/**
 * Streams of cameras as producers of mediasoup, while somebody watches.
 *
 *   lane -> PlayableLane -> LiveFeed (packets made once, kept GOP) -> Line (own heads, own times) -> RtpPipe -> worker
 *
 * Nothing of it exists for a stream that nobody watches, but for a few seconds after the last viewer.
 */

import { fractionOf } from '../../../storage/base/chance.ts';
import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, appError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { LaneClient } from '../../../storage/lane/index.ts';
import { LiveFeeds } from '../../rtp/index.ts';
import { bridgeLimits } from './limits.ts';
import { PlayableLane, type PlayableLaneDeps } from './playable-lane.ts';
import type { StreamBridges, Watched, WatchOptions } from './watched.ts';
import { WatchedStream } from './watched-stream.ts';

export type BridgesDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** For sources, numbers and times of RTP. */
  readonly random: (bytes: number) => Uint8Array;
  /** Lanes of the process that owns a stream. */
  readonly laneOf: (streamId: string) => Pick<LaneClient, 'subscribe'>;
  /** The places that all conversions of video share. */
  readonly conversions: PlayableLaneDeps['conversions'];
  /** Path of the ffmpeg program. */
  readonly ffmpeg: string;
};

/** What is open now. */
export type BridgesFigures = {
  /** Streams with a lane: watched ones, and those that were watched a moment ago. */
  readonly streams: number;
  readonly viewers: number;
  /** Producers, each with a socket of its own. */
  readonly lines: number;
  readonly children: number;
};

export class Bridges implements StreamBridges {
  readonly #deps: BridgesDeps;
  readonly #feeds: LiveFeeds;
  readonly #lanes = new Map<string, PlayableLane>();
  readonly #watched = new Map<string, WatchedStream>();
  #lines = 0;
  #isClosed = false;

  constructor(deps: BridgesDeps) {
    this.#deps = deps;
    const { clock, log, random } = deps;
    const laneOf = (streamId: string) => this.#openLane(streamId);
    this.#feeds = new LiveFeeds({ clock, log, random, laneOf }, { limits: bridgeLimits.feeds });
  }

  get figures(): BridgesFigures {
    const watched = [...this.#watched.values()].map(({ figures }) => figures);
    return {
      streams: this.#feeds.size,
      viewers: watched.reduce((sum, { viewers }) => sum + viewers, 0),
      lines: this.#lines,
      children: [...this.#lanes.values()].reduce((sum, { children }) => sum + children, 0),
    };
  }

  async watch(streamId: string, options: WatchOptions): Promise<Watched> {
    if (this.#isClosed) throw appError('unavailable', 'live view by WebRTC is closed');
    return this.#streamOf(streamId).watch(options);
  }

  /** Ends all viewers; resolves when all children are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const stream of [...this.#watched.values()]) stream.end('live view by WebRTC is closed');
    await this.#feeds.close();
  }

  #streamOf(streamId: string): WatchedStream {
    const known = this.#watched.get(streamId);
    if (known !== undefined && !known.isOver) return known;
    const { clock, log, random } = this.#deps;
    const lease = this.#feeds.lease(streamId);
    const stream: WatchedStream = new WatchedStream(
      {
        ...{ clock, log, random, lease },
        lane: () => this.#lanes.get(streamId),
        takePlace: () => this.#takePlace(),
        onEmpty: () => {
          if (this.#watched.get(streamId) === stream) this.#watched.delete(streamId);
        },
      },
      { streamId },
    );
    this.#watched.set(streamId, stream);
    return stream;
  }

  #openLane(streamId: string): PlayableLane {
    const { clock, log, random, conversions, ffmpeg, laneOf } = this.#deps;
    const lane: PlayableLane = new PlayableLane(
      {
        ...{ clock, log, conversions, ffmpeg },
        random: fractionOf(random),
        lane: laneOf(streamId),
        viewers: () => this.#watched.get(streamId)?.names ?? [],
        onTrouble: (error: AppError) => this.#watched.get(streamId)?.fail(error),
        onClosed: () => {
          if (this.#lanes.get(streamId) === lane) this.#lanes.delete(streamId);
        },
      },
      { streamId },
    );
    this.#lanes.set(streamId, lane);
    return lane;
  }

  #takePlace(): () => void {
    if (this.#lines >= bridgeLimits.linesMax) {
      throw appError('resource_exhausted', 'too much is watched by WebRTC at once', {
        linesMax: bridgeLimits.linesMax,
        hint: 'play it by HLS, or close other live views',
      });
    }
    this.#lines++;
    let isHeld = true;
    return () => {
      if (isHeld) this.#lines--;
      isHeld = false;
    };
  }
}
