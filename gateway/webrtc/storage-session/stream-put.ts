/**
 * Media on its way to the owner of a KVS stream: a put as that of any producer, a fragment from key frame to key frame, every track in each
 * of them. Never waits and never throws: while the owner is slow, what is left out goes up to the next key frame.
 *
 *   unit -> Interleaver -> cluster, blocks -> PutLine =lane socket=> owner
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, appError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import {
  clusterHead,
  matroskaHead,
  simpleBlockHeadBytesMax,
  writeSimpleBlockHead,
} from '../../../storage/media/index.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import type { Track } from '../../../storage/model/track.ts';
import { silentFrame } from '../../playback/index.ts';
import { type PutMediaHead, parsePutMediaEvent } from '../../put-media/index.ts';
import { type MediaSink, PutLine, type PutOwner, type QueueBudget } from '../receive/index.ts';
import { Interleaver } from './interleaver.ts';
import { storageSessionLimits } from './limits.ts';

export type StreamPutDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** The process that records the stream. */
  readonly owner: PutOwner;
  /** What all puts of the process hold together. */
  readonly budget: QueueBudget;
  readonly wantKeyFrame: () => void;
  /** The owner has ended it. Called once, never after `close`. */
  readonly onEnded: (error: AppError) => void;
};

export type StreamPutOptions = { readonly streamId: string; readonly requestId: string };

type OpenCluster = {
  readonly beginMs: number;
  readonly tracks: Set<number>;
  /** Media time of its latest picture. */
  pictureMs: number;
  /** Nothing more goes into it. */
  isLeftOut: boolean;
};

type Line = { readonly put: PutLine; readonly sinceMs: number; readonly stopLooking: () => void };

export class StreamPut implements MediaSink {
  readonly #deps: StreamPutDeps;
  readonly #options: StreamPutOptions;
  #tracks: readonly Track[] = [];
  #interleaver = new Interleaver([]);
  #line: Line | undefined;
  #cluster: OpenCluster | undefined;
  /** When puts began, in the last minute. */
  #openedMs: number[] = [];
  /** When the last unit came. */
  #unitMs = Number.NEGATIVE_INFINITY;
  readonly #closing = new Set<Promise<void>>();
  #isClosed = false;

  constructor(deps: StreamPutDeps, options: StreamPutOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** What follows is a producer's run of its own, which begins with its first key frame. */
  session(tracks: readonly Track[]): void {
    this.#finish();
    this.#tracks = tracks;
    this.#interleaver = new Interleaver(tracks.map(({ number }) => number));
  }

  unit(unit: AccessUnit): void {
    if (this.#isClosed) return;
    const nowMs = this.#deps.clock.monotonicMs();
    this.#unitMs = nowMs;
    this.#interleaver.push({ ...unit, bytes: new Uint8Array(unit.bytes) });
    for (const next of this.#interleaver.take(nowMs)) this.#write(next);
  }

  loss(): void {
    // A producer has no word for it: players see it in the times.
  }

  clock(): void {}

  warning(text: string): void {
    this.#deps.log.warn('storage session', { ...this.#options, warning: text });
  }

  /** What is whole is recorded. */
  async close(): Promise<void> {
    if (!this.#isClosed) this.#finish();
    this.#isClosed = true;
    await Promise.all(this.#closing);
  }

  #write(unit: AccessUnit): void {
    const isVideo = this.#tracks.some(({ number, kind }) => number === unit.trackNumber && kind === 'video');
    const timeMs = Math.round(unit.presentationTimeUs / 1_000);
    if (isVideo && timeMs >= 0 && this.#isBeginning(unit, timeMs)) {
      this.#beginCluster(timeMs, unit);
      return;
    }
    const cluster = this.#cluster;
    // Sound from before the first picture, or media between a loss and the next key frame.
    if (cluster === undefined || cluster.isLeftOut || timeMs < cluster.beginMs) return;
    // KVS takes no fragment of sound alone, nor one that is too long: what is whole is stored, and the next key frame begins anew.
    if (!isVideo && timeMs - cluster.pictureMs > storageSessionLimits.pictureGapMs) {
      this.#endLine();
      return;
    }
    if (isVideo) cluster.pictureMs = timeMs;
    if (this.#push(blockOf(unit, timeMs - cluster.beginMs))) cluster.tracks.add(unit.trackNumber);
    else this.#leaveOut();
  }

  #isBeginning({ isKey }: AccessUnit, timeMs: number): boolean {
    const { fragmentMsMin, fragmentCutMs } = storageSessionLimits;
    const cluster = this.#cluster;
    if (cluster === undefined) return isKey;
    const ageMs = timeMs - cluster.beginMs;
    if (isKey) return ageMs >= (cluster.isLeftOut ? 1 : fragmentMsMin);
    // Without a key frame for too long it goes on in a fragment that begins with none, before it is longer than KVS takes.
    return ageMs > fragmentCutMs && !cluster.isLeftOut;
  }

  /** All of it in one piece: a stream without a head, or a fragment that lacks a track, would end the put. */
  #beginCluster(timeMs: number, unit: AccessUnit): void {
    const line = this.#line;
    // A producer's connection ends after 45 minutes; the old one and its successor are there together for a moment.
    const isOld = unit.isKey && this.#deps.clock.monotonicMs() - (line?.sinceMs ?? 0) > storageSessionLimits.putMsMax;
    const isNewLine = line === undefined || isOld;
    if (isNewLine) {
      this.#endLine();
      if (!this.#mayOpen()) {
        this.#leaveOut();
        return;
      }
    }
    const before = isNewLine ? [this.#openLine(unit)] : this.#missingSound();
    if (this.#push(Buffer.concat([...before, clusterHead(timeMs), blockOf(unit, 0)]))) {
      this.#cluster = { beginMs: timeMs, tracks: new Set([unit.trackNumber]), pictureMs: timeMs, isLeftOut: false };
      return;
    }
    if (isNewLine) this.#closeLine();
    this.#leaveOut();
  }

  /** A sender whose pictures are others each time would have a connection and a run for every key frame. */
  #mayOpen(): boolean {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#openedMs = this.#openedMs.filter((openedMs) => openedMs > nowMs - 60_000);
    if (this.#openedMs.length >= storageSessionLimits.putsPerMinuteMax) return false;
    this.#openedMs.push(nowMs);
    return true;
  }

  /** KVS refuses fragments without media of each track. */
  #missingSound(): Uint8Array[] {
    const cluster = this.#cluster;
    if (cluster === undefined) return [];
    return this.#tracks.flatMap((track) => {
      const silence = cluster.tracks.has(track.number) ? undefined : silentFrame(track);
      return silence === undefined
        ? []
        : [blockOf({ trackNumber: track.number, isKey: true, bytes: silence.bytes }, 0)];
    });
  }

  /** Returns what comes first on it. */
  #openLine(unit: AccessUnit): Uint8Array {
    const { clock, log, owner, budget, random } = this.#deps;
    const { streamId, requestId } = this.#options;
    const producerMs = unit.producerTimestampMs ?? clock.wallMs();
    const head: PutMediaHead = {
      ...{ kind: 'put-media', streamId, requestId, timecodes: 'relative', wantsAcks: false },
      producerStartMs: Math.max(0, Math.round(producerMs - unit.presentationTimeUs / 1_000)),
    };
    const put = new PutLine(
      { clock, owner, budget, onEvent: (event) => this.#onEvent(event) },
      { head, isAccepted: (event) => kindOf(event) === 'accepted', openMsMax: storageSessionLimits.openMsMax },
    );
    const stopLooking = clock.every(storageSessionLimits.lookMs, () => this.#look());
    this.#line = { put, sinceMs: clock.monotonicMs(), stopLooking };
    put.start();
    put.over.then((error) => {
      stopLooking();
      if (this.#line?.put !== put || this.#isClosed) {
        if (error !== undefined) log.warn('the end of a storage session may lack', { streamId, requestId, error });
        return;
      }
      this.#line = undefined;
      this.#isClosed = true;
      this.#deps.onEnded(error ?? appError('unavailable', 'the recording process ended the media'));
    });
    log.info('storage session is recorded', { streamId, requestId });
    const segmentUid = Uint8Array.from({ length: 16 }, () => Math.floor(random() * 256));
    return matroskaHead({ segmentUid, tracks: this.#tracks, timecodeScaleNs: 1_000_000 });
  }

  /** A master that is not there any more would never end its fragment, and the owner keeps none that has no end. */
  #look(): void {
    if (this.#deps.clock.monotonicMs() - this.#unitMs > storageSessionLimits.silenceMsMax) this.#finish();
  }

  /** The owner does not keep up: nothing more goes to it before the next key frame. What of the fragment is there already is one. */
  #leaveOut(): void {
    const { log, wantKeyFrame } = this.#deps;
    if (this.#cluster !== undefined) this.#cluster.isLeftOut = true;
    log.counted(
      'media of a storage session is left out: its recorder is slow, or it begins too often',
      1,
      this.#options,
    );
    wantKeyFrame();
  }

  #push(bytes: Uint8Array): boolean {
    return this.#line?.put.push(bytes) ?? false;
  }

  #finish(): void {
    for (const unit of this.#interleaver.takeAll()) this.#write(unit);
    this.#endLine();
  }

  #endLine(): void {
    for (const silence of this.#missingSound()) this.#push(silence);
    this.#closeLine();
  }

  #closeLine(): void {
    const line = this.#line;
    this.#line = undefined;
    this.#cluster = undefined;
    if (line === undefined) return;
    line.stopLooking();
    const closing = line.put.close({ isCut: false }).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #onEvent(event: unknown): void {
    const told = parsePutMediaEvent(event);
    if (told.kind !== 'told') return;
    for (const ack of told.acks) {
      if (ack.kind === 'error')
        this.#deps.log.warn('a storage session is refused by its stream', { ...this.#options, ...ack });
    }
  }
}

function kindOf(event: unknown): unknown {
  return typeof event === 'object' && event !== null && 'kind' in event ? event.kind : undefined;
}

function blockOf(
  { trackNumber, isKey, bytes }: Pick<AccessUnit, 'trackNumber' | 'isKey' | 'bytes'>,
  relativeMs: number,
): Uint8Array {
  const block = new Uint8Array(simpleBlockHeadBytesMax + bytes.length);
  const headBytes = writeSimpleBlockHead(block, 0, { trackNumber, relativeMs, isKey, payloadBytes: bytes.length });
  block.set(bytes, headBytes);
  return block.subarray(0, headBytes + bytes.length);
}
