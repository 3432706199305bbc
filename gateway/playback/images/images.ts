/**
 * JPEG pictures of a stream, live and at any recorded time: key frames only, so that each costs one decoded frame.
 *
 *   time -> fragment table -> cluster -> key frame -> decoder child -> JPEG, kept by fragment and size
 */

import { appError } from '../../../storage/base/errors.ts';
import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import { limits } from '../../../storage/model/limits.ts';
import type { Track } from '../../../storage/model/track.ts';
import { ByteCache } from '../byte-cache.ts';
import type { FragmentSource, PlayableFragment } from '../fragment-source.ts';
import { nothingRecorded } from '../nothing-recorded.ts';
import { chooseTracks } from '../playable-tracks.ts';
import { decoderInput, type KeyFrame, keyFramesOf, needsOwnDecoder } from './key-frame.ts';
import type { PictureFormat } from './picture-decoder.ts';

export type PictureOptions = {
  /** The picture has the next width of `pictureWidths` that is not smaller, or the camera's own. */
  readonly widthPixels?: number;
};

export type PictureAtOptions = PictureOptions & {
  /** `before`: what was to be seen at that time, up to a GOP ago. `nearest`: the key frame closest to it, before or after. */
  readonly choice?: 'before' | 'nearest';
};

export type Picture = {
  /** JPEG; shared with the cache: do not write into it. */
  readonly bytes: Uint8Array;
  /** Server time at which the picture was taken, milliseconds since 1970 UTC. */
  readonly serverTimestampMs: number;
  readonly fragmentNumber: FragmentNumber;
  readonly widthPixels: number;
  readonly heightPixels: number;
};

/** Decodes one key frame: `PictureDecoders`. */
export type PictureDecoding = { decode(format: PictureFormat, input: Uint8Array): Promise<Uint8Array> };

/** Few sizes, so that decoders and kept pictures are shared. */
export const pictureWidths = [160, 320, 480, 640, 960, 1280, 1920, 3840] as const;

type Found = { readonly reference: PlayableFragment; readonly track: Track; readonly frame: KeyFrame };

export class Images {
  readonly #source: FragmentSource;
  readonly #decoders: PictureDecoding;
  readonly #pictures = new ByteCache<Picture>({
    bytesMax: limits.imageCacheBytes,
    bytesOf: (picture) => picture.bytes.length,
  });

  constructor({ source, decoders }: { readonly source: FragmentSource; readonly decoders: PictureDecoding }) {
    this.#source = source;
    this.#decoders = decoders;
  }

  /**
   * The newest key frame.
   *
   * @throws AppError not_found  the stream has no fragment with video; and as `PictureDecoder.decode`
   */
  async live(streamId: string, options: PictureOptions = {}): Promise<Picture> {
    const newest = await this.#source.latest(streamId);
    if (newest === undefined) throw appError('not_found', 'the stream has no recorded media', { streamId });
    const endMs = newest.fragment.serverTimestampMs + 1;
    const [reference] = (await this.#withVideo(streamId, endMs - limits.liveAgeMsMax, endMs)).slice(-1);
    if (reference === undefined) throw appError('not_found', 'the stream has no video that can be shown', { streamId });
    return this.#pictureOf(reference, (frames) => frames.at(-1), 'last', options);
  }

  /**
   * The picture at a time.
   *
   * @param timeMs  server time, milliseconds since 1970 UTC
   * @throws AppError not_found  nothing was recorded then: the context tells the nearest media; and as `PictureDecoder.decode`
   */
  async at(streamId: string, timeMs: number, options: PictureAtOptions = {}): Promise<Picture> {
    const aheadMs = options.choice === 'nearest' ? limits.fragmentDurationMsMax : 1;
    const candidates = await this.#withVideo(streamId, timeMs - limits.fragmentDurationMsMax, timeMs + aheadMs);
    const before = candidates.findLast(({ fragment }) => fragment.serverTimestampMs <= timeMs);
    const after = candidates.find(({ fragment }) => fragment.serverTimestampMs > timeMs);
    const found = await Promise.all([before, after].map((reference) => reference && this.#framesOf(reference)));
    const frames = found.filter((list) => list !== undefined).flat();
    const shown = options.choice === 'nearest' ? nearest(frames, timeMs) : lastBefore(frames, timeMs);
    if (shown === undefined)
      throw await nothingRecorded(this.#source, streamId, { beginMs: timeMs, endMs: timeMs + 1 });
    return this.#pictureOf(shown.reference, (all) => all[shown.frame.index], String(shown.frame.index), options);
  }

  /** Fragments that overlap a range and begin with a video key frame. */
  async #withVideo(streamId: string, beginMs: number, endMs: number): Promise<PlayableFragment[]> {
    const references = await this.#source.fragmentsBetween(streamId, { beginMs: Math.max(0, beginMs), endMs });
    return references.filter((reference) => reference.fragment.isKey && videoOf(reference) !== undefined);
  }

  async #framesOf(reference: PlayableFragment): Promise<Found[]> {
    const track = videoOf(reference);
    if (track === undefined) return [];
    const cluster = await this.#source.clusterBytes(reference);
    return keyFramesOf(reference, cluster, track).map((frame) => ({ reference, track, frame }));
  }

  #pictureOf(
    reference: PlayableFragment,
    choose: (frames: readonly Found[]) => Found | undefined,
    name: string,
    options: PictureOptions,
  ): Promise<Picture> {
    const { streamId } = reference.segment;
    const { number } = reference.fragment;
    const size = pictureSize(videoOf(reference), options.widthPixels);
    return this.#pictures.get(`${streamId} ${number} ${name} ${size.widthPixels}`, async () => {
      const found = choose(await this.#framesOf(reference));
      if (found === undefined) throw appError('data_loss', 'the fragment has no key frame', { streamId, number });
      const codec = found.track.codec === 'h265' ? 'h265' : 'h264';
      const owner = needsOwnDecoder(found.track) ? { ownerId: streamId } : {};
      const input = decoderInput(found.track, found.frame.bytes);
      const bytes = await this.#decoders.decode({ codec, ...size, ...owner }, input);
      return { bytes, serverTimestampMs: found.frame.serverTimestampMs, fragmentNumber: number, ...size };
    });
  }
}

/** The size of a picture whose width was asked for: never larger than the video, height even and in proportion. */
export function pictureSize(
  track: Track | undefined,
  widthPixels: number | undefined,
): { readonly widthPixels: number; readonly heightPixels: number } {
  const source = track?.video ?? { widthPixels: 0, heightPixels: 0 };
  const width = widthPixels === undefined ? undefined : pictureWidths.find((candidate) => candidate >= widthPixels);
  if (width === undefined || width >= source.widthPixels) return source;
  const heightPixels = 2 * Math.max(1, Math.round((source.heightPixels * width) / source.widthPixels / 2));
  return { widthPixels: width, heightPixels };
}

function videoOf({ segment }: PlayableFragment): Track | undefined {
  const { video } = chooseTracks(segment.tracks);
  return video;
}

/** What was on the screen at a time; not before the fragment that holds the time, or the one that ended just before. */
function lastBefore(frames: readonly Found[], timeMs: number): Found | undefined {
  return frames.findLast(({ frame }) => frame.serverTimestampMs <= timeMs) ?? nearest(frames.slice(0, 1), timeMs);
}

function nearest(frames: readonly Found[], timeMs: number): Found | undefined {
  const distance = ({ frame }: Found) => Math.abs(frame.serverTimestampMs - timeMs);
  return frames.reduce<Found | undefined>(
    (best, found) => (best === undefined || distance(found) < distance(best) ? found : best),
    undefined,
  );
}
