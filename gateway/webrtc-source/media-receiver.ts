/**
 * What a publisher's put is worth as sessions and units: the bytes of `MediaWriter` back to what a source tells. They come from a process
 * that speaks with strangers, so they are judged like a stranger's. Synchronous from the socket's callback to the sink.
 */

import { must, unreachable } from '../../storage/base/assert.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, isAppError } from '../../storage/base/errors.ts';
import {
  forEachNal,
  isKeyAccessUnit,
  type MatroskaFrame,
  MatroskaReader,
  type MatroskaTag,
  readMatroskaHead,
} from '../../storage/media/index.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Track } from '../../storage/model/track.ts';
import { type SessionReason, type SourceEnd, SourceFault, type SourceSink } from '../rtsp/index.ts';
import { ends } from './ends.ts';
import { whipLimits } from './limits.ts';
import { factTag, parseWhipFact, tracksTag, type WhipFact } from './messages.ts';

const watchPeriodMs = 1_000;
const watchLateMs = 3 * watchPeriodMs;
/** NAL units of one picture: 8K has up to 600 slices, encoders below twenty. */
const nalsMax = 1_024;

type Session = {
  readonly tracks: ReadonlyMap<number, Track>;
  /** The video, or else the sound. */
  readonly lead: Track;
  /** Of the lead: its latest unit, on its timeline and on ours. */
  leadMs: number;
  leadAtMs: number;
};

export class MediaReceiver {
  readonly #clock: Clock;
  readonly #sink: SourceSink;
  readonly #onFault: (end: SourceEnd) => void;
  readonly #reader: MatroskaReader;
  readonly #beganMs: number;
  readonly #afterLoss = new Set<number>();
  readonly #warnings = new Set<string>();
  #session: Session | undefined;
  #zeroMs: number | undefined;
  #lastMediaMs: number;
  #lastLeadMs: number;
  #watchedMs: number;
  #unitsSinceMs = Number.NaN;
  #units = 0;
  #isOver = false;
  /** A mistake of ours on its way through the parser. */
  #crash: { readonly error: unknown } | undefined;
  #stopWatching: () => void = () => {};

  constructor(deps: {
    readonly clock: Clock;
    readonly sink: SourceSink;
    /** It is to be ended. Called once or more, also from within `push`. */
    readonly onFault: (end: SourceEnd) => void;
  }) {
    this.#clock = deps.clock;
    this.#sink = deps.sink;
    this.#onFault = deps.onFault;
    this.#beganMs = deps.clock.monotonicMs();
    this.#lastMediaMs = this.#beganMs;
    this.#lastLeadMs = this.#beganMs;
    this.#watchedMs = this.#beganMs;
    this.#reader = new MatroskaReader(
      {
        sink: {
          head: ({ tracks }) => this.#begin(tracks, 'started'),
          clusterBegin: () => {},
          clusterBytes: () => {},
          frame: (frame) => this.#frame(frame),
          clusterEnd: () => {},
          tags: ({ tags }) => this.#tags(tags),
        },
      },
      { tagsBytesMax: whipLimits.tagsBytesMax },
    );
  }

  /** On `Clock.monotonicMs`. */
  get lastMediaMs(): number {
    return this.#lastMediaMs;
  }

  start(): void {
    this.#stopWatching = this.#clock.every(watchPeriodMs, () => this.#watch());
  }

  close(): void {
    this.#stopWatching();
  }

  /**
   * @param bytes  borrowed until return
   * @throws       what the sink throws, which is a mistake of ours; what is wrong with the bytes is told by `onFault`
   */
  push(bytes: Uint8Array): void {
    if (this.#isOver) return;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#isOver = true;
      if (this.#crash !== undefined || !(isAppError(error) || error instanceof SourceFault)) throw error;
      this.#onFault(
        isAppError(error) ? ends.protocol(`what came of the publisher is broken: ${error.message}`) : error,
      );
    }
  }

  #begin(described: readonly Track[], reason: SessionReason): void {
    const tracks = described.map(plainTrack);
    const foreign = tracks.find(({ codec }) => codec !== 'h264' && codec !== 'opus');
    if (foreign !== undefined) throw new SourceFault(ends.unsupported(foreign.codecId));
    const lead = tracks.find(({ kind }) => kind === 'video') ?? tracks[0];
    const isTwice = new Set(tracks.map(({ kind }) => kind)).size < tracks.length;
    if (lead === undefined || tracks.length > whipLimits.tracksMax || isTwice) {
      throw appError('invalid_argument', 'a session has a picture, a sound, or one of each', { tracks: tracks.length });
    }
    const nowMs = this.#clock.monotonicMs();
    this.#session = {
      tracks: new Map(tracks.map((track) => [track.number, track])),
      ...{ lead, leadMs: Number.NaN, leadAtMs: nowMs },
    };
    this.#zeroMs = undefined;
    this.#afterLoss.clear();
    this.#lastLeadMs = nowMs;
    this.#tell(() => this.#sink.session(tracks, reason));
  }

  #tags(tags: readonly MatroskaTag[]): void {
    for (const [i, { name, value }] of tags.entries()) {
      if (name !== factTag || typeof value !== 'string') continue;
      const fact = parseWhipFact(value);
      if (fact.kind === 'session') this.#begin(tracksOf(tags[i + 1]), fact.reason);
      else this.#fact(fact);
    }
  }

  #fact(fact: Exclude<WhipFact, { readonly kind: 'session' }>): void {
    switch (fact.kind) {
      case 'loss':
        this.#afterLoss.add(fact.trackNumber);
        this.#tell(() => this.#sink.loss(fact));
        return;
      case 'clock': {
        const driftPpm = fact.driftPpm ?? undefined;
        this.#tell(() => this.#sink.clock({ offsetMs: fact.offsetMs, driftPpm }));
        return;
      }
      case 'producer-time':
        this.#zeroMs = fact.zeroMs;
        return;
      case 'warning':
        this.#warn(fact.text);
        return;
      default:
        unreachable(fact);
    }
  }

  #frame({ trackNumber, timecode, relative, bytes }: MatroskaFrame): void {
    const session = must(this.#session, 'a head comes before the first frame');
    const track = session.tracks.get(trackNumber);
    if (track === undefined) throw appError('invalid_argument', 'unit of no track', { trackNumber });
    const nowMs = this.#clock.monotonicMs();
    this.#boundRate(nowMs);
    this.#lastMediaMs = nowMs;
    if (!isUnit(track, bytes)) {
      this.#afterLoss.add(trackNumber);
      this.#warn('some pictures or sounds of the publisher cannot be read and are left out');
      return;
    }
    const timeMs = timecode + relative;
    if (track === session.lead) this.#noteLead(session, timeMs, nowMs);
    const unit = {
      trackNumber,
      presentationTimeUs: timeMs * 1_000,
      producerTimestampMs: this.#zeroMs === undefined ? undefined : this.#zeroMs + timeMs,
      receivedMonotonicMs: nowMs,
      isKey: track.kind === 'audio' || isKeyAccessUnit('h264', bytes),
      isAfterLoss: this.#afterLoss.delete(trackNumber),
      bytes,
    };
    this.#tell(() => this.#sink.unit(unit));
  }

  /** What leads says what time it is: `serve` begins another session where a clock jumps, so a jump here is none of a publisher's. */
  #noteLead(session: Session, timeMs: number, nowMs: number): void {
    const stepMs = Number.isNaN(session.leadMs) ? 0 : timeMs - session.leadMs;
    if (stepMs - (nowMs - session.leadAtMs) > whipLimits.aheadMsMax || stepMs < -whipLimits.stepBackMs) {
      throw appError('invalid_argument', 'media time jumped inside a session', { stepMs });
    }
    session.leadMs = timeMs;
    session.leadAtMs = nowMs;
    this.#lastLeadMs = nowMs;
  }

  /** Each unit costs the whole process some time: a publisher that makes thousands a second is ended. */
  #boundRate(nowMs: number): void {
    if (!(nowMs - this.#unitsSinceMs < whipLimits.unitsPeriodMs)) {
      this.#unitsSinceMs = nowMs;
      this.#units = 0;
    }
    if (++this.#units <= whipLimits.unitsPerPeriodMax) return;
    const seconds = whipLimits.unitsPeriodMs / 1_000;
    throw new SourceFault(
      ends.protocol(`the publisher sends more than ${whipLimits.unitsPerPeriodMax} units within ${seconds} s`),
    );
  }

  /** Once a second: silence. */
  #watch(): void {
    const nowMs = this.#clock.monotonicMs();
    const isLate = nowMs - this.#watchedMs > watchLateMs;
    this.#watchedMs = nowMs;
    // This process stood still itself: what came meanwhile is still to be read.
    if (isLate) return;
    const end = this.#session === undefined ? this.#notBegun(nowMs) : this.#silence(this.#session, nowMs);
    if (end !== undefined) this.#onFault(end);
  }

  #notBegun(nowMs: number): SourceEnd | undefined {
    const waitedMs = nowMs - this.#beganMs;
    if (waitedMs <= whipLimits.firstUnitMs) return undefined;
    return ends.silent(`the publisher connected and sent no picture for ${Math.round(waitedMs / 1_000)} s`);
  }

  #silence({ lead }: Session, nowMs: number): SourceEnd | undefined {
    const silentMs = nowMs - this.#lastLeadMs;
    if (silentMs <= whipLimits.silenceMs) return undefined;
    return ends.silent(`no ${lead.kind === 'video' ? 'picture' : 'sound'} came for ${Math.round(silentMs / 1_000)} s`);
  }

  #warn(text: string): void {
    if (this.#warnings.has(text) || this.#warnings.size >= whipLimits.warningsMax) return;
    this.#warnings.add(text);
    this.#tell(() => this.#sink.warning?.(text));
  }

  /** What the sink throws is ours, whatever the bytes were. */
  #tell(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#crash = { error };
      throw error;
    }
  }
}

/** Without what Matroska tells besides: readers compare tracks. */
function plainTrack({ number, kind, codec, codecId, codecPrivate, codecString, video, audio }: Track): Track {
  return {
    ...{ number, kind, codec, codecId, codecPrivate, codecString },
    ...(video === undefined ? {} : { video }),
    ...(audio === undefined ? {} : { audio }),
  };
}

/** @throws AppError  there is none, or it cannot be read */
function tracksOf(tag: MatroskaTag | undefined): readonly Track[] {
  if (tag?.name !== tracksTag || typeof tag.value === 'string') {
    throw appError('invalid_argument', 'a session comes without its tracks');
  }
  return readMatroskaHead(new Uint8Array(tag.value)).tracks;
}

/** Pictures are length-prefixed NAL units, all whole. */
function isUnit({ kind }: Track, bytes: Uint8Array): boolean {
  if (bytes.length === 0 || bytes.length > limits.accessUnitBytesMax) return false;
  if (kind === 'audio') return true;
  let nals = 0;
  try {
    forEachNal(bytes, () => ++nals <= nalsMax);
  } catch (error) {
    if (isAppError(error)) return false;
    throw error;
  }
  return nals > 0 && nals <= nalsMax;
}
