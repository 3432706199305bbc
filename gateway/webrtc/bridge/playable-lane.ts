/**
 * A stream's lane as if the camera sent what WebRTC plays: H.264 without B-frames, Opus or G.711. What is that already passes
 * untouched; the rest goes through a child of its own, only while this lane is read.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, isAppError, toAppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { LaneClient, LaneEvent, LaneUnit, SubscribeOptions } from '../../../storage/lane/index.ts';
import { opusTrack } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import type { Conversions } from '../../playback/index.ts';
import { readJoin, unitsOf } from '../../rtp/index.ts';
import { aacToOpus, type Transcoder } from '../audio/index.ts';
import { bridgeLimits } from './limits.ts';
import { MergedEvents } from './merged-events.ts';
import { isReordered, type WhyConverted, whyConverted } from './unplayable.ts';
import { VideoConversion } from './video-conversion.ts';

export type PlayableLaneDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** 0..1, jitter of restarts. */
  readonly random: () => number;
  readonly lane: Pick<LaneClient, 'subscribe'>;
  /** The places that all conversions of video share. */
  readonly conversions: Pick<Conversions, 'enterRunning' | 'leaveRunning' | 'encoder'>;
  readonly ffmpeg: string;
  /** Names of those who watch, for those who are turned away. */
  readonly viewers: () => readonly string[];
  /** The stream cannot be converted: nothing comes until `retry` succeeds. */
  readonly onTrouble: (error: AppError) => void;
  readonly onClosed: () => void;
};

/** Changed sound has a number of its own: the open fragment of a lane that is joined still holds the old one. */
const changedNumber = 100;

/** Has a place for a moment, where a stream turns out to need one after its last viewer left. */
const nobody = 'nobody any more';

const whyTexts: Readonly<Record<WhyConverted, string>> = {
  h265: 'the picture is converted from H.265, which browsers do not play by WebRTC',
  pixels: 'the picture is converted, since browsers do not play its form of pixels by WebRTC',
  'b-frames': 'the picture is converted, since the camera sends B-frames, which WebRTC does not know',
};

export class PlayableLane implements Pick<LaneClient, 'subscribe'> {
  readonly #deps: PlayableLaneDeps;
  readonly #streamId: string;
  #events = new MergedEvents<LaneEvent>();
  /** What the source sends. */
  #tracks: readonly Track[] = [];
  /** What is made of it, as far as it is known. */
  #shown: Track[] = [];
  /** False while a conversion has not told its track: nothing is passed on meanwhile. */
  #isTold = false;
  #sawReordered = false;
  #newestUs = Number.NEGATIVE_INFINITY;
  #hasJoined = false;
  #video: { readonly from: Track; readonly conversion: VideoConversion } | undefined;
  #audio: { readonly from: Track; readonly transcoder: Transcoder; last: LaneUnit | undefined } | undefined;
  #names: readonly string[] = [];
  readonly #closing = new Set<Promise<void>>();
  #notes: readonly string[] = [];
  #trouble: AppError | undefined;

  constructor(deps: PlayableLaneDeps, options: { readonly streamId: string }) {
    this.#deps = deps;
    this.#streamId = options.streamId;
  }

  /** What is left out or changed, in sentences for people. */
  get notes(): readonly string[] {
    const soundNote = this.#audio?.transcoder.note;
    return soundNote === undefined ? this.#notes : [...this.#notes, soundNote];
  }

  /** Why nothing comes, where it is not the camera's absence. */
  get trouble(): AppError | undefined {
    return this.#trouble;
  }

  /** What the camera sends; none while it is not live. */
  get codecIds(): readonly string[] {
    return this.#tracks.map(({ codecId }) => codecId);
  }

  /** True from the camera's description to the first picture of a conversion. */
  get isStarting(): boolean {
    return this.#video !== undefined && !this.#isTold;
  }

  /** Children that run for it. */
  get children(): number {
    return (this.#video === undefined ? 0 : 1) + (this.#audio === undefined ? 0 : 1);
  }

  /** Tries again what was refused. */
  retry(): void {
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    if (this.#tracks.length > 0) this.#begin({ kind: 'session', tracks: this.#tracks });
  }

  async *subscribe(streamId: string, options: SubscribeOptions): AsyncGenerator<LaneEvent> {
    const events = new MergedEvents<LaneEvent>();
    this.#events = events;
    const stop = () => events.end();
    options.signal?.addEventListener('abort', stop);
    const cancelKeep = this.#deps.clock.every(bridgeLimits.conversionKeepMs, () => this.#keepPlace());
    const reading = this.#read(streamId, options, events);
    try {
      yield* events.read();
    } finally {
      options.signal?.removeEventListener('abort', stop);
      cancelKeep();
      events.end();
      this.#endSession();
      this.#deps.onClosed();
      await reading;
      await Promise.all(this.#closing);
    }
  }

  async #read(streamId: string, options: SubscribeOptions, events: MergedEvents<LaneEvent>): Promise<void> {
    try {
      for await (const event of this.#deps.lane.subscribe(streamId, options)) {
        await this.#onEvent(event);
        await events.drained();
        if (options.signal?.aborted === true) return;
      }
      events.end();
    } catch (error) {
      events.end(error);
    }
  }

  async #onEvent(event: LaneEvent): Promise<void> {
    switch (event.kind) {
      case 'joined': {
        const isFirst = !this.#hasJoined;
        this.#hasJoined = true;
        this.#begin(event);
        // Later the fragment holds what was shown already, and the conversion goes on with the next key frame.
        if (isFirst && this.#video !== undefined && event.from !== undefined) await this.#pushFragment(event.from);
        return;
      }
      case 'session':
        this.#begin(event);
        return;
      case 'unit':
        this.#unit(event.unit);
        return;
      case 'ended':
        this.#endSession();
        this.#tracks = [];
        this.#events.push(event);
        return;
      case 'dropped':
        this.#events.push(event);
        return;
    }
  }

  #begin(event: Extract<LaneEvent, { readonly kind: 'joined' | 'session' }>): void {
    this.#endSession();
    this.#tracks = event.tracks;
    this.#newestUs = Number.NEGATIVE_INFINITY;
    const notes: string[] = [];
    this.#shown = event.tracks.flatMap((track) => this.#shownFor(track, notes));
    this.#notes = notes;
    if (this.#trouble !== undefined) {
      this.#events.push({ kind: 'joined', tracks: [], from: undefined });
      return;
    }
    this.#isTold = this.#video === undefined;
    if (this.#isTold) this.#events.push({ ...event, tracks: this.#shown });
  }

  #shownFor(track: Track, notes: string[]): readonly Track[] {
    if (track.kind === 'video') {
      const why = this.#sawReordered ? 'b-frames' : whyConverted(track);
      if (why === undefined) return [track];
      if (this.#video !== undefined) return [];
      notes.push(whyTexts[why]);
      this.#convert(track);
      return [];
    }
    if (track.codec !== 'aac') return [track];
    if (this.#audio !== undefined) return [];
    const shown = opusTrack(track.number + changedNumber, { channels: track.audio?.channels === 1 ? 1 : 2 });
    try {
      const transcoder = aacToOpus(this.#deps, {
        track,
        onPacket: ({ presentationTimeUs, bytes }) => {
          const last = this.#audio?.last;
          if (!this.#isTold || last === undefined) return;
          const serverTimestampMs = last.serverTimestampMs + (presentationTimeUs - last.presentationTimeUs) / 1000;
          const times = { presentationTimeUs, serverTimestampMs, producerTimestampMs: undefined };
          this.#pushUnit({ ...times, trackNumber: shown.number, isKey: true, isAfterLoss: false, bytes });
        },
      });
      this.#audio = { from: track, transcoder, last: undefined };
      return [shown];
    } catch (error) {
      if (!isAppError(error)) throw error;
      notes.push(`sound is left out: ${error.message}`);
      return [];
    }
  }

  #convert(track: Track): void {
    try {
      this.#keepPlaceFor(this.#deps.viewers());
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#refuse(error);
      return;
    }
    const { conversions, ...deps } = this.#deps;
    const conversion = new VideoConversion(
      { ...deps, encoder: () => conversions.encoder() },
      {
        track,
        onTrack: (converted) => this.#told(converted),
        onUnit: (unit) => this.#pushUnit(unit),
        onImpossible: (error) => {
          this.#endSession();
          this.#refuse(error);
          this.#events.push({ kind: 'joined', tracks: [], from: undefined });
        },
      },
    );
    this.#video = { from: track, conversion };
    conversion.start();
  }

  #told(converted: Track): void {
    const others = this.#shown.filter(({ number }) => number !== converted.number);
    this.#shown = [converted, ...others];
    this.#isTold = true;
    this.#events.push({ kind: 'session', tracks: this.#shown });
  }

  #unit(unit: LaneUnit): void {
    if (this.#trouble !== undefined) return;
    if (unit.trackNumber === this.#video?.from.number) {
      this.#video.conversion.push(unit);
      return;
    }
    if (unit.trackNumber === this.#audio?.from.number) {
      this.#audio.last = unit;
      this.#audio.transcoder.push(unit);
      return;
    }
    if (!this.#isTold) return;
    const isVideo = this.#tracks.find(({ number }) => number === unit.trackNumber)?.kind === 'video';
    if (isVideo && isReordered(unit, this.#newestUs)) {
      this.#sawReordered = true;
      this.#begin({ kind: 'session', tracks: this.#tracks });
      return;
    }
    if (isVideo) this.#newestUs = Math.max(this.#newestUs, unit.presentationTimeUs);
    this.#pushUnit(unit);
  }

  #pushUnit(unit: LaneUnit): void {
    this.#events.push({ kind: 'unit', unit });
  }

  async #pushFragment(from: NonNullable<Extract<LaneEvent, { readonly kind: 'joined' }>['from']>): Promise<void> {
    const bytes = await readJoin(from);
    const video = this.#video;
    if (bytes === undefined || video === undefined) return;
    try {
      const units = unitsOf(bytes, [video.from], 1_000_000);
      for (const { trackNumber, mediaMs, isKey, bytes: own } of units) {
        const presentationTimeUs = mediaMs * 1000 + from.sessionOffsetUs;
        const serverTimestampMs = from.serverTimestampMs + mediaMs - (units[0]?.mediaMs ?? 0);
        const times = { presentationTimeUs, serverTimestampMs, producerTimestampMs: undefined };
        video.conversion.push({ ...times, trackNumber, isKey, isAfterLoss: false, bytes: own });
      }
    } catch (error) {
      this.#deps.log.counted('open fragment not readable for a conversion', 1, { streamId: this.#streamId, error });
    }
  }

  #endSession(): void {
    const [video, audio] = [this.#video, this.#audio];
    this.#video = undefined;
    this.#audio = undefined;
    this.#isTold = false;
    if (video !== undefined) {
      this.#deps.conversions.leaveRunning(this.#streamId, this.#names);
      this.#closed(video.conversion.close());
    }
    if (audio !== undefined) this.#closed(audio.transcoder.close());
  }

  #closed(closing: Promise<void>): void {
    const done = closing.catch(() => {}).finally(() => this.#closing.delete(done));
    this.#closing.add(done);
  }

  #refuse(error: AppError): void {
    this.#trouble = error;
    this.#deps.onTrouble(error);
  }

  #keepPlace(): void {
    if (this.#video === undefined) return;
    try {
      this.#keepPlaceFor(this.#deps.viewers());
    } catch (error) {
      // Only after a stall of many seconds: others have the place now.
      this.#endSession();
      this.#refuse(toAppError(error));
      this.#events.push({ kind: 'joined', tracks: [], from: undefined });
    }
  }

  #keepPlaceFor(viewers: readonly string[]): void {
    // Nobody watches for a moment: the place is kept for whoever comes back.
    const kept = this.#names.length > 0 ? this.#names : [nobody];
    const names = viewers.length > 0 ? [...new Set(viewers)].slice(0, bridgeLimits.namesMax) : kept;
    const gone = this.#names.filter((name) => !names.includes(name));
    this.#deps.conversions.enterRunning(this.#streamId, names);
    this.#deps.conversions.leaveRunning(this.#streamId, gone);
    this.#names = names;
  }
}
