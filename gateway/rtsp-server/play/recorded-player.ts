/**
 * Plays recorded fragments to one reader at the pace of the clock. RTP time is time of playing: contiguous, compressed by the
 * scale, and what was not recorded takes a second of it at most; sender reports tell the real time. Media is pulled: a reader
 * that is slow holds up the reading, and nothing is dropped.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { FragmentSource, PlayableFragment } from '../../playback/index.ts';
import {
  type ClusterUnit,
  isSameFormat,
  type RtpFormat,
  type RtpPacketiser,
  rtpFormatsOf,
  type TrackClock,
  unitsOf,
} from '../../rtp/index.ts';
import { rtspServerLimits } from '../limits.ts';
import type { ReaderOutput } from './output.ts';
import { recordedFragments } from './recorded-fragments.ts';

/** A track of a reader, whose numbers and times go on from one PLAY to the next. */
export type RecordedTrack = { packetiser: RtpPacketiser; readonly clock: TrackClock };

/** Bytes of fragments in memory, of all readers together. */
export type RecordedBytes = { used: number };

export type PlayOptions = {
  readonly streamId: string;
  readonly first: PlayableFragment;
  readonly endMs: number | undefined;
  readonly scale: number;
  readonly speed: number;
  /** Where on the reader's timeline it begins, microseconds. */
  readonly beginPositionUs: number;
  /** Goes on after a pause: so many units of this fragment were sent already. */
  readonly resume: ResumePoint | undefined;
};

export type ResumePoint = { readonly number: FragmentNumber; readonly units: number };

/** Why playing ended by itself. */
export type PlayEnd = 'end of the recording' | 'the camera sent another codec from here on';

/** A fragment on its way to the reader. */
type Next = {
  readonly place: PlayableFragment;
  readonly positionMs: number;
  /** Real time jumps here against the time of playing. */
  readonly isJump: boolean;
  /** Undefined when there was no room to read ahead. */
  readonly cluster: Uint8Array | undefined;
};

/** Waits shorter than this are not worth a timer. */
const sleepMsMin = 4;
const roomPollMs = 20;
/** A reader that was held up for longer does not catch up. */
const lateMsMax = 2_000;

export class RecordedPlayer {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #source: FragmentSource;
  readonly #bytes: RecordedBytes;
  readonly #output: ReaderOutput;
  readonly #tracks: ReadonlyMap<number, RecordedTrack>;
  readonly #options: PlayOptions;
  /** The newest fragment that was looked at, and its time of playing, milliseconds, not yet scaled. */
  #newest: { readonly place: PlayableFragment; readonly positionMs: number } | undefined;
  #pace: { readonly monotonicMs: number; readonly positionMs: number } | undefined;
  #lastPositionUs: number;
  #resume: ResumePoint | undefined;
  #serverMs: number;

  constructor(
    deps: {
      readonly clock: Clock;
      readonly log: Log;
      readonly source: FragmentSource;
      readonly bytes: RecordedBytes;
      readonly output: ReaderOutput;
      readonly tracks: ReadonlyMap<number, RecordedTrack>;
    },
    options: PlayOptions,
  ) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#source = deps.source;
    this.#bytes = deps.bytes;
    this.#output = deps.output;
    this.#tracks = deps.tracks;
    this.#options = options;
    this.#lastPositionUs = options.beginPositionUs;
    this.#resume = options.resume;
    this.#serverMs = options.first.fragment.serverTimestampMs;
  }

  /** The last position that was sent, microseconds of the reader's timeline. */
  get lastPositionUs(): number {
    return this.#lastPositionUs;
  }

  /** Where it stands: server time, and what of the fragment there was sent. */
  get place(): { readonly serverMs: number; readonly resume: ResumePoint | undefined } {
    return { serverMs: this.#serverMs, resume: this.#resume };
  }

  /** @returns why it ended; undefined when the signal aborted */
  async run(signal: AbortSignal): Promise<PlayEnd | undefined> {
    const { streamId, first, endMs } = this.#options;
    const deps = { clock: this.#clock, source: this.#source };
    const fragments = recordedFragments(deps, { streamId, first, endMs, signal });
    let pending = this.#next(fragments, { mayWait: true });
    try {
      for (;;) {
        const next = await pending;
        if (signal.aborted) return undefined;
        if (next === undefined) return 'end of the recording';
        // One fragment is read while the one before it is played.
        pending = this.#next(fragments, { mayWait: false });
        pending.catch(() => {});
        const end = await this.#play(next, signal);
        if (end !== undefined || signal.aborted) return end;
      }
    } finally {
      pending.then((unused) => this.#give(unused?.cluster)).catch(() => {});
      void fragments.return(undefined);
    }
  }

  /** The next fragment that anything is sent of. @param options.mayWait  read it although memory is short */
  async #next(
    fragments: AsyncGenerator<PlayableFragment>,
    options: { readonly mayWait: boolean },
  ): Promise<Next | undefined> {
    for (;;) {
      const { value: place, done } = await fragments.next();
      if (done === true) return undefined;
      const { positionMs, isJump } = this.#placed(place);
      if (this.#areKeysAlone && !place.fragment.isKey) continue;
      const hasRoom = this.#bytes.used + place.fragment.byteLength <= rtspServerLimits.recordedBytesMax;
      const cluster = options.mayWait || hasRoom ? await this.#read(place) : undefined;
      return { place, positionMs, isJump, cluster };
    }
  }

  get #areKeysAlone(): boolean {
    return this.#options.scale > rtspServerLimits.scaleAllMax;
  }

  /** Where a fragment lies in the time of playing: behind the one before it, with what is missing between cut to a second. */
  #placed(place: PlayableFragment): { positionMs: number; isJump: boolean } {
    const before = this.#newest;
    if (before === undefined) {
      this.#newest = { place, positionMs: 0 };
      return { positionMs: 0, isJump: false };
    }
    const { fragment: last, segment: lastSegment } = before.place;
    const isSameRun = lastSegment.runId === place.segment.runId;
    const passedMs = isSameRun
      ? place.fragment.mediaTimeMs - last.mediaTimeMs
      : place.fragment.serverTimestampMs - last.serverTimestampMs;
    const stepMs = Math.min(Math.max(passedMs, last.durationMs), last.durationMs + rtspServerLimits.gapMsMax);
    const positionMs = before.positionMs + stepMs;
    this.#newest = { place, positionMs };
    return { positionMs, isJump: !isSameRun || passedMs !== stepMs };
  }

  /** Undefined where it was removed meanwhile, or cannot be read: the rest is played. */
  async #read(place: PlayableFragment): Promise<Uint8Array | undefined> {
    try {
      const cluster = await this.#source.clusterBytes(place);
      this.#bytes.used += cluster.length;
      return cluster;
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#log.counted('recorded fragment left out', 1, { streamId: this.#options.streamId, error });
      return undefined;
    }
  }

  #give(cluster: Uint8Array | undefined): void {
    this.#bytes.used -= cluster?.length ?? 0;
  }

  async #play(next: Next, signal: AbortSignal): Promise<PlayEnd | undefined> {
    const { place, isJump } = next;
    if (!this.#fits(place)) return 'the camera sent another codec from here on';
    if (isJump) this.#output.reportSoon();
    const cluster = next.cluster ?? (await this.#read(place));
    if (cluster === undefined) return undefined;
    try {
      return await this.#send(this.#unitsToSend(place, cluster), next, signal);
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#log.counted('recorded fragment left out', 1, { streamId: this.#options.streamId, error });
      return undefined;
    } finally {
      this.#give(cluster);
    }
  }

  async #send(units: readonly PacedUnit[], next: Next, signal: AbortSignal): Promise<PlayEnd | undefined> {
    const { scale, beginPositionUs, endMs } = this.#options;
    const { fragment } = next.place;
    const skip = this.#resume?.number === fragment.number ? this.#resume.units : 0;
    for (const [index, { unit, decodeMs }] of units.entries()) {
      if (index < skip) continue;
      const afterBeginMs = decodeMs - fragment.mediaTimeMs;
      this.#serverMs = fragment.serverTimestampMs + afterBeginMs;
      if (endMs !== undefined && this.#serverMs >= endMs) return 'end of the recording';
      await this.#untilDue((next.positionMs + afterBeginMs) / scale, signal);
      if (signal.aborted) return undefined;
      const presentedMs = next.positionMs + unit.mediaMs - fragment.mediaTimeMs;
      const wallMs = fragment.producerTimestampMs + unit.mediaMs - fragment.mediaTimeMs;
      this.#sendUnit(unit, beginPositionUs + (presentedMs * 1000) / scale, wallMs);
      this.#resume = { number: fragment.number, units: index + 1 };
    }
    return undefined;
  }

  #sendUnit(unit: ClusterUnit, positionUs: number, wallMs: number): void {
    const track = this.#tracks.get(unit.trackNumber);
    if (track === undefined) return;
    const { packetiser, clock } = track;
    try {
      const burst = packetiser.burst(unit, clock.next(positionUs, unit.bytes));
      this.#output.send(unit.trackNumber, burst, wallMs);
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#log.counted('units left out: rtp cannot carry them', 1, { streamId: this.#options.streamId, error });
    }
    this.#lastPositionUs = Math.max(this.#lastPositionUs, positionUs);
  }

  /** What is sent of a cluster: sound at its own speed alone, and beyond a scale key frames alone. */
  #unitsToSend(place: PlayableFragment, cluster: Uint8Array): readonly PacedUnit[] {
    const { tracks, timecodeScaleNs } = place.segment;
    const isSoundSent = this.#options.scale === 1;
    const sent = tracks.filter(({ number, kind }) => this.#tracks.has(number) && (isSoundSent || kind === 'video'));
    const units = unitsOf(cluster, sent, timecodeScaleNs);
    return paced(this.#areKeysAlone ? units.filter((unit) => unit.isKey) : units);
  }

  /** Whether the reader can go on with what a segment holds; its parameter sets are taken over. */
  #fits({ segment }: PlayableFragment): boolean {
    const formats = new Map<number, RtpFormat>(rtpFormatsOf(segment.tracks).map((one) => [one.track.number, one]));
    for (const [number, track] of this.#tracks) {
      const format = formats.get(number);
      if (format === undefined || format.track === track.packetiser.format.track) continue;
      if (!isSameFormat(track.packetiser.format, format)) return false;
      track.packetiser = track.packetiser.withFormat(format);
    }
    return true;
  }

  /** Waits for the time to send, and for room at the reader. @param positionMs  time of playing, scaled */
  async #untilDue(positionMs: number, signal: AbortSignal): Promise<void> {
    while (this.#output.queuedBytes > rtspServerLimits.recordedQueueBytesMax && !signal.aborted) {
      await this.#clock.sleep(roomPollMs, signal).catch(() => {});
    }
    const nowMs = this.#clock.monotonicMs();
    this.#pace ??= { monotonicMs: nowMs, positionMs };
    const dueMs = this.#pace.monotonicMs + (positionMs - this.#pace.positionMs) / this.#options.speed;
    if (dueMs - nowMs > sleepMsMin) await this.#clock.sleep(dueMs - nowMs, signal).catch(() => {});
    // Who was held up goes on from here: a burst of what was missed would only fill the queue again.
    else if (nowMs - dueMs > lateMsMax) this.#pace = { monotonicMs: nowMs, positionMs };
  }
}

type PacedUnit = {
  readonly unit: ClusterUnit;
  /** When a decoder needs it, milliseconds of media time: the i-th smallest presentation time of its track, never earlier than the one before. */
  readonly decodeMs: number;
};

function paced(units: readonly ClusterUnit[]): readonly PacedUnit[] {
  const times = new Map<number, number[]>();
  for (const { trackNumber, mediaMs } of units) {
    const own = times.get(trackNumber);
    if (own === undefined) times.set(trackNumber, [mediaMs]);
    else own.push(mediaMs);
  }
  for (const own of times.values()) own.sort((a, b) => b - a);
  let lastMs = Number.NEGATIVE_INFINITY;
  return units.map((unit) => {
    lastMs = Math.max(lastMs, times.get(unit.trackNumber)?.pop() ?? unit.mediaMs);
    return { unit, decodeMs: lastMs };
  });
}
