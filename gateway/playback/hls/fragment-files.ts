/**
 * What media playlists name: initialization, media and silence of one track of one fragment. A name is one answer for ever.
 *
 *   init-<number>-<track>.mp4   media-<number>-<track>.m4s   silence-<number>-<format>.m4s   init-silence-<format>.mp4
 */

import { appError } from '../../../storage/base/errors.ts';
import {
  type FragmentNumber,
  fragmentNumberParts,
  parseFragmentNumber,
} from '../../../storage/model/fragment-number.ts';
import { limits } from '../../../storage/model/limits.ts';
import { isProduced } from '../../../storage/model/run.ts';
import type { Track } from '../../../storage/model/track.ts';
import { ByteCache } from '../byte-cache.ts';
import type { FragmentSource, PlayableFragment } from '../fragment-source.ts';
import { silentTrack } from '../silence.ts';
import { initSegment, mediaSegments, silentSegment } from './media-segment.ts';
import { type Query, shiftOfQuery } from './session.ts';

/** Tracks of silence stand in no run. */
export const silentTrackNumber = 1;

export class FragmentFiles {
  readonly #source: FragmentSource;
  readonly #segments: ByteCache<ReadonlyMap<number, Uint8Array>>;

  constructor(
    { source }: { readonly source: FragmentSource },
    { cacheBytesMax = limits.playbackCacheBytes }: { readonly cacheBytesMax?: number } = {},
  ) {
    this.#source = source;
    this.#segments = new ByteCache({
      bytesMax: cacheBytesMax,
      bytesOf: (segments) => [...segments.values()].reduce((sum, bytes) => sum + bytes.length, 0),
    });
  }

  /**
   * @param request.query  says by how much the times are shifted
   * @throws AppError not_found         no such file, or the fragment is gone
   * @throws AppError invalid_argument  not one of our URIs
   * @throws AppError data_loss         the stored fragment is damaged
   */
  async get({
    streamId,
    file,
    query,
  }: {
    readonly streamId: string;
    readonly file: string;
    readonly query: Query;
  }): Promise<{ readonly contentType: string; readonly body: Uint8Array }> {
    const [, kind = '', number = '', rest = ''] =
      /^(init|media|silence)-(\d{47}|silence)-([a-z0-9.]{1,140})\.(?:mp4|m4s)$/.exec(file) ?? [];
    if (kind === 'init' && number === 'silence') return mp4(initSegment(silentTrack(rest, silentTrackNumber)));
    if (kind === '' || number === 'silence') {
      throw appError('not_found', 'no such file', { file: file.slice(0, 80), query });
    }
    const fragment = parseFragmentNumber(number);
    if (kind === 'init') return mp4(await this.#init(streamId, fragment, Number(rest)));
    const { mediaMs: shiftMs } = shiftOfQuery(query);
    if (kind === 'media') return segment(await this.#segment({ streamId, number: fragment, shiftMs }, Number(rest)));
    const reference = await this.#find(streamId, fragment);
    return segment(silentSegment(reference, silentTrack(rest, silentTrackNumber), shiftMs));
  }

  /** A run keeps its set-up, so when the fragment that named it was removed, the newest of the same run will do. */
  async #init(streamId: string, number: FragmentNumber, trackNumber: number): Promise<Uint8Array> {
    const { serverTimestampMs } = fragmentNumberParts(number);
    const reference = await this.#find(streamId, number).catch(async (error: unknown) => {
      const newest = await this.#source.latest(streamId);
      // Of a producer's run the beginning says nothing: its media time is a time of day.
      const isSameRun = newest !== undefined && newest.segment.runStartServerMs <= serverTimestampMs;
      if (isSameRun && !isProduced(newest.segment)) return newest;
      throw error;
    });
    return initSegment(trackOf(reference, trackNumber));
  }

  async #segment(
    {
      streamId,
      number,
      shiftMs,
    }: { readonly streamId: string; readonly number: FragmentNumber; readonly shiftMs: number },
    trackNumber: number,
  ): Promise<Uint8Array> {
    const segments = await this.#segments.get(`${streamId} ${number} ${shiftMs}`, async () => {
      const reference = await this.#find(streamId, number);
      return mediaSegments(reference, await this.#source.clusterBytes(reference), shiftMs);
    });
    const segment = segments.get(trackNumber);
    if (segment === undefined)
      throw appError('not_found', 'the fragment has no such track', { streamId, number, trackNumber });
    return segment;
  }

  async #find(streamId: string, number: FragmentNumber): Promise<PlayableFragment> {
    const { serverTimestampMs } = fragmentNumberParts(number);
    // The number was given when the fragment began; its time may have been slewed by a little since.
    const range = { beginMs: serverTimestampMs - 1_000, endMs: serverTimestampMs + 1_000 };
    const found = (await this.#source.fragmentsBetween(streamId, range)).find((one) => one.fragment.number === number);
    if (found === undefined) throw appError('not_found', 'the fragment is gone', { streamId, number });
    return found;
  }
}

function trackOf(reference: PlayableFragment, trackNumber: number): Track {
  const track = reference.segment.tracks.find(({ number }) => number === trackNumber);
  if (track === undefined) throw appError('not_found', 'the run has no such track', { trackNumber });
  return track;
}

function mp4(body: Uint8Array) {
  return { contentType: 'video/mp4', body };
}

function segment(body: Uint8Array) {
  return { contentType: 'video/iso.segment', body };
}
