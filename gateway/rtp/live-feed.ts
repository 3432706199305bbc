/**
 * One watched stream: one lane, packets made once, and any number of readers that share their bytes. The newest GOP is kept,
 * so that a reader begins with a picture at once. RTP time follows the source's own time; where the source begins anew it goes
 * on by as much as really passed.
 */

import type { Clock } from '../../storage/base/clock.ts';
import { appError, isAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { LaneClient, LaneEvent } from '../../storage/lane/index.ts';
import type { Track } from '../../storage/model/track.ts';
import type { RtpBurst } from './burst-writer.ts';
import { readJoin, unitsOf } from './cluster-units.ts';
import { isSameFormat, type RtpFormat, rtpFormatsOf } from './format.ts';
import { type PacketForm, RtpPacketiser } from './packetiser.ts';
import { TrackClock } from './track-clock.ts';

/** A track of a feed. Another object for the same number means that readers of the old one cannot go on. */
export class FeedTrack {
  packetiser: RtpPacketiser;
  readonly clock: TrackClock;
  /** Server time of its newest unit. */
  lastServerMs = Number.NEGATIVE_INFINITY;

  constructor(packetiser: RtpPacketiser, clock: TrackClock) {
    this.packetiser = packetiser;
    this.clock = clock;
  }

  get format(): RtpFormat {
    return this.packetiser.format;
  }
}

export type FeedUnit = {
  readonly track: FeedTrack;
  readonly burst: RtpBurst;
  /** Decoders may begin here. */
  readonly isStart: boolean;
  /** On the feed's timeline, which all tracks share and which goes on across sessions, microseconds. */
  readonly positionUs: number;
  /** Our time of it. */
  readonly serverTimestampMs: number;
  /** The source's time where it tells one, else ours. */
  readonly wallMs: () => number;
};

export type FeedReader = {
  /** What it plays. */
  readonly tracks: ReadonlySet<FeedTrack>;
  unit(unit: FeedUnit): void;
  /** No more units come. */
  ended(why: string): void;
};

/** Bounds of a feed, chosen by whom it is for. */
export type FeedLimits = {
  readonly packets: PacketForm;
  /** The lane behind it. */
  readonly laneBytesMax: number;
  /** The GOP that a new reader begins with. A larger one is not kept: readers wait for its end. */
  readonly keptBytesMax: number;
  readonly keptUnitsMax: number;
  /** Readers wait so long for a camera that went away before they are told that it is over. */
  readonly sourceAwayMs: number;
};

type RawUnit = {
  readonly trackNumber: number;
  readonly presentationTimeUs: number;
  readonly serverTimestampMs: number;
  readonly producerTimestampMs: number | undefined;
  readonly isKey: boolean;
  readonly bytes: Uint8Array;
};

/** The first unit after a source began anew is at least this much later than the last one before. */
const stepUsMin = 1_000;
/** Server times of one unit, in the journal and in the lane, differ by rounding and slewing. */
const sameUnitMs = 5;
const codecChanged = 'the camera sends another codec now';

export class LiveFeed {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #lane: Pick<LaneClient, 'subscribe'>;
  readonly #streamId: string;
  readonly #limits: FeedLimits;
  readonly #lifetime = new Lifetime();
  readonly #readers = new Set<FeedReader>();
  readonly #waiting = new Set<() => void>();
  readonly #tracks = new Map<number, FeedTrack>();
  /** Numbers in `#tracks` that the session has now, video first. */
  #current: readonly number[] = [];
  #kept: FeedUnit[] | undefined;
  #keptBytes = 0;
  /** Added to a session's time: position on the feed's timeline. Undefined at the beginning of a session. */
  #shiftUs: number | undefined;
  #last: { positionUs: number; serverMs: number } | undefined;
  /** Source's wall time less its session's time, once it was told. */
  #producerOffset: { ms: number | undefined } = { ms: undefined };
  #cancelAway: (() => void) | undefined;
  #isOver = false;

  constructor(
    deps: {
      readonly clock: Clock;
      readonly log: Log;
      readonly random: (bytes: number) => Uint8Array;
      readonly lane: Pick<LaneClient, 'subscribe'>;
    },
    options: { readonly streamId: string; readonly limits: FeedLimits },
  ) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#random = deps.random;
    this.#lane = deps.lane;
    this.#streamId = options.streamId;
    this.#limits = options.limits;
  }

  /** True when it will never deliver again. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What the source sends now, video first. */
  get tracks(): readonly FeedTrack[] {
    return this.#current.map((number) => this.#tracks.get(number)).filter((track) => track !== undefined);
  }

  start(): void {
    this.#lifetime.loop((signal) => this.#run(signal));
  }

  async close(): Promise<void> {
    this.#end('closed');
    await this.#lifetime.close();
  }

  /**
   * Waits until the source says what it sends.
   *
   * @throws AppError unavailable  it does not within `timeoutMs`, or sends nothing that RTP can carry
   */
  async described(timeoutMs: number): Promise<readonly FeedTrack[]> {
    if (this.#current.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        const done = () => {
          cancel();
          this.#waiting.delete(done);
          resolve();
        };
        const cancel = this.#clock.after(timeoutMs, done);
        this.#waiting.add(done);
      });
    }
    if (this.#current.length > 0) return this.tracks;
    throw appError('unavailable', 'the camera is not live', { streamId: this.#streamId });
  }

  /** The unit of a track that a reader who joins now gets first; undefined when it must wait for the next key frame. */
  firstOf(track: FeedTrack): FeedUnit | undefined {
    return this.#kept?.find((unit) => unit.track === track);
  }

  /** Begins with the kept GOP, in this very call, and goes on live. Returns how to leave. */
  join(reader: FeedReader): () => void {
    const valid = new Set(this.#tracks.values());
    if (this.#isOver || ![...reader.tracks].every((track) => valid.has(track))) {
      reader.ended(this.#isOver ? 'the stream is no more' : codecChanged);
      return () => {};
    }
    for (const unit of this.#kept ?? []) if (reader.tracks.has(unit.track)) reader.unit(unit);
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      const events = this.#lane.subscribe(this.#streamId, {
        onOverflow: 'drop-to-key-frame',
        bytesMax: this.#limits.laneBytesMax,
        signal,
      });
      for await (const event of events) await this.#onEvent(event);
      if (!signal.aborted) this.#end('the stream is no more');
    } catch (error) {
      if (signal.aborted) return;
      this.#log.error('live feed failed', { streamId: this.#streamId, error });
      this.#end('failed');
    }
  }

  async #onEvent(event: LaneEvent): Promise<void> {
    switch (event.kind) {
      case 'joined': {
        if (event.tracks.length === 0) {
          this.#away();
          return;
        }
        this.#session(event.tracks);
        if (event.from !== undefined) await this.#joinedIn(event.from, event.tracks);
        return;
      }
      case 'session':
        this.#session(event.tracks);
        return;
      case 'unit':
        this.#unit(event.unit);
        return;
      case 'dropped':
        this.#log.counted('units dropped before rtp readers', event.units, { streamId: this.#streamId });
        this.#forgetKept();
        return;
      case 'ended':
        this.#away();
        return;
    }
  }

  async #joinedIn(
    from: NonNullable<Extract<LaneEvent, { kind: 'joined' }>['from']>,
    tracks: readonly Track[],
  ): Promise<void> {
    const bytes = await readJoin(from);
    if (bytes === undefined) return;
    try {
      const units = unitsOf(bytes, tracks, 1_000_000);
      const beginMs = units[0]?.mediaMs ?? 0;
      for (const { trackNumber, mediaMs, isKey, bytes: unitBytes } of units) {
        const serverTimestampMs = from.serverTimestampMs + mediaMs - beginMs;
        // After a lost connection to its owner the fragment is told again: what was sent is not sent twice.
        if (serverTimestampMs <= (this.#tracks.get(trackNumber)?.lastServerMs ?? Number.NaN) + sameUnitMs) continue;
        const presentationTimeUs = mediaMs * 1000 + from.sessionOffsetUs;
        const facts = { trackNumber, presentationTimeUs, serverTimestampMs, producerTimestampMs: undefined };
        this.#unit({ ...facts, isKey, bytes: unitBytes });
      }
    } catch (error) {
      this.#log.counted('open fragment not readable for rtp readers', 1, { streamId: this.#streamId, error });
    }
  }

  #session(tracks: readonly Track[]): void {
    this.#cancelAway?.();
    this.#cancelAway = undefined;
    this.#shiftUs = undefined;
    this.#producerOffset = { ms: undefined };
    this.#forgetKept();
    const formats = rtpFormatsOf(tracks);
    for (const format of formats) {
      const { number } = format.track;
      const known = this.#tracks.get(number);
      if (known !== undefined && isSameFormat(known.format, format)) {
        known.packetiser = known.packetiser.withFormat(format);
      } else {
        this.#tracks.set(number, this.#newTrack(format, formats.indexOf(format)));
      }
    }
    this.#current = formats.map((format) => format.track.number);
    const valid = new Set(this.#tracks.values());
    for (const reader of [...this.#readers]) {
      if ([...reader.tracks].every((track) => valid.has(track))) continue;
      this.#readers.delete(reader);
      reader.ended(codecChanged);
    }
    this.#tellWaiting();
  }

  #newTrack(format: RtpFormat, index: number): FeedTrack {
    const random = Buffer.from(this.#random(10));
    const packetiser = new RtpPacketiser(format, {
      channel: 2 * index,
      ...this.#limits.packets,
      ssrc: random.readUInt32BE(0),
      firstSequence: random.readUInt16BE(4),
    });
    return new FeedTrack(packetiser, new TrackClock(format, { firstTime: random.readUInt32BE(6) }));
  }

  #unit(unit: RawUnit): void {
    const track = this.#tracks.get(unit.trackNumber);
    if (track === undefined || !this.#current.includes(unit.trackNumber)) return;
    const positionUs = this.#positionOf(unit);
    const { presentationTimeUs, serverTimestampMs, producerTimestampMs } = unit;
    const offset = this.#producerOffset;
    if (producerTimestampMs !== undefined) offset.ms = producerTimestampMs - presentationTimeUs / 1000;
    let burst: RtpBurst;
    try {
      burst = track.packetiser.burst(unit, track.clock.next(positionUs, unit.bytes));
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#log.counted('units left out: rtp cannot carry them', 1, { streamId: this.#streamId, error });
      return;
    }
    track.lastServerMs = Math.max(track.lastServerMs, serverTimestampMs);
    const wallMs = () => (offset.ms === undefined ? serverTimestampMs : offset.ms + presentationTimeUs / 1000);
    const isStart = unit.isKey && unit.trackNumber === this.#current[0];
    this.#deliver({ track, burst, isStart, positionUs, serverTimestampMs, wallMs });
  }

  #deliver(unit: FeedUnit): void {
    if (unit.isStart) {
      this.#kept = [];
      this.#keptBytes = 0;
    }
    if (this.#kept !== undefined) {
      this.#kept.push(unit);
      this.#keptBytes += unit.burst.bytes.length;
      const { keptBytesMax, keptUnitsMax } = this.#limits;
      if (this.#keptBytes > keptBytesMax || this.#kept.length > keptUnitsMax) this.#forgetKept();
    }
    for (const reader of this.#readers) if (reader.tracks.has(unit.track)) reader.unit(unit);
  }

  #positionOf({ presentationTimeUs, serverTimestampMs }: RawUnit): number {
    if (this.#shiftUs === undefined) {
      const last = this.#last;
      const passedUs = last === undefined ? 0 : (serverTimestampMs - last.serverMs) * 1000;
      const positionUs = last === undefined ? 0 : last.positionUs + Math.max(stepUsMin, passedUs);
      this.#shiftUs = positionUs - presentationTimeUs;
    }
    const positionUs = presentationTimeUs + this.#shiftUs;
    if (this.#last === undefined || positionUs > this.#last.positionUs) {
      this.#last = { positionUs, serverMs: serverTimestampMs };
    }
    return positionUs;
  }

  #forgetKept(): void {
    this.#kept = undefined;
    this.#keptBytes = 0;
  }

  /** The source, or the process that owns it, is away: it may be back before readers need to know. */
  #away(): void {
    this.#forgetKept();
    this.#current = [];
    this.#cancelAway ??= this.#clock.after(this.#limits.sourceAwayMs, () => this.#endReaders('the camera is away'));
  }

  #end(why: string): void {
    this.#isOver = true;
    this.#current = [];
    this.#cancelAway?.();
    this.#endReaders(why);
    this.#tellWaiting();
  }

  #endReaders(why: string): void {
    const readers = [...this.#readers];
    this.#readers.clear();
    for (const reader of readers) reader.ended(why);
  }

  #tellWaiting(): void {
    for (const done of [...this.#waiting]) done();
  }
}
