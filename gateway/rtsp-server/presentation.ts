/** What a URL shows: a live stream, or a recorded one from a moment on, with the tracks that RTP can carry. */

import { must } from '../../storage/base/assert.ts';
import type { Clock } from '../../storage/base/clock.ts';
import type { Log } from '../../storage/base/log.ts';
import type { FragmentSource } from '../playback/index.ts';
import {
  type FeedLease,
  type FeedTrack,
  type LiveFeeds,
  type RtpFormat,
  RtpPacketiser,
  rtpFormatsOf,
  TrackClock,
} from '../rtp/index.ts';
import { rtspServerLimits } from './limits.ts';
import { firstRecorded, type RecordedSpan, whyNothing } from './play/recorded-fragments.ts';
import type { RecordedBytes, RecordedTrack } from './play/recorded-player.ts';
import { refusal } from './wire/answer.ts';

export type MediaDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly feeds: LiveFeeds;
  readonly source: FragmentSource;
  readonly recordedBytes: RecordedBytes;
};

/** A track of a presentation: for recorded media always, for live media as soon as a reader goes back in time. */
type PresentedTrack = {
  readonly format: RtpFormat;
  readonly feedTrack: FeedTrack | undefined;
  recorded: RecordedTrack | undefined;
};

export class Presentation {
  readonly streamId: string;
  readonly name: string;
  readonly formats: readonly RtpFormat[];
  /** Undefined: live. */
  readonly recorded: RecordedSpan | undefined;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #lease: FeedLease | undefined;
  readonly #tracks: ReadonlyMap<number, PresentedTrack>;

  private constructor(
    facts: { readonly streamId: string; readonly name: string; readonly recorded: RecordedSpan | undefined },
    parts: {
      readonly random: (bytes: number) => Uint8Array;
      readonly lease: FeedLease | undefined;
      readonly tracks: readonly Omit<PresentedTrack, 'recorded'>[];
    },
  ) {
    this.streamId = facts.streamId;
    this.name = facts.name;
    this.recorded = facts.recorded;
    this.#random = parts.random;
    this.#lease = parts.lease;
    this.formats = parts.tracks.map(({ format }) => format);
    this.#tracks = new Map(parts.tracks.map((track) => [track.format.track.number, { ...track, recorded: undefined }]));
  }

  /**
   * @param span  of recorded media; undefined is live
   * @throws AppError unavailable  the camera is not live
   * @throws AppError not_found    nothing was recorded in the span, or nothing that RTP can carry
   */
  static async open(
    deps: MediaDeps,
    stream: { readonly streamId: string; readonly name: string },
    span: RecordedSpan | undefined,
  ): Promise<Presentation> {
    const { random } = deps;
    if (span === undefined) {
      const lease = deps.feeds.lease(stream.streamId);
      try {
        const feedTracks = await lease.feed.described(rtspServerLimits.describeWaitMs);
        const tracks = feedTracks.map((feedTrack) => ({ format: feedTrack.format, feedTrack }));
        return new Presentation({ ...stream, recorded: undefined }, { random, lease, tracks });
      } catch (error) {
        lease.release();
        throw error;
      }
    }
    const first = await firstRecorded(deps.source, stream.streamId, span);
    const formats = first === undefined ? [] : rtpFormatsOf(first.segment.tracks);
    if (formats.length === 0) throw refusal(404, 'not_found', whyNothing(deps.source, stream.streamId, span));
    const tracks = formats.map((format) => ({ format, feedTrack: undefined }));
    return new Presentation({ ...stream, recorded: span }, { random, lease: undefined, tracks });
  }

  close(): void {
    this.#lease?.release();
  }

  /** The feed of a live one. */
  get feed() {
    return this.#lease?.feed;
  }

  has(trackNumber: number): boolean {
    return this.#tracks.has(trackNumber);
  }

  /** The even channel that packets of a track are made for. */
  channelOf(trackNumber: number): number {
    return 2 * this.formats.findIndex((format) => format.track.number === trackNumber);
  }

  feedTrackOf(trackNumber: number): FeedTrack | undefined {
    return this.#tracks.get(trackNumber)?.feedTrack;
  }

  ssrcOf(trackNumber: number): number {
    return this.feedTrackOf(trackNumber)?.packetiser.ssrc ?? this.recordedTrackOf(trackNumber).packetiser.ssrc;
  }

  /** Made once, so that numbers go on from one PLAY to the next; by the source that the live track has, if there is one. */
  recordedTrackOf(trackNumber: number): RecordedTrack {
    const track = must(this.#tracks.get(trackNumber), 'the track was set up');
    if (track.recorded !== undefined) return track.recorded;
    const random = Buffer.from(this.#random(10));
    const live = track.feedTrack?.packetiser;
    const packetiser = new RtpPacketiser(track.format, {
      ...rtspServerLimits.feeds.packets,
      channel: this.channelOf(trackNumber),
      ssrc: live?.ssrc ?? random.readUInt32BE(0),
      firstSequence: live?.nextSequence ?? random.readUInt16BE(4),
    });
    track.recorded = { packetiser, clock: new TrackClock(track.format, { firstTime: random.readUInt32BE(6) }) };
    return track.recorded;
  }
}
