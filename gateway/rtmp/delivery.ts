/**
 * The media side of a publisher: what its messages are worth as tracks and access units on the session's timeline, when the session
 * can be announced, and whether anything still comes. Synchronous from the socket's callback to the sink.
 */

import type { Clock } from '../../storage/base/clock.ts';
import { appError, isAppError } from '../../storage/base/errors.ts';
import { aacTrack, g711Track, isKeyAccessUnit, opusTrack, parseOpusHead } from '../../storage/media/index.ts';
import type { Track } from '../../storage/model/track.ts';
import type { SessionReason, SourceEnd, SourceSink } from '../rtsp/index.ts';
import { ends } from './ends.ts';
import { rtmpLimits } from './limits.ts';
import { accessUnitOf, describePicture, isSamePicture, type PictureDescription, parameterSetUnits } from './picture.ts';
import { type MediaType, messageTypes } from './protocol.ts';
import { type AudioTag, readAudioTag, readVideoTag, type VideoTag } from './tags.ts';
import { type Place, RtmpTimeline } from './timeline.ts';

const videoNumber = 1;
const audioNumber = 2;
const watchPeriodMs = 1_000;
const watchLateMs = 3 * watchPeriodMs;
const warningsMax = 20;
const g711Hz = 8_000;

/** What the sink was told. */
type Announced = { readonly picture: PictureDescription | undefined; readonly audio: Track | undefined };

export class RtmpDelivery {
  readonly #clock: Clock;
  readonly #sink: SourceSink;
  readonly #onFault: (end: SourceEnd) => void;
  readonly #beganMs: number;
  readonly #timeline = new RtmpTimeline();
  readonly #warnings = new Set<string>();
  /** As the publisher described it last; the session takes it over at the next key frame. */
  #picture: PictureDescription | undefined;
  #audio: Track | undefined;
  /** Of the audio configuration in use, to tell a repeated one from another. */
  #audioConfiguration: Uint8Array | undefined;
  #announced: Announced | undefined;
  /** Parameter sets that differ from the session's own: they go before each key frame, so that playback can begin at any. */
  #prefix: Uint8Array | undefined;
  #unsupported: string | undefined;
  #isAfterLoss = false;
  #hasPicture = false;
  #firstSoundMs = Number.NaN;
  #lastMediaMs: number;
  #lastLeadMs: number;
  #watchedMs: number;
  #unitsSinceMs = Number.NaN;
  #units = 0;
  #stopWatching: () => void = () => {};

  constructor(deps: {
    readonly clock: Clock;
    readonly sink: SourceSink;
    readonly onFault: (end: SourceEnd) => void;
  }) {
    this.#clock = deps.clock;
    this.#sink = deps.sink;
    this.#onFault = deps.onFault;
    this.#beganMs = deps.clock.monotonicMs();
    this.#lastMediaMs = this.#beganMs;
    this.#lastLeadMs = this.#beganMs;
    this.#watchedMs = this.#beganMs;
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

  /** @param message  a tag's body; borrowed until return */
  media(type: MediaType, timestampMs: number, message: Uint8Array): void {
    const nowMs = this.#clock.monotonicMs();
    this.#lastMediaMs = nowMs;
    if (this.#isFlood(nowMs)) return;
    if (type === messageTypes.video) this.#videoTag(readVideoTag(message), timestampMs, nowMs);
    else this.#audioTag(readAudioTag(message), timestampMs, nowMs);
  }

  #videoTag(tag: VideoTag | { readonly kind: 'malformed' }, timestampMs: number, nowMs: number): void {
    switch (tag.kind) {
      case 'configuration':
        this.#describePicture(tag.codec, tag.body);
        return;
      case 'frame':
        this.#frame(tag, timestampMs, nowMs);
        return;
      case 'unsupported':
        this.#unsupported ??= tag.what;
        this.#warn(`the picture is left out: ${tag.what} is not recorded`);
        return;
      case 'malformed':
        this.#warn('some pictures of the publisher break the format and are left out');
        return;
      case 'other':
        return;
    }
  }

  #audioTag(tag: AudioTag | { readonly kind: 'malformed' }, timestampMs: number, nowMs: number): void {
    switch (tag.kind) {
      case 'configuration':
        this.#describeSound(tag.codec, tag.body);
        return;
      case 'frame':
        if (tag.codec === 'pcmu' || tag.codec === 'pcma') this.#describeG711(tag.codec, tag.channels);
        this.#sound(tag.codec, tag.body, timestampMs, nowMs);
        return;
      case 'unsupported':
        this.#warn(`the sound is left out: ${tag.what} is not recorded`);
        return;
      case 'malformed':
        this.#warn('some sound of the publisher breaks the format and is left out');
        return;
      case 'other':
        return;
    }
  }

  #describePicture(codec: 'h264' | 'h265', body: Uint8Array): void {
    // Encoders repeat it with every key frame: the usual case costs a comparison.
    if (this.#picture?.track.codec === codec && Buffer.compare(this.#picture.bytes, body) === 0) return;
    const picture = describePicture(codec, body, { trackNumber: videoNumber });
    if (picture === undefined) this.#warn("the publisher's description of its picture cannot be read");
    else this.#picture = picture;
  }

  #describeSound(codec: 'aac' | 'opus', body: Uint8Array): void {
    if (this.#audio?.codec === codec && Buffer.compare(this.#audioConfiguration ?? new Uint8Array(0), body) === 0)
      return;
    try {
      this.#audio = codec === 'aac' ? aacTrack(audioNumber, body) : opusTrackOf(body);
      this.#audioConfiguration = body.slice();
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#warn("the publisher's description of its sound cannot be read");
    }
  }

  #describeG711(law: 'pcmu' | 'pcma', channels: number): void {
    if (this.#audio?.codec === law && this.#audio.audio?.channels === channels) return;
    this.#audio = g711Track(audioNumber, { law, samplingFrequencyHz: g711Hz, channels });
  }

  #frame(tag: Extract<VideoTag, { kind: 'frame' }>, timestampMs: number, nowMs: number): void {
    const picture = this.#picture;
    if (picture === undefined || picture.track.codec !== tag.codec) {
      this.#warn('pictures came before their description and are left out');
      return;
    }
    const bytes = accessUnitOf(picture, tag.body);
    if (bytes === undefined || Math.abs(tag.compositionMs) > rtmpLimits.timeJumpMs) {
      this.#isAfterLoss = true;
      this.#warn('some pictures of the publisher cannot be read and are left out');
      return;
    }
    const isKey = isKeyAccessUnit(tag.codec, bytes);
    if (isKey) this.#atKeyFrame(picture);
    const announced = this.#announced?.picture;
    // Before the first key frame, or between a real change of the picture and its key frame.
    if (announced === undefined || !isSamePicture(announced, picture)) return;
    this.#hasPicture = true;
    this.#lastLeadMs = nowMs;
    const place = this.#lead(timestampMs, nowMs, isKey);
    this.#sink.unit({
      trackNumber: videoNumber,
      presentationTimeUs: place.decodeTimeUs + tag.compositionMs * 1_000,
      producerTimestampMs: undefined,
      receivedMonotonicMs: nowMs,
      isKey,
      isAfterLoss: this.#isAfterLoss,
      bytes: isKey && this.#prefix !== undefined ? Buffer.concat([this.#prefix, bytes]) : bytes,
    });
    this.#isAfterLoss = false;
  }

  /** Here a session may begin, and what was described since the last one is taken over. */
  #atKeyFrame(picture: PictureDescription): void {
    const announced = this.#announced;
    if (announced === undefined) {
      this.#announce('started');
      return;
    }
    const isOtherPicture = announced.picture === undefined || !isSamePicture(announced.picture, picture);
    if (isOtherPicture || announced.audio !== this.#audio) {
      this.#announce('tracks-changed');
      return;
    }
    if (announced.picture !== picture) {
      this.#prefix = parameterSetUnits(picture);
      this.#announced = { picture, audio: announced.audio };
    }
  }

  #sound(codec: Track['codec'], bytes: Uint8Array, timestampMs: number, nowMs: number): void {
    if (bytes.length === 0) return;
    if (this.#audio?.codec !== codec) {
      this.#warn('sound came before its description and is left out');
      return;
    }
    if (Number.isNaN(this.#firstSoundMs)) this.#firstSoundMs = nowMs;
    const isAlone = !this.#hasPicture && (this.#picture === undefined || this.#unsupported !== undefined);
    if (isAlone && nowMs - this.#firstSoundMs >= rtmpLimits.soundAloneMs) {
      if (this.#announced === undefined) this.#announce('started');
      else if (this.#announced.audio !== this.#audio) this.#announce('tracks-changed');
    }
    // Described later than the picture, or anew: it joins at the next key frame.
    if (this.#announced === undefined || this.#announced.audio !== this.#audio) return;
    const isLead = this.#announced.picture === undefined;
    if (isLead) this.#lastLeadMs = nowMs;
    const place = isLead ? this.#lead(timestampMs, nowMs, true) : this.#timeline.placeOther(timestampMs);
    if (Number.isNaN(place.decodeTimeUs)) {
      this.#warn('sound that is far from the picture in time is left out');
      return;
    }
    this.#sink.unit({
      trackNumber: audioNumber,
      presentationTimeUs: place.decodeTimeUs,
      producerTimestampMs: undefined,
      receivedMonotonicMs: nowMs,
      isKey: true,
      isAfterLoss: false,
      bytes,
    });
  }

  #lead(timestampMs: number, nowMs: number, canBegin: boolean): Place {
    const place = this.#timeline.placeLead(timestampMs, nowMs, { canBegin });
    if (place.isJump) this.#tell('time-jump');
    return place;
  }

  #announce(reason: SessionReason): void {
    this.#announced = { picture: this.#picture, audio: this.#audio };
    this.#prefix = undefined;
    this.#timeline.restart();
    this.#tell(reason);
  }

  #tell(reason: SessionReason): void {
    const tracks = [this.#announced?.picture?.track, this.#announced?.audio];
    this.#sink.session(
      tracks.filter((track) => track !== undefined),
      reason,
    );
  }

  /** Each unit costs the whole process some time: a publisher that makes thousands a second is ended. */
  #isFlood(nowMs: number): boolean {
    if (!(nowMs - this.#unitsSinceMs < rtmpLimits.unitsPeriodMs)) {
      this.#unitsSinceMs = nowMs;
      this.#units = 0;
    }
    this.#units++;
    if (this.#units === rtmpLimits.unitsPerPeriodMax + 1) {
      const seconds = rtmpLimits.unitsPeriodMs / 1_000;
      this.#onFault(
        ends.protocol(`the publisher sends more than ${rtmpLimits.unitsPerPeriodMax} messages within ${seconds} s`),
      );
    }
    return this.#units > rtmpLimits.unitsPerPeriodMax;
  }

  /** Once a second: silence, and pictures that never begin. */
  #watch(): void {
    const nowMs = this.#clock.monotonicMs();
    const isLate = nowMs - this.#watchedMs > watchLateMs;
    this.#watchedMs = nowMs;
    // This process stood still itself: what came meanwhile is still to be read.
    if (isLate) return;
    const end = this.#announced === undefined ? this.#notBegun(nowMs) : this.#silence(nowMs);
    if (end !== undefined) this.#onFault(end);
  }

  #notBegun(nowMs: number): SourceEnd | undefined {
    const silentMs = nowMs - this.#lastMediaMs;
    if (silentMs > rtmpLimits.silenceMs) {
      return ends.silent(`the publisher connected and sent nothing for ${Math.round(silentMs / 1_000)} s`);
    }
    const waitedMs = nowMs - this.#beganMs;
    const isSoundComing = !Number.isNaN(this.#firstSoundMs);
    if (this.#unsupported !== undefined && !isSoundComing && waitedMs > rtmpLimits.soundAloneMs) {
      return ends.unsupported(this.#unsupported);
    }
    if (waitedMs <= rtmpLimits.firstKeyMs) return undefined;
    return {
      ...ends.protocol(`no picture that is decodable alone came within ${Math.round(waitedMs / 1_000)} s`),
      hint: 'shorten the interval of key frames in the encoder, 2 s is best',
    };
  }

  #silence(nowMs: number): SourceEnd | undefined {
    const silentMs = nowMs - this.#lastLeadMs;
    if (silentMs <= rtmpLimits.silenceMs) return undefined;
    const noun = this.#announced?.picture === undefined ? 'sound' : 'picture';
    return ends.silent(`no ${noun} came for ${Math.round(silentMs / 1_000)} s`);
  }

  #warn(text: string): void {
    if (this.#warnings.has(text) || this.#warnings.size >= warningsMax) return;
    this.#warnings.add(text);
    this.#sink.warning?.(text);
  }
}

/** @throws AppError  not an OpusHead, or one of more than two channels, whose map `Track` does not keep */
function opusTrackOf(body: Uint8Array): Track {
  const { channels, mappingFamily } = parseOpusHead(body);
  if (mappingFamily !== 0) throw appError('unimplemented', 'opus of more than two channels', { channels });
  return opusTrack(audioNumber, { channels });
}
