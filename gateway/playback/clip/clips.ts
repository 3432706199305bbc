/**
 * MP4 clips of any recorded range: exact length and any byte range, reading only the fragments that a range touches.
 *
 *   range -> fragment tables -> layout -> (clusters -> moof, mdat) ...
 */

import { appError, isAppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import { type Fmp4Sample, fmp4Fragment } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { FragmentSource, PlayableFragment, TimeRange } from '../fragment-source.ts';
import { keyAlignedFragments } from '../key-aligned.ts';
import { clusterSamples, contiguousSound } from '../media-samples.ts';
import { nothingRecorded } from '../nothing-recorded.ts';
import { withParameterSets } from '../parameter-sets.ts';
import { chooseTracks, type LeftOutTrack } from '../playable-tracks.ts';
import { silentFrame } from '../silence.ts';
import {
  type ClipGaps,
  type ClipLayout,
  type ClipPart,
  type ClipPartTrack,
  clipLayout,
  partAt,
} from './clip-layout.ts';
import { clipSamples } from './clip-tracks.ts';

export type ClipOptions = TimeRange & {
  /** `collapsed` (default): playback goes on at once after a gap. `kept`: the clip's timeline is the wall's. */
  readonly gaps?: ClipGaps;
};

/** Bytes of the clip: the end is exclusive. */
export type ByteRange = { readonly begin: number; readonly end: number };

const boxHeadBytes = 8;

export class Clips {
  readonly #source: FragmentSource;
  readonly #log: Log;

  constructor({ source, log }: { readonly source: FragmentSource; readonly log: Log }) {
    this.#source = source;
    this.#log = log;
  }

  /**
   * Lays out the clip of a range of server time. Reads fragment tables, no media.
   *
   * @throws AppError invalid_argument     the range is empty or too long
   * @throws AppError not_found            nothing was recorded then: the context tells the nearest media
   * @throws AppError failed_precondition  no track of it can be played from MP4
   */
  async open(streamId: string, options: ClipOptions): Promise<Clip> {
    const { beginMs, endMs, gaps = 'collapsed' } = options;
    if (!(endMs > beginMs)) throw appError('invalid_argument', 'the range ends before it begins', { beginMs, endMs });
    const found = await keyAlignedFragments(this.#source, streamId, { beginMs, endMs });
    if (found.length === 0) throw await nothingRecorded(this.#source, streamId, { beginMs, endMs });
    return this.layOut(found, gaps);
  }

  /**
   * The clip of given fragments.
   *
   * @param found  at least one, in order, beginning with a key frame
   * @throws AppError failed_precondition  no track of them can be played from MP4
   */
  layOut(found: readonly PlayableFragment[], gaps: ClipGaps = 'collapsed'): Clip {
    const choices = found.map((reference) => ({ reference, ...chooseTracks(reference.segment.tracks) }));
    const playable = choices.filter(({ video, audio }) => video !== undefined || audio !== undefined);
    const leftOut = new Map(
      choices.flatMap((choice) => choice.leftOut.map((track) => [`${track.trackNumber} ${track.codecId}`, track])),
    );
    if (playable.length === 0) {
      throw appError('failed_precondition', 'no track of the range can be played from MP4', {
        hint: [...leftOut.values()].map(({ trackNumber, reason }) => `track ${trackNumber}: ${reason}`).join('; '),
      });
    }
    const layout = clipLayout(
      playable.map(({ reference }) => reference),
      gaps,
    );
    return new Clip({ source: this.#source, log: this.#log }, layout, [...leftOut.values()]);
  }
}

/** One clip, laid out; its media are read when its bytes are. */
export class Clip {
  readonly #source: FragmentSource;
  readonly #log: Log;
  readonly #layout: ClipLayout;
  /** Tracks that are stored and not in the clip. */
  readonly leftOut: readonly LeftOutTrack[];
  readonly contentType = 'video/mp4';

  constructor(
    { source, log }: { readonly source: FragmentSource; readonly log: Log },
    layout: ClipLayout,
    leftOut: readonly LeftOutTrack[],
  ) {
    this.#source = source;
    this.#log = log;
    this.#layout = layout;
    this.leftOut = leftOut;
  }

  /** Exact length of the whole clip. */
  get byteLength(): number {
    return this.#layout.byteLength;
  }

  get durationMs(): number {
    return this.#layout.durationMs;
  }

  /** Server times that are in the clip; more than one where something was not recorded. */
  get spans(): readonly TimeRange[] {
    return this.#layout.spans;
  }

  /** Changes when the clip's bytes would: for `ETag` and `If-Range`, with its quotes. */
  get entityTag(): string {
    const { parts, byteLength } = this.#layout;
    return `"${parts[0]?.reference.fragment.number}-${parts.at(-1)?.reference.fragment.number}-${parts.length}-${byteLength}"`;
  }

  /**
   * The bytes of a range, or of the whole clip. Exactly as many as the range has, in pieces of at most a fragment.
   * A fragment that is damaged or was removed meanwhile becomes a `free` box of the same length: the rest still plays.
   *
   * @throws AppError invalid_argument  the range is not inside the clip
   * @throws AppError unavailable       the media cannot be read now
   */
  async *read(range: ByteRange = { begin: 0, end: this.byteLength }): AsyncGenerator<Uint8Array, void, void> {
    const { head, parts, byteLength } = this.#layout;
    const { begin, end } = range;
    if (!(begin >= 0 && begin <= end && end <= byteLength)) {
      throw appError('invalid_argument', 'byte range is not inside the clip', { begin, end, byteLength });
    }
    if (begin < head.length) yield head.subarray(begin, Math.min(end, head.length));
    for (let at = partAt(parts, begin); at < parts.length; at++) {
      const part = parts[at];
      if (part === undefined || part.offset >= end) return;
      const bytes = await this.#partBytes(part);
      yield bytes.subarray(Math.max(0, begin - part.offset), Math.min(part.byteLength, end - part.offset));
    }
  }

  /**
   * The clip from its beginning to its end, of a source whose fragments have other bytes than their tables say because they are
   * converted while they are read: without an index, and of a length that nobody knows before. What is lost is left out.
   *
   * @throws AppError unavailable  the media cannot be read now
   */
  async *stream(): AsyncGenerator<Uint8Array, void, void> {
    const { init, parts } = this.#layout;
    yield init;
    for (const part of parts) {
      const bytes = await this.#unlessLost(part, async () =>
        partBox(part, await this.#source.clusterBytes(part.reference)),
      );
      if (bytes !== undefined) yield bytes;
    }
  }

  async #partBytes(part: ClipPart): Promise<Uint8Array> {
    const bytes = await this.#unlessLost(part, async () => {
      const box = partBox(part, await this.#source.clusterBytes(part.reference));
      if (box.length === part.byteLength) return box;
      throw appError('data_loss', 'fragment differs from its table', { expected: part.byteLength, found: box.length });
    });
    return bytes ?? freeBox(part.byteLength);
  }

  async #unlessLost(part: ClipPart, make: () => Promise<Uint8Array>): Promise<Uint8Array | undefined> {
    const { fragment, segment } = part.reference;
    try {
      return await make();
    } catch (error) {
      const isLost = ['data_loss', 'not_found', 'invalid_argument'].some(
        (code) => isAppError(error) && error.code === code,
      );
      if (!isLost) throw error;
      this.#log.warn('fragment left out of a clip', { streamId: segment.streamId, number: fragment.number, error });
      return undefined;
    }
  }
}

function partBox(part: ClipPart, cluster: Uint8Array): Uint8Array {
  const byTrack = clusterSamples(cluster, part.reference.segment);
  const tracks = part.tracks.map((partTrack) => {
    const { track, sampleDescriptionIndex, endTimeUs } = partTrack;
    const samples = partTrack.isOpening
      ? clipSamples(partTrack.stored, openingSilence(partTrack.stored, part))
      : partSamples(partTrack, byTrack.get(partTrack.stored.number) ?? []);
    const lead = track.kind === 'video' ? { decodeLeadUs: part.decodeLeadUs } : {};
    return { track, sampleDescriptionIndex, endTimeUs, ...lead, samples: notBefore(-part.timeOffsetUs, samples) };
  });
  return fmp4Fragment({ sequenceNumber: part.sequenceNumber, timeOffsetUs: part.timeOffsetUs, tracks });
}

function partSamples({ stored, parameterSets }: ClipPartTrack, samples: readonly Fmp4Sample[]): readonly Fmp4Sample[] {
  if (stored.kind === 'audio') return clipSamples(stored, contiguousSound(stored, samples));
  const [first, ...rest] = samples;
  if (first === undefined || parameterSets.length === 0) return samples;
  return [{ ...first, bytes: withParameterSets(stored.codec, first.bytes, parameterSets) }, ...rest];
}

function openingSilence(stored: Track, { reference, timeOffsetUs }: ClipPart): Fmp4Sample[] {
  const presentationTimeUs = Math.max(-timeOffsetUs, reference.fragment.mediaTimeMs * 1000);
  const silent = silentFrame(stored);
  return silent === undefined ? [] : [{ presentationTimeUs, isKey: true, bytes: silent.bytes }];
}

/** The table rounds to milliseconds: a first frame may lie a fraction before the clip's time 0. */
function notBefore(beginUs: number, samples: readonly Fmp4Sample[]): readonly Fmp4Sample[] {
  return samples.map((sample) =>
    sample.presentationTimeUs < beginUs ? { ...sample, presentationTimeUs: beginUs } : sample,
  );
}

function freeBox(byteLength: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(byteLength, boxHeadBytes));
  new DataView(bytes.buffer).setUint32(0, byteLength);
  bytes.set(Buffer.from('free'), 4);
  return bytes;
}
