/**
 * Stored fragments as if they had been recorded in H.264: tables and tracks at once, bytes when they are read. Playlists, media
 * segments and clips are made of it as of any other source. What is not H.265 passes through untouched.
 */

import { appError } from '../../../storage/base/errors.ts';
import { limits } from '../../../storage/model/limits.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { Absence, FragmentSource, PlayableFragment, PlayableSegment, TimeRange } from '../fragment-source.ts';
import { keyAlignedFragments } from '../key-aligned.ts';
import { chooseTracks } from '../playable-tracks.ts';
import type { Converter } from './converter.ts';
import { convertedBitsPerSecondMax } from './encoding-arguments.ts';
import { recodedSegment, refersBack } from './fragment-recoding.ts';

/** Fragment times are rounded and slewed: the one before ended about when this one begins. */
const touchingMs = 250;

type View = { readonly stored: PlayableFragment; readonly track: Track };

export type ConvertingSourceDependencies = {
  readonly source: FragmentSource;
  readonly converter: Pick<Converter, 'convert' | 'formOf'>;
  /** Gives a place among the conversions to one fragment at a time of a stream. @throws AppError resource_exhausted */
  readonly turn: <T>(streamId: string, work: () => Promise<T>) => Promise<T>;
};

export class ConvertingSource implements FragmentSource {
  readonly #source: FragmentSource;
  readonly #converter: ConvertingSourceDependencies['converter'];
  readonly #turn: ConvertingSourceDependencies['turn'];
  /** What was handed out, by what stands for it. */
  readonly #views = new WeakMap<PlayableFragment, View>();
  readonly #segments = new WeakMap<PlayableSegment, PlayableSegment>();

  constructor({ source, converter, turn }: ConvertingSourceDependencies) {
    this.#source = source;
    this.#converter = converter;
    this.#turn = turn;
  }

  async fragmentsBetween(
    streamId: string,
    range: TimeRange & { readonly limit?: number },
  ): Promise<readonly PlayableFragment[]> {
    const found = await this.#source.fragmentsBetween(streamId, range);
    for (const segment of new Set(found.map((reference) => reference.segment))) await this.#prepare(segment);
    return found.map((reference) => this.#view(reference));
  }

  async latest(streamId: string): Promise<PlayableFragment | undefined> {
    const found = await this.#source.latest(streamId);
    if (found === undefined) return undefined;
    await this.#prepare(found.segment);
    return this.#view(found);
  }

  async clusterBytes(reference: PlayableFragment): Promise<Uint8Array> {
    const view = this.#views.get(reference);
    if (view === undefined) return this.#source.clusterBytes(reference);
    const { stored, track } = view;
    return this.#turn(stored.segment.streamId, async () => {
      const cluster = await this.#source.clusterBytes(stored);
      const before = await this.#neededBefore(stored, { cluster, track });
      return this.#converter.convert([...before, cluster], {
        ...{ segment: stored.segment, track, durationMs: stored.fragment.durationMs },
      });
    });
  }

  absence(streamId: string, range: TimeRange): Absence | undefined {
    return this.#source.absence?.(streamId, range);
  }

  onNew(streamId: string, callback: () => void): () => void {
    return this.#source.onNew(streamId, callback);
  }

  /** The segment's view, for which the form of its converted video must be known. */
  async #prepare(segment: PlayableSegment): Promise<void> {
    const track = convertedTrack(segment);
    if (track === undefined || this.#segments.has(segment)) return;
    const form = await this.#converter.formOf(track);
    this.#segments.set(segment, recodedSegment(segment, track, form.track));
  }

  #view(stored: PlayableFragment): PlayableFragment {
    const segment = this.#segments.get(stored.segment);
    const track = convertedTrack(stored.segment);
    if (segment === undefined || track === undefined) return stored;
    const video = segment.tracks.find(({ number }) => number === track.number)?.video;
    const bitsPerSecondMax = video === undefined ? 0 : convertedBitsPerSecondMax(video);
    const tracks = stored.fragment.tracks.map((row) =>
      row.trackNumber === track.number
        ? { ...row, payloadBytes: Math.ceil((bitsPerSecondMax * stored.fragment.durationMs) / 8_000) }
        : row,
    );
    // Each converted fragment begins with a key frame, whatever it began with.
    const view = { segment, fragment: { ...stored.fragment, isKey: true, tracks } };
    this.#views.set(view, { stored, track });
    return view;
  }

  /** Clusters of earlier fragments without which the fragment's first pictures cannot be decoded. */
  async #neededBefore(
    stored: PlayableFragment,
    { cluster, track }: { readonly cluster: Uint8Array; readonly track: Track },
  ): Promise<Uint8Array[]> {
    const { fragment, segment } = stored;
    if (fragment.isKey && !refersBack(cluster, track.number)) return [];
    const { serverTimestampMs } = fragment;
    const range = { beginMs: serverTimestampMs - touchingMs, endMs: serverTimestampMs + 1 };
    const found = await keyAlignedFragments(this.#source, segment.streamId, range);
    const before = found.filter((one) => one.segment.runId === segment.runId && one.fragment.number < fragment.number);
    const earlier = before.slice(
      Math.max(
        0,
        before.findLastIndex((one) => one.fragment.isKey),
      ),
    );
    if (earlier.length > limits.conversionLeadMax) {
      throw appError('unimplemented', 'its group of pictures is too long to be converted', {
        fragments: earlier.length,
      });
    }
    const clusters: Uint8Array[] = [];
    for (const one of earlier) clusters.push(await this.#source.clusterBytes(one));
    return clusters;
  }
}

/** The track that a segment's players get and that must be converted for them. */
export function convertedTrack(segment: PlayableSegment): Track | undefined {
  const { video } = chooseTracks(segment.tracks);
  return video?.codec === 'h265' ? video : undefined;
}
