/**
 * Matroska as a producer sends it, told as fragments: a cluster is a fragment, byte for byte. Checks what KVS asks of them. Pure: no I/O
 * and no clock; the same bytes give the same calls, however they are split.
 *
 *   bytes -> MatroskaReader -> head, (begin, bytes, frame*, whole, commit)*
 *
 * A fragment is whole when its cluster ends, and committed when it is known which tags and which duration it has: at the next cluster,
 * at an end-of-fragment tag, at the end of the body, or when its owner does not wait any longer (`settle`).
 */

import { isAppError } from '../../storage/base/errors.ts';
import {
  audioFrameDurationUs,
  isKeyAccessUnit,
  type MatroskaFrame,
  type MatroskaHead,
  MatroskaReader,
  type MatroskaTag,
} from '../../storage/media/index.ts';
import type { FragmentTags } from '../../storage/model/fragment.ts';
import { limits } from '../../storage/model/limits.ts';
import type { Track } from '../../storage/model/track.ts';
import { FragmentFacts, type FragmentFactsEnd } from './fragment-facts.ts';
import { endOfFragmentTag, WaitingTags } from './fragment-tags.ts';
import { type PutMediaQuotas, putMediaLimits } from './limits.ts';
import { mediaError } from './media-errors.ts';

export type ProducerHead = {
  readonly tracks: readonly Track[];
  readonly timecodeScaleNs: number;
  /** Everything before the first cluster as it was sent, without the tags of the first fragment. */
  readonly bytes: Uint8Array;
};

export type FragmentOpening = {
  /** Timecode of its cluster as it was sent, in whole milliseconds: what producers know it by. */
  readonly timecodeMs: number;
  /** The same, exactly. */
  readonly mediaTimeMs: number;
  readonly producerTimestampMs: number;
};

/** One frame; `bytes` is borrowed until return. */
export type ProducerFrame = {
  readonly track: Track;
  readonly timeUs: number;
  readonly isKey: boolean;
  readonly bytes: Uint8Array;
};

/** Calls come as `head (begin bytes frame* whole commit)*`; what a call throws ends the parser. Bytes are borrowed until return. */
export type ProducerMediaSink = {
  head(head: ProducerHead): void;
  begin(opening: FragmentOpening): void;
  bytes(bytes: Uint8Array): void;
  frame(frame: ProducerFrame): void;
  /** Its last byte is there. */
  whole(): void;
  commit(end: FragmentFactsEnd & { readonly tags: FragmentTags }): void;
};

export type ProducerMediaOptions = {
  readonly timecodes: 'absolute' | 'relative';
  readonly producerStartMs: number;
  readonly quotas: Pick<PutMediaQuotas, 'fragmentMsMax' | 'fragmentBytesMax'>;
};

type OpenCluster = { readonly facts: FragmentFacts; readonly tags: FragmentTags; byteLength: number };

/** The end of the year 9999. */
const producerMsMax = 253_402_300_799_999;
/** Rows of a fragment have a byte for it. */
const trackNumberMax = 255;

export class ProducerMedia {
  readonly #sink: ProducerMediaSink;
  readonly #options: ProducerMediaOptions;
  readonly #reader: MatroskaReader;
  readonly #waitingTags = new WaitingTags();
  #tracks = new Map<number, Track>();
  #scaleNs = 1_000_000;
  #lastTimecode = Number.NEGATIVE_INFINITY;
  #open: OpenCluster | undefined;
  /** Whole, and not committed. */
  #held: OpenCluster | undefined;
  #pushedBytes = 0;

  constructor({ sink }: { readonly sink: ProducerMediaSink }, options: ProducerMediaOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#reader = new MatroskaReader(
      {
        sink: {
          head: (head, bytes) => this.#onHead(head, bytes),
          clusterBegin: ({ timecode }) => this.#onClusterBegin(timecode),
          clusterBytes: (bytes) => this.#onClusterBytes(bytes),
          frame: (frame) => this.#onFrame(frame),
          clusterEnd: () => this.#onClusterEnd(),
          tags: ({ tags }) => this.#onTags(tags),
        },
      },
      {
        headBytesMax: putMediaLimits.headBytesMax,
        clusterBytesMax: options.quotas.fragmentBytesMax,
        blockBytesMax: options.quotas.fragmentBytesMax,
      },
    );
  }

  /** Bytes of an element that is not whole yet, which are kept in memory. */
  get heldBytes(): number {
    return this.#pushedBytes - this.#reader.offset;
  }

  /** A whole fragment waits to be committed. */
  get isHolding(): boolean {
    return this.#held !== undefined;
  }

  /** @throws AppError  `mediaErrorOf` says what is wrong; nothing more is taken then */
  push(bytes: Uint8Array): void {
    this.#pushedBytes += bytes.length;
    this.#reader.push(bytes);
  }

  /** The body has ended well. @throws AppError  as `push` */
  end(): void {
    try {
      this.#reader.end();
    } catch (error) {
      if (!isAppError(error, 'data_loss')) throw error;
      throw mediaError('read-error', 'body ended inside an element', { cause: error, ...error.context });
    }
    this.settle();
  }

  /** Commits a whole fragment with what is known of it. */
  settle(): void {
    this.#commitHeld(undefined);
  }

  #onHead({ tracks, timecodeScaleNs, tagElements }: MatroskaHead, bytes: Uint8Array): void {
    this.#scaleNs = timecodeScaleNs;
    this.#tracks = new Map(tracks.map((track) => [track.number, track]));
    const text = tracks.reduce((sum, { codecId, name = '' }) => sum + codecId.length + name.length, 0);
    if (text > putMediaLimits.trackTextBytesMax || tracks.some((track) => track.number > trackNumberMax)) {
      throw mediaError('invalid-matroska', 'track has a name, codec id or number that is too long');
    }
    // Producers put the tags of their first fragment here; those of muxers, which are about the file, name a target.
    const own = tagElements.filter(({ isTargeted, tags }) => !isTargeted && areFragmentTags(tags));
    for (const { tags } of own) this.#waitingTags.add(tags);
    this.#sink.head({ tracks, timecodeScaleNs, bytes: without(bytes, own) });
  }

  #onClusterBegin(timecode: number): void {
    const mediaTimeMs = this.#ms(timecode);
    // Rounded up, so that it lies in its fragment, not in the one before.
    const timecodeMs = Math.ceil(mediaTimeMs);
    this.#commitHeld(mediaTimeMs);
    if (this.#tracks.size > limits.tracksMax) {
      throw mediaError('too-many-tracks', 'more tracks than a stream may have', { timecodeMs });
    }
    if (timecode <= this.#lastTimecode) {
      throw mediaError('timecode-not-increasing', 'timecode of a fragment is not above the one before', { timecodeMs });
    }
    this.#lastTimecode = timecode;
    const { timecodes, producerStartMs } = this.#options;
    const producerTimestampMs = mediaTimeMs + (timecodes === 'relative' ? producerStartMs : 0);
    if (producerTimestampMs > producerMsMax) {
      const facts = Number.isSafeInteger(timecodeMs) ? { timecodeMs } : {};
      throw mediaError('invalid-producer-timestamp', 'producer timestamp is in no calendar', facts);
    }
    const tags = this.#takeTags(timecodeMs);
    const facts = new FragmentFacts({ beginMs: mediaTimeMs, tracks: [...this.#tracks.values()] });
    this.#sink.begin({ timecodeMs, mediaTimeMs, producerTimestampMs });
    this.#open = { facts, tags, byteLength: 0 };
  }

  #onClusterBytes(bytes: Uint8Array): void {
    const open = this.#open;
    if (open === undefined) return;
    open.byteLength += bytes.length;
    if (open.byteLength > this.#options.quotas.fragmentBytesMax) {
      throw mediaError('fragment-too-large', 'fragment is larger than it may be', { byteLength: open.byteLength });
    }
    this.#sink.bytes(bytes);
  }

  #onFrame(frame: MatroskaFrame): void {
    const open = this.#open;
    if (open === undefined) return;
    const { trackNumber, timecode, relative, duration, bytes } = frame;
    const track = this.#tracks.get(trackNumber);
    if (track === undefined) {
      throw mediaError('undeclared-track', 'frame of a track that the head does not describe', { trackNumber });
    }
    const laceMs = frame.laceIndex === 0 ? 0 : laceOffsetMs(track, frame);
    const timeMs = this.#ms(timecode + relative) + laceMs;
    if (timeMs - open.facts.beginMs > this.#options.quotas.fragmentMsMax) {
      throw mediaError('fragment-too-long', 'fragment is longer than it may be', { timeMs });
    }
    const isKey = isKeyFrame(track, frame);
    const durationMs = duration === undefined ? undefined : this.#ms(duration);
    open.facts.add(trackNumber, { timeMs, durationMs, isKey, bytes: bytes.length });
    this.#sink.frame({ track, timeUs: Math.round(timeMs * 1_000), isKey, bytes });
  }

  #onClusterEnd(): void {
    const open = this.#open;
    if (open === undefined) return;
    for (const trackNumber of this.#tracks.keys()) {
      if (!open.facts.hasTrack(trackNumber)) {
        throw mediaError('track-missing', 'fragment has no frame of a declared track', { trackNumber });
      }
    }
    this.#open = undefined;
    this.#held = open;
    this.#sink.whole();
  }

  #onTags(tags: readonly MatroskaTag[]): void {
    const isEnd = tags.some(({ name }) => name === endOfFragmentTag);
    this.#waitingTags.add(tags);
    if (!isEnd) return;
    // The fragment may have been committed while its tags were on their way: they are nobody else's.
    const own = this.#waitingTags.take();
    const held = this.#held;
    if (held !== undefined) this.#held = { ...held, tags: this.#joined(held.tags, own) };
    this.#commitHeld(undefined);
  }

  /** Tags before and behind a cluster are one fragment's. @throws AppError too-many-tags */
  #joined(before: FragmentTags, behind: FragmentTags): FragmentTags {
    this.#waitingTags.add([...before, ...behind]);
    return this.#waitingTags.take();
  }

  #takeTags(timecodeMs: number): FragmentTags {
    try {
      return this.#waitingTags.take();
    } catch (error) {
      throw isAppError(error) ? mediaError('too-many-tags', error.message, { timecodeMs }) : error;
    }
  }

  #commitHeld(nextMs: number | undefined): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#sink.commit({ ...held.facts.end(nextMs), tags: held.tags });
  }

  #ms(ticks: number): number {
    return ticksToMs(ticks, this.#scaleNs);
  }
}

/** Times of day in nanoseconds are beyond what a number holds exactly: common scales are a factor or a divisor of a millisecond. */
function ticksToMs(ticks: number, scaleNs: number): number {
  const perMs = 1_000_000 / scaleNs;
  return Number.isInteger(perMs) ? ticks / perMs : ticks * (scaleNs / 1_000_000);
}

function areFragmentTags(tags: readonly MatroskaTag[]): boolean {
  try {
    const waiting = new WaitingTags();
    waiting.add(tags);
    return waiting.take().length > 0;
  } catch (error) {
    if (isAppError(error)) return false;
    throw error;
  }
}

function without(bytes: Uint8Array, parts: readonly { readonly begin: number; readonly end: number }[]): Uint8Array {
  const kept: Uint8Array[] = [];
  let at = 0;
  for (const { begin, end } of parts) {
    kept.push(bytes.subarray(at, begin));
    at = end;
  }
  return new Uint8Array(Buffer.concat([...kept, bytes.subarray(at)]));
}

/** By the bitstream where we know it, since containers err; else, and where it cannot be read, as the container says. */
function isKeyFrame({ kind, codec }: Track, { isKey, bytes }: MatroskaFrame): boolean {
  if (kind === 'audio') return true;
  return codec === 'other' ? isKey : isKeyAccessUnit(codec, bytes);
}

/** Frames of one lace follow each other by the length of a frame; lacing is for sound. */
function laceOffsetMs(track: Track, { laceIndex, bytes }: MatroskaFrame): number {
  try {
    return (laceIndex * audioFrameDurationUs(track, bytes)) / 1_000;
  } catch (error) {
    if (isAppError(error)) return laceIndex;
    throw error;
  }
}
