/**
 * One watched stream: one lane, parts cut once, and any number of viewers that share their bytes. The parts since the newest key
 * frame are kept, so that a viewer has a picture at once.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { LaneClient, LaneEvent } from '../../../storage/lane/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { readOpenCluster } from '../low-latency/open-cluster.ts';
import { clusterSamples } from '../media-samples.ts';
import { chooseTracks, type LeftOutTrack, type TrackChoice } from '../playable-tracks.ts';
import { liveSocketLimits } from './limits.ts';
import type { LiveMessage, TimePoint } from './messages.ts';
import { type LivePart, PartCutter } from './part-cutter.ts';
import { SessionLine } from './session-line.ts';

export type LiveBegin = {
  readonly message: Extract<LiveMessage, { readonly type: 'begin' }>;
  readonly init: Uint8Array;
};

export type FeedViewer = {
  /** Parts of it follow, the first of them one that decoders may begin with. */
  begin(begin: LiveBegin): void;
  part(part: LivePart): void;
  time(time: TimePoint): void;
  /** The camera sends nothing. */
  away(reason: string): void;
  /** What the camera sends cannot be played this way. */
  unplayable(leftOut: readonly LeftOutTrack[]): void;
  /** Nothing comes any more. */
  ended(): void;
};

export type LiveFeedDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly lane: Pick<LaneClient, 'subscribe'>;
  /** False when what is kept of all streams takes too much memory already. */
  readonly hasRoom: () => boolean;
};

type FeedUnit = {
  readonly trackNumber: number;
  readonly presentationTimeUs: number;
  readonly serverTimestampMs: number;
  readonly isKey: boolean;
  readonly bytes: Uint8Array;
};

type Join = NonNullable<Extract<LaneEvent, { kind: 'joined' }>['from']>;

/** Server times of one unit, in the journal and on the lane, differ by rounding and slewing. */
const sameUnitMs = 5;
const timecodeScaleNs = 1_000_000;

export class LiveFeed {
  readonly #deps: LiveFeedDeps;
  readonly #streamId: string;
  readonly #lifetime = new Lifetime();
  readonly #viewers = new Set<FeedViewer>();
  readonly #line = new SessionLine();
  /** Server time of the newest unit of each track. */
  readonly #newestMs = new Map<number, number>();
  #cutter: PartCutter | undefined;
  #tracks: Pick<TrackChoice, 'video' | 'audio'> = { video: undefined, audio: undefined };
  #leftOut: readonly LeftOutTrack[] = [];
  #begin: LiveBegin | undefined;
  #kept: LivePart[] | undefined;
  #keptBytes = 0;
  #away: string | undefined;
  #isUnplayable = false;
  #isOver = false;

  constructor(deps: LiveFeedDeps, options: { readonly streamId: string }) {
    this.#deps = deps;
    this.#streamId = options.streamId;
  }

  /** True when it will never deliver again. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get byteLength(): number {
    return this.#keptBytes;
  }

  start(): void {
    this.#lifetime.loop((signal) => this.#run(signal));
    const { timePeriodMs } = liveSocketLimits;
    this.#lifetime.defer(
      this.#deps.clock.every(timePeriodMs, () => {
        const { time } = this.#line;
        const away = this.#away;
        // Silence means a broken connection to viewers: while the camera is away they are told again.
        if (away !== undefined) this.#each((viewer) => viewer.away(away));
        else if (time !== undefined && this.#begin !== undefined) this.#each((viewer) => viewer.time(time));
      }),
    );
  }

  async close(): Promise<void> {
    this.#end();
    await this.#lifetime.close();
  }

  /** Begins with what is kept, in this very call, and goes on live. Returns how to leave. */
  join(viewer: FeedViewer): () => void {
    if (this.#isOver) {
      viewer.ended();
      return () => {};
    }
    this.#viewers.add(viewer);
    if (this.#isUnplayable) viewer.unplayable(this.#leftOut);
    if (this.#begin !== undefined) viewer.begin(this.#begin);
    for (const part of this.#kept ?? []) viewer.part(part);
    if (this.#away !== undefined) viewer.away(this.#away);
    return () => this.#viewers.delete(viewer);
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      const events = this.#deps.lane.subscribe(this.#streamId, {
        onOverflow: 'drop-to-key-frame',
        bytesMax: liveSocketLimits.laneBytesMax,
        signal,
      });
      for await (const event of events) await this.#onEvent(event);
    } catch (error) {
      if (!signal.aborted) this.#deps.log.error('live feed failed', { streamId: this.#streamId, error });
    }
    this.#end();
  }

  async #onEvent(event: LaneEvent): Promise<void> {
    switch (event.kind) {
      case 'joined':
        if (event.tracks.length === 0) return this.#goAway('not-live');
        this.#session(event.tracks);
        if (event.from !== undefined) await this.#joinedIn(event.from, event.tracks);
        return;
      case 'session':
        return this.#session(event.tracks);
      case 'unit':
        return this.#unit(event.unit);
      case 'dropped':
        this.#deps.log.counted('units dropped before live viewers', event.units, { streamId: this.#streamId });
        return this.#cutAnew();
      case 'ended':
        return this.#goAway(event.reason);
    }
  }

  async #joinedIn(from: Join, tracks: readonly Track[]): Promise<void> {
    const cluster = await readOpenCluster(from);
    if (cluster === undefined) return;
    try {
      for (const unit of unitsOf(cluster, tracks, from)) {
        // After a lost connection to its owner the fragment is told again: what was sent is not sent twice.
        if (unit.serverTimestampMs <= (this.#newestMs.get(unit.trackNumber) ?? Number.NaN) + sameUnitMs) continue;
        this.#unit(unit);
      }
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#deps.log.counted('open fragment not readable for live viewers', 1, { streamId: this.#streamId, error });
    }
  }

  #session(tracks: readonly Track[]): void {
    const { video, audio, leftOut } = chooseTracks(tracks);
    this.#away = undefined;
    this.#leftOut = leftOut;
    this.#line.newSession();
    this.#tracks = { video, audio };
    this.#cutAnew();
  }

  /** The next key frame begins anew, with an initialization: nothing of before is continued. */
  #cutAnew(): void {
    this.#forgetKept();
    this.#begin = undefined;
    this.#cutter = undefined;
    const { video, audio } = this.#tracks;
    try {
      if (video !== undefined || audio !== undefined) this.#cutter = new PartCutter({ video, audio });
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#deps.log.counted('streams not playable for live viewers', 1, { streamId: this.#streamId, error });
    }
    this.#isUnplayable = this.#cutter === undefined;
    if (this.#isUnplayable) this.#each((viewer) => viewer.unplayable(this.#leftOut));
  }

  #unit(unit: FeedUnit): void {
    const { trackNumber, isKey, bytes, serverTimestampMs } = unit;
    const cutter = this.#cutter;
    const isOurs = trackNumber === this.#tracks.video?.number || trackNumber === this.#tracks.audio?.number;
    if (cutter === undefined || !isOurs) return;
    const positionUs = this.#line.positionUs(unit);
    this.#newestMs.set(trackNumber, Math.max(this.#newestMs.get(trackNumber) ?? 0, serverTimestampMs));
    try {
      const part = cutter.unit({ trackNumber, positionUs, isKey, bytes });
      if (part !== undefined) this.#deliver(cutter, part);
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#deps.log.counted('units left out for live viewers', 1, { streamId: this.#streamId, error });
    }
  }

  #deliver(cutter: PartCutter, part: LivePart): void {
    if (this.#begin === undefined) {
      const begin = this.#beginOf(cutter);
      this.#begin = begin;
      this.#each((viewer) => viewer.begin(begin));
    }
    this.#keep(part);
    this.#each((viewer) => viewer.part(part));
  }

  #keep(part: LivePart): void {
    if (part.isStart) {
      this.#kept = [];
      this.#keptBytes = 0;
    }
    if (this.#kept === undefined) return;
    this.#kept.push(part);
    this.#keptBytes += part.bytes.length;
    const { keptBytesMax, keptPartsMax } = liveSocketLimits;
    const isTooMuch = this.#keptBytes > keptBytesMax || this.#kept.length > keptPartsMax || !this.#deps.hasRoom();
    if (isTooMuch) this.#forgetKept();
  }

  #beginOf({ mime, init }: PartCutter): LiveBegin {
    const { video, audio } = this.#tracks;
    return {
      init,
      message: {
        type: 'begin',
        mime,
        video: video?.video === undefined ? null : { codec: video.codec, ...video.video },
        audio: audio?.audio === undefined ? null : { codec: audio.codec, ...audio.audio },
        leftOut: this.#leftOut,
        time: this.#line.time ?? { positionMs: 0, serverTimestampMs: this.#deps.clock.wallMs() },
      },
    };
  }

  #forgetKept(): void {
    this.#kept = undefined;
    this.#keptBytes = 0;
  }

  /** The camera, or the process that owns it, is away. */
  #goAway(reason: string): void {
    this.#forgetKept();
    this.#begin = undefined;
    this.#cutter = undefined;
    this.#isUnplayable = false;
    this.#away = reason;
    this.#each((viewer) => viewer.away(reason));
  }

  #end(): void {
    this.#isOver = true;
    this.#forgetKept();
    const viewers = [...this.#viewers];
    this.#viewers.clear();
    for (const viewer of viewers) viewer.ended();
  }

  #each(tell: (viewer: FeedViewer) => void): void {
    for (const viewer of [...this.#viewers]) tell(viewer);
  }
}

/** Units of an open fragment on the session's timeline, in the order of their times, pictures in theirs. */
function unitsOf(cluster: Uint8Array, tracks: readonly Track[], from: Join): FeedUnit[] {
  const byTrack = clusterSamples(cluster, { tracks, timecodeScaleNs });
  const beginUs = Math.min(
    ...[...byTrack.values()].map((samples) => samples[0]?.presentationTimeUs ?? Number.POSITIVE_INFINITY),
  );
  return [...byTrack]
    .flatMap(([trackNumber, samples]) => {
      // Pictures stand where the latest time so far is: those shown earlier than one before them stay behind it.
      let atUs = Number.NEGATIVE_INFINITY;
      return samples.map(({ presentationTimeUs, isKey, bytes }) => {
        atUs = Math.max(atUs, presentationTimeUs);
        const serverTimestampMs = from.serverTimestampMs + (atUs - beginUs) / 1000;
        const facts = { trackNumber, isKey, bytes, serverTimestampMs };
        return { atUs, unit: { ...facts, presentationTimeUs: presentationTimeUs + from.sessionOffsetUs } };
      });
    })
    .sort((one, other) => one.atUs - other.atUs)
    .map(({ unit }) => unit);
}
