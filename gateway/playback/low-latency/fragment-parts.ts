/**
 * Cuts one fragment into parts while its samples arrive. What was cut is never changed: pictures go out when their decode times
 * are certain, which with B-frames takes some pictures more, and sound when the time of its beginning is. Pure.
 */

import { audioFrameCounter, type Fmp4Sample, fmp4Timescale } from '../../../storage/media/index.ts';
import type { Fragment } from '../../../storage/model/fragment.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { PlayableSegment } from '../fragment-source.ts';
import { playedSamples, withOwnParameterSets } from '../hls/media-segment.ts';
import { continuousSound, fragmentSpanUs, soundAnchorUs } from '../media-samples.ts';
import type { Part } from './part.ts';

/** The target duration of parts, and how many pictures may be decoded before one that is shown earlier: as many as were seen. */
export type PartPace = { readonly targetUs: number; reorderedMax: number };

export type FragmentTracks = { readonly video: Track | undefined; readonly audio: Track | undefined };

/** RFC 8216bis wants 0.85 of the target at least, but for the last part of a segment. */
const shareMin = 0.87;
/** Frames may be later than they are long, by what `continuousSound` takes for none. */
const anchorMarginUs = 100_000;
/** No codec level lets more pictures wait. */
const reorderedLookBack = 16;

export class FragmentParts {
  readonly video: Part[] = [];
  readonly audio: Part[] = [];
  readonly #segment: PlayableSegment;
  readonly #tracks: FragmentTracks;
  readonly #pace: PartPace;
  readonly #pictures: Fmp4Sample[] = [];
  readonly #sound: Fmp4Sample[] = [];
  #payloadBytes = { video: 0, audio: 0 };
  #picturesCut = 0;
  #cutUs = Number.NEGATIVE_INFINITY;
  #soundCut = 0;
  #isBroken = false;

  constructor(segment: PlayableSegment, tracks: FragmentTracks, pace: PartPace) {
    this.#segment = segment;
    this.#tracks = tracks;
    this.#pace = pace;
  }

  /** Media time of the first sample of the track that leads: the video, or else the sound. */
  get beginUs(): number | undefined {
    return this.#lead[0]?.presentationTimeUs;
  }

  /** Bytes of all its samples. */
  get byteLength(): number {
    return this.#payloadBytes.video + this.#payloadBytes.audio;
  }

  /** A picture came that belongs before ones that were cut: it takes no more parts. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** How many more samples of each track it needs to be the committed fragment. Negative: it has too many. */
  missing(fragment: Fragment): { readonly video: number; readonly audio: number } {
    const count = (track: Track | undefined) =>
      fragment.tracks.find(({ trackNumber }) => trackNumber === track?.number)?.samples ?? 0;
    return {
      video: count(this.#tracks.video) - this.#pictures.length,
      audio: count(this.#tracks.audio) - this.#sound.length,
    };
  }

  /** Takes the newest samples of sound away again: they came before the picture that began the next fragment. */
  giveBackSound(count: number): readonly Fmp4Sample[] {
    const given = this.#sound.splice(Math.max(0, this.#sound.length - count));
    for (const { bytes } of given) this.#payloadBytes.audio -= bytes.length;
    return given;
  }

  /** @param sample  its bytes stay as they are; a view */
  add(kind: 'video' | 'audio', sample: Fmp4Sample): void {
    this.#payloadBytes[kind] += sample.bytes.length;
    if (kind === 'audio') {
      this.#sound.push(sample);
      return;
    }
    const { presentationTimeUs } = sample;
    if (presentationTimeUs < this.#cutUs) this.#isBroken = true;
    const later = this.#pictures
      .slice(-reorderedLookBack)
      .filter((earlier) => earlier.presentationTimeUs > presentationTimeUs).length;
    this.#pace.reorderedMax = Math.max(this.#pace.reorderedMax, later);
    this.#pictures.push(sample);
  }

  /**
   * Cuts what is certain by now, given that all samples so far are of this fragment. True when there are new parts. None before each
   * track has a sample: a track that is silent for a whole fragment ends its run, and parts that were told in the old run's name
   * would be a segment of the next one, behind a discontinuity that players know nothing of.
   */
  grow(): boolean {
    if (this.#isBroken || this.#isOneSilent) return false;
    const count = this.video.length + this.audio.length;
    this.#cutPictures(this.#pictures.length - this.#pace.reorderedMax);
    this.#cutSound(this.#certainSound(), undefined);
    return this.video.length + this.audio.length > count;
  }

  /** Cuts the rest. False when it is not this fragment that was committed: its parts are not the media segment's. */
  finish(fragment: Fragment): boolean {
    if (this.#isBroken || this.beginUs !== fragment.mediaTimeMs * 1000) return false;
    const { video, audio } = this.#tracks;
    if (!this.#isAllOf(fragment, video, 'video') || !this.#isAllOf(fragment, audio, 'audio')) return false;
    if (video !== undefined) {
      this.#cutPictures(this.#pictures.length);
      this.#cutLastPictures(endMediaUs(fragment, video));
    }
    this.#cutSound(this.#sound, fragment);
    return true;
  }

  get #isOneSilent(): boolean {
    const { video, audio } = this.#tracks;
    return (video !== undefined && this.#pictures.length === 0) || (audio !== undefined && this.#sound.length === 0);
  }

  get #lead(): readonly Fmp4Sample[] {
    return this.#tracks.video === undefined ? this.#sound : this.#pictures;
  }

  #isAllOf(fragment: Fragment, track: Track | undefined, kind: 'video' | 'audio'): boolean {
    if (track === undefined) return true;
    const entry = fragment.tracks.find(({ trackNumber }) => trackNumber === track.number);
    const samples = kind === 'video' ? this.#pictures : this.#sound;
    return entry?.samples === samples.length && entry.payloadBytes === this.#payloadBytes[kind];
  }

  /** @param certain  so many of the earliest presentation times will not change: no picture to come is earlier */
  #cutPictures(certain: number): void {
    const shown = this.#shown();
    for (let end = this.#picturesCut + 1; end < certain; end++) {
      const beginUs = shown[this.#picturesCut] ?? 0;
      const endUs = shown[end] ?? 0;
      if (endUs - beginUs >= shareMin * this.#pace.targetUs) this.#cutPicturesAt(end, shown, endUs);
    }
  }

  #cutLastPictures(endUs: number): void {
    const shown = this.#shown();
    if (this.#picturesCut < shown.length) {
      this.#cutPicturesAt(shown.length, shown, Math.max(shown.at(-1) ?? 0, endUs));
    }
  }

  #shown(): readonly number[] {
    return this.#pictures.map(({ presentationTimeUs }) => presentationTimeUs).sort((a, b) => a - b);
  }

  #cutPicturesAt(end: number, shown: readonly number[], endUs: number): void {
    const track = this.#tracks.video;
    if (track === undefined) return;
    const begin = this.#picturesCut;
    const pictures = this.#pictures.slice(begin, end);
    const samples = begin === 0 ? withOwnParameterSets(track, pictures) : pictures;
    this.video.push({
      ...{ segment: this.#segment, track, samples, endUs },
      decodeTimesUs: shown.slice(begin, end),
      before: { originUs: 0, samples: 0 },
      beginUs: shown[begin] ?? 0,
      isIndependent: samples[0]?.isKey ?? false,
    });
    this.#picturesCut = end;
    this.#cutUs = endUs;
  }

  /** The recorder, too, writes sound only as far as pictures are. */
  #certainSound(): readonly Fmp4Sample[] {
    if (this.#tracks.video === undefined) return this.#sound;
    const latestUs = this.#pictures.reduce((us, each) => Math.max(us, each.presentationTimeUs), 0);
    const beyond = this.#sound.findIndex(({ presentationTimeUs }) => presentationTimeUs > latestUs);
    return beyond < 0 ? this.#sound : this.#sound.slice(0, beyond);
  }

  /** @param whole  the committed fragment, of which `sound` is all */
  #cutSound(sound: readonly Fmp4Sample[], whole: Fragment | undefined): void {
    const track = this.#tracks.audio;
    const beginUs = this.beginUs;
    if (track === undefined || beginUs === undefined) return;
    if (whole === undefined && !this.#isSoundEnough(sound)) return;
    const fragment = whole ?? { mediaTimeMs: beginUs / 1000, durationMs: 0 };
    const samples = continuousSound(track, sound, fragmentSpanUs(fragment));
    const originUs = samples[0]?.presentationTimeUs ?? beginUs;
    const samplesOf = audioFrameCounter(track);
    const lengths = samples.map(({ bytes }) => samplesOf(bytes));
    const timescale = fmp4Timescale(track);
    const toUs = (count: number) => originUs + (count * 1_000_000) / timescale;
    let passed = lengths.slice(0, this.#soundCut).reduce((sum, length) => sum + length, 0);
    let counted = 0;
    for (let end = this.#soundCut + 1; end <= samples.length; end++) {
      counted += lengths[end - 1] ?? 0;
      const isLong = (counted * 1_000_000) / timescale >= shareMin * this.#pace.targetUs;
      if (!isLong && (whole === undefined || end < samples.length)) continue;
      this.audio.push({
        ...{ segment: this.#segment, track, decodeTimesUs: undefined, isIndependent: true },
        samples: playedSamples(track, samples.slice(this.#soundCut, end)),
        before: { originUs, samples: passed },
        ...{ beginUs: toUs(passed), endUs: toUs(passed + counted) },
      });
      passed += counted;
      counted = 0;
      this.#soundCut = end;
    }
  }

  /** Enough for another part, and for the first one enough to know when sound begins. */
  #isSoundEnough(sound: readonly Fmp4Sample[]): boolean {
    const beginUs = sound[0]?.presentationTimeUs ?? 0;
    const lastUs = sound.at(-1)?.presentationTimeUs ?? 0;
    const cutUs = this.audio.at(-1)?.endUs;
    if (cutUs === undefined && lastUs - beginUs < soundAnchorUs + anchorMarginUs) return false;
    return lastUs - (cutUs ?? beginUs) >= this.#pace.targetUs / 2;
  }
}

function endMediaUs(fragment: Fragment, track: Track): number {
  const entry = fragment.tracks.find(({ trackNumber }) => trackNumber === track.number);
  return (entry?.endMediaMs ?? fragment.mediaTimeMs + fragment.durationMs) * 1000;
}
