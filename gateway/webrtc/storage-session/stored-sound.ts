/**
 * On the way from a master to its recording: pictures pass, sound becomes AAC. While viewers talk it is the mix of all that is recorded,
 * with the master's times. Where sound cannot be transcoded the recording goes on without.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import type { Track } from '../../../storage/model/track.ts';
import {
  type AudioDependencies,
  opusToAac,
  pcmToAac,
  recordedAacTrack,
  type SoundPacket,
  type SoundUnit,
  type Transcoder,
  type TranscoderEvents,
} from '../audio/index.ts';
import type { MediaSink } from '../receive/index.ts';
import { storageSessionLimits } from './limits.ts';

/** How the rest of the session hears the master, and mixes. */
export type MasterSound = {
  /** A packet of the master, on the timeline of its recording. */
  onMasterSound(unit: SoundUnit): void;
};

export type StoredSoundDeps = AudioDependencies & {
  readonly clock: Clock;
  readonly sound: MasterSound;
  /** Where all of it goes. */
  readonly target: MediaSink;
};

type Session = Parameters<MediaSink['session']>;

/** Frames of two encoders overlap by what each puts in front of its first one. */
const overlapUsMax = 10_000;

export class StoredSound implements MediaSink {
  readonly #deps: StoredSoundDeps;
  /** As the target was told; undefined before the first. */
  #session: { readonly tracks: readonly Track[]; readonly reason: Session[1] } | undefined;
  #audio: Track | undefined;
  #encoder: Transcoder | undefined;
  #isMixed = false;
  #isWithoutSound = false;
  #isClosed = false;
  /** Of the last sound that came: producer's wall time minus presentation time. */
  #producerOffsetMs: number | undefined;
  #endUs = Number.NEGATIVE_INFINITY;
  readonly #ending = new Set<Promise<void>>();

  constructor(deps: StoredSoundDeps) {
    this.#deps = deps;
  }

  session(tracks: readonly Track[], reason: Session[1]): void {
    const opus = tracks.find(({ codec }) => codec === 'opus');
    this.#audio = opus === undefined ? undefined : recordedAacTrack(opus.number);
    this.#session = {
      tracks: tracks.map((track) => (track === opus && this.#audio !== undefined ? this.#audio : track)),
      reason,
    };
    this.#isWithoutSound = false;
    this.#endUs = Number.NEGATIVE_INFINITY;
    this.#producerOffsetMs = undefined;
    // What the old one still holds is on a timeline that has ended.
    this.#replaceEncoder();
    this.#deps.target.session(this.#session.tracks, reason);
  }

  unit(unit: AccessUnit): void {
    if (unit.trackNumber !== this.#audio?.number) {
      this.#deps.target.unit(unit);
      return;
    }
    const { producerTimestampMs, presentationTimeUs } = unit;
    this.#producerOffsetMs =
      producerTimestampMs === undefined ? undefined : producerTimestampMs - presentationTimeUs / 1_000;
    if (!this.#isMixed) this.#encoder?.push(unit);
    this.#deps.sound.onMasterSound(unit);
  }

  loss(loss: Parameters<MediaSink['loss']>[0]): void {
    // A packet of sound that is missing is a hole in what is decoded, and no more.
    if (loss.trackNumber !== this.#audio?.number) this.#deps.target.loss(loss);
  }

  clock(clock: Parameters<MediaSink['clock']>[0]): void {
    this.#deps.target.clock(clock);
  }

  warning(text: string): void {
    this.#deps.target.warning?.(text);
  }

  /** From now on `mixed` brings the sound, or the master alone again. */
  setMixed(isMixed: boolean): void {
    if (this.#isMixed === isMixed || this.#isClosed) return;
    this.#isMixed = isMixed;
    // The last sound of the old one is part of the recording.
    this.#replaceEncoder({ drainMs: storageSessionLimits.drainMs });
  }

  /** 20 ms of everybody, on the timeline of the recording. */
  mixed(step: SoundPacket): void {
    if (this.#isMixed) this.#encoder?.push(step);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#replaceEncoder();
    await Promise.all(this.#ending);
  }

  #replaceEncoder({ drainMs = 0 } = {}): void {
    const old = this.#encoder;
    if (old !== undefined) this.#end(old, drainMs);
    this.#encoder = undefined;
    if (this.#isClosed || this.#audio === undefined) return;
    const session = this.#session;
    const encoder: { current?: Transcoder } = {};
    const events: TranscoderEvents = {
      onPacket: (packet) => {
        if (session === this.#session && !this.#isClosed) this.#deliver(packet);
      },
      onNote: (note) => {
        if (encoder.current === this.#encoder && !this.#isClosed) this.#onNote(note);
      },
    };
    encoder.current = this.#isMixed ? pcmToAac(this.#deps, events) : opusToAac(this.#deps, events);
    this.#encoder = encoder.current;
  }

  #end(encoder: Transcoder, drainMs: number): void {
    const drained = drainMs === 0 ? Promise.resolve() : this.#deps.clock.sleep(drainMs);
    const ending = drained.then(() => encoder.close()).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  #deliver({ presentationTimeUs, durationUs, bytes }: SoundPacket): void {
    const track = this.#audio;
    if (track === undefined || this.#isWithoutSound || presentationTimeUs < this.#endUs - overlapUsMax) return;
    this.#endUs = presentationTimeUs + durationUs;
    const offsetMs = this.#producerOffsetMs;
    this.#deps.target.unit({
      trackNumber: track.number,
      presentationTimeUs,
      producerTimestampMs: offsetMs === undefined ? undefined : Math.round(offsetMs + presentationTimeUs / 1_000),
      receivedMonotonicMs: this.#deps.clock.monotonicMs(),
      isKey: true,
      isAfterLoss: false,
      bytes,
    });
  }

  /** A recording that waited for sound that does not come would be none. */
  #onNote(note: string | undefined): void {
    const isWithout = note !== undefined;
    const session = this.#session;
    if (session === undefined || isWithout === this.#isWithoutSound) return;
    this.#isWithoutSound = isWithout;
    if (note !== undefined) this.#deps.target.warning?.(`recorded without sound: ${note}`);
    const tracks = session.tracks.filter((track) => !isWithout || track !== this.#audio);
    this.#deps.target.session(tracks, session.reason);
  }
}
