/**
 * Cuts one session of a source into fMP4 parts as it arrives: one moof and mdat for each picture, with the sound that came
 * meanwhile. A picture goes out when the next one is there, since until then nobody knows how long it lasts. Pure.
 *
 *   unit -> DecodeTimes | SoundLine -> part
 */

import { type Fmp4Sample, type Fmp4TrackSamples, fmp4Fragment, fmp4Init } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { playedTrack, withOwnParameterSets } from '../hls/media-segment.ts';
import { playedCodecString, type TrackChoice } from '../playable-tracks.ts';
import { DecodeTimes, reorderedMaxOf } from './decode-times.ts';
import { SoundLine } from './sound-line.ts';

export type LivePart = {
  readonly bytes: Uint8Array;
  /** Decoders may begin here. */
  readonly isStart: boolean;
  /** Where its first sample lies, microseconds. */
  readonly beginUs: number;
};

export type LivePartUnit = {
  readonly trackNumber: number;
  /** On the line of all sessions, microseconds, above 0. */
  readonly positionUs: number;
  readonly isKey: boolean;
  /** Kept until its part is cut. */
  readonly bytes: Uint8Array;
};

type Held = { readonly sample: Fmp4Sample; readonly decodeUs: number };

/** Track numbers of every initialization. */
const numbers = { video: 1, audio: 2 } as const;
/** Sound without pictures goes out so often. */
const soundPartUs = 100_000;
/** Sound may come so much later than the pictures it belongs to, before silence takes its place; more when it is seen to. */
const soundWaitUs = 500_000;
const soundWaitUsMax = 3_000_000;
/** After so much silence nobody waits any more. */
const soundGoneUs = 2_000_000;
const pictureUsDefault = 40_000;
/** No camera has pictures so close to each other. */
const crowdedUs = 2_500;

export class PartCutter {
  readonly mime: string;
  readonly init: Uint8Array;
  readonly #video: { readonly source: Track; readonly played: Track; readonly times: DecodeTimes } | undefined;
  readonly #audio: { readonly source: Track; readonly played: Track; readonly line: SoundLine } | undefined;
  #sequenceNumber = 0;
  #held: Held | undefined;
  #pictureUs = pictureUsDefault;
  /** Sound that belongs to the next part. */
  #sound: Fmp4Sample[] = [];
  #soundWaitUs = soundWaitUs;
  /** Where the first picture is, and the newest real sound. */
  #beganUs: number | undefined;
  #heardUs: number | undefined;

  /**
   * @param tracks  at least one of them
   * @throws AppError unimplemented, invalid_argument, data_loss  players cannot take them after all
   */
  constructor({ video, audio }: Pick<TrackChoice, 'video' | 'audio'>) {
    if (video !== undefined) {
      const times = new DecodeTimes({ reorderedMax: reorderedMaxOf(video) });
      this.#video = { source: video, played: { ...playedTrack(video), number: numbers.video }, times };
    }
    if (audio !== undefined) {
      const played = { ...playedTrack(audio), number: numbers.audio };
      this.#audio = { source: audio, played, line: new SoundLine(audio) };
    }
    const tracks = [this.#video, this.#audio].filter((track) => track !== undefined);
    const codecs = tracks.map(({ source }) => playedCodecString(source)).join(',');
    this.mime = `${video === undefined ? 'audio' : 'video'}/mp4; codecs="${codecs}"`;
    this.init = fmp4Init(tracks.map(({ played }) => played));
  }

  /** The part that a unit completes, if any. @throws AppError data_loss  it is no valid one */
  unit(unit: LivePartUnit): LivePart | undefined {
    if (unit.trackNumber === this.#video?.source.number) return this.#picture(unit);
    if (unit.trackNumber === this.#audio?.source.number) return this.#frame(unit);
    return undefined;
  }

  #picture({ positionUs, isKey, bytes }: LivePartUnit): LivePart | undefined {
    const video = this.#video;
    if (video === undefined || (this.#held === undefined && !isKey)) return undefined;
    const sample = { presentationTimeUs: positionUs, isKey, bytes };
    const [own = sample] = withOwnParameterSets(video.source, [sample]);
    const next = { sample: own, decodeUs: video.times.next(positionUs) };
    const held = this.#held;
    this.#held = next;
    this.#beganUs ??= positionUs;
    if (held === undefined) return undefined;
    const passedUs = next.decodeUs - held.decodeUs;
    this.#fillSound(positionUs);
    // While it is being learnt how many pictures are reordered, decode times crowd together; players go by durations.
    if (passedUs < crowdedUs) return this.#part(held, held.decodeUs + this.#pictureUs / 2);
    this.#pictureUs = passedUs;
    return this.#part(held, next.decodeUs);
  }

  #frame({ positionUs, bytes }: LivePartUnit): LivePart | undefined {
    const audio = this.#audio;
    if (audio === undefined || (this.#video !== undefined && this.#held === undefined)) return undefined;
    const filledUs = audio.line.endUs;
    const frames = audio.line.frame(positionUs, bytes);
    if (frames.length === 0 && filledUs !== undefined) {
      // Silence stands where it belongs: from now on it is waited for, so that what follows finds its place.
      const wantedUs = this.#soundWaitUs + filledUs - positionUs;
      this.#soundWaitUs = Math.min(soundWaitUsMax, wantedUs);
    }
    this.#heardUs = Math.max(this.#heardUs ?? positionUs, positionUs);
    this.#sound.push(...frames);
    const [first] = this.#sound;
    const isEnough = first !== undefined && positionUs - first.presentationTimeUs >= soundPartUs;
    return isEnough ? this.#part(undefined, positionUs) : undefined;
  }

  /** Players stop where sound is missing, so silence is written where it does not come. */
  #fillSound(pictureUs: number): void {
    const line = this.#audio?.line;
    const beganUs = this.#beganUs ?? pictureUs;
    if (line === undefined) return;
    const isGone = pictureUs - (this.#heardUs ?? beganUs) > soundGoneUs;
    const dueUs = pictureUs - (isGone ? 0 : this.#soundWaitUs);
    if (dueUs > (line.endUs ?? beganUs)) this.#sound.push(...line.silenceUpTo(dueUs, beganUs));
  }

  #part(held: Held | undefined, endTimeUs: number): LivePart {
    const tracks: Fmp4TrackSamples[] = [];
    const sound = this.#sound;
    this.#sound = [];
    if (held !== undefined && this.#video !== undefined) {
      const track = this.#video.played;
      tracks.push({ track, samples: [held.sample], decodeTimesUs: [held.decodeUs], endTimeUs });
    }
    if (sound.length > 0 && this.#audio !== undefined) {
      tracks.push({ track: this.#audio.played, samples: sound, endTimeUs });
    }
    this.#sequenceNumber = (this.#sequenceNumber % 0xffff_ffff) + 1;
    return {
      bytes: fmp4Fragment({ sequenceNumber: this.#sequenceNumber, tracks }),
      isStart: this.#video === undefined || held?.sample.isKey === true,
      beginUs: held?.sample.presentationTimeUs ?? sound[0]?.presentationTimeUs ?? endTimeUs,
    };
  }
}
