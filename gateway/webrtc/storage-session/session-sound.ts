/**
 * Who hears whom in a session: everybody all others. Where that is one person its packets pass as they are; only when more talk
 * are they decoded, added and encoded again, and for the recording as soon as any viewer talks.
 */

import type { types } from 'mediasoup';
import {
  type AudioDependencies,
  Mixer,
  opusToPcm,
  pcmToOpus,
  type SoundPacket,
  type SoundUnit,
  type Transcoder,
  type Voice,
} from '../audio/index.ts';
import type { Exchange, SentLine } from './exchange.ts';
import { storageSessionLimits } from './limits.ts';
import type { RtpPacket } from './rtp.ts';

/** What is recorded, while it is. */
export type SoundRecorder = { setMixed(isMixed: boolean): void; mixed(step: SoundPacket): void };

type Decoding = { readonly voice: Voice; readonly decoder: Transcoder };

type Talker = {
  readonly who: object;
  readonly isMaster: boolean;
  heardMs: number;
  isActive: boolean;
  decoding: Decoding | undefined;
};

type Hearer = { readonly who: object; readonly line: SentLine; encoding: Encoding | undefined };
type Encoding = { readonly encoder: Transcoder; readonly without: Voice | undefined; readonly stop: () => void };

export class SessionSound {
  readonly #deps: AudioDependencies & { readonly exchange: Exchange };
  readonly #mixer: Mixer;
  readonly #talkers = new Set<Talker>();
  readonly #hearers = new Set<Hearer>();
  #recorder: SoundRecorder | undefined;
  #stopRecording: (() => void) | undefined;
  #recordedTimesOf: Voice | undefined;
  readonly #ending = new Set<Promise<void>>();

  constructor(deps: AudioDependencies & { readonly exchange: Exchange }) {
    this.#deps = deps;
    this.#mixer = new Mixer(deps);
  }

  /** Somebody may talk. Returns how it leaves. @throws AppError unavailable  it is gone already */
  async addTalker(
    who: object,
    producer: types.Producer,
    { isMaster }: { readonly isMaster: boolean },
  ): Promise<() => void> {
    const talker: Talker = { who, isMaster, heardMs: 0, isActive: false, decoding: undefined };
    const consumer = await this.#deps.exchange.tap(producer, (packet) => this.#onPacket(talker, packet));
    this.#talkers.add(talker);
    return () => {
      consumer.close();
      this.#talkers.delete(talker);
      this.#endDecoding(talker);
      this.#arrange();
    };
  }

  /** A line on which somebody hears all others, silent while nobody talks. @throws AppError unavailable */
  async addHearer(who: object): Promise<{ readonly producer: types.Producer; close(): void }> {
    const line = await this.#deps.exchange.openLine('audio');
    const hearer: Hearer = { who, line, encoding: undefined };
    this.#hearers.add(hearer);
    this.#arrange();
    return {
      producer: line.producer,
      close: () => {
        this.#hearers.delete(hearer);
        this.#endEncoding(hearer);
        line.close();
      },
    };
  }

  /** What is recorded gets the mix, when it is needed. Undefined: nothing is recorded any more. */
  record(recorder: SoundRecorder | undefined): void {
    this.#endMixedRecording();
    this.#recorder = recorder;
    this.#arrange();
  }

  /** The master's sound as it is recorded: with the times of the recording. */
  onMasterSound(unit: SoundUnit): void {
    for (const { isMaster, decoding } of this.#talkers) if (isMaster) decoding?.decoder.push(unit);
  }

  /** Who sent nothing for a while is no longer mixed. To be called every second or so. */
  look(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const talker of this.#talkers) {
      if (nowMs - talker.heardMs > storageSessionLimits.quietMsMax) talker.isActive = false;
    }
    this.#arrange();
  }

  async close(): Promise<void> {
    this.record(undefined);
    for (const talker of this.#talkers) this.#endDecoding(talker);
    for (const hearer of this.#hearers) {
      this.#endEncoding(hearer);
      hearer.line.close();
    }
    this.#talkers.clear();
    this.#hearers.clear();
    this.#mixer.close();
    await Promise.all(this.#ending);
  }

  #onPacket(talker: Talker, packet: RtpPacket): void {
    const nowMs = this.#deps.clock.monotonicMs();
    talker.heardMs = nowMs;
    if (!talker.isActive) {
      talker.isActive = true;
      this.#arrange();
    }
    for (const hearer of this.#hearers) {
      if (hearer.who !== talker.who && hearer.encoding === undefined) hearer.line.send(packet, talker);
    }
    // The master's comes with the times of its recording, if there is one.
    if (talker.isMaster && this.#recorder !== undefined) return;
    talker.decoding?.decoder.push({ presentationTimeUs: Math.round(nowMs * 1_000), bytes: packet.payload });
  }

  /** Brings children and mixer to what is needed now. */
  #arrange(): void {
    const active = [...this.#talkers].filter(({ isActive }) => isActive);
    const isRecordedMixed = this.#recorder !== undefined && active.some(({ isMaster }) => !isMaster);
    const isMixed = (hearer: Hearer) => active.filter(({ who }) => who !== hearer.who).length > 1;
    const isNeeded = isRecordedMixed || [...this.#hearers].some(isMixed);
    for (const talker of this.#talkers) {
      if (isNeeded && talker.isActive) talker.decoding ??= this.#decode();
      else this.#endDecoding(talker);
    }
    for (const hearer of this.#hearers) {
      const without = [...this.#talkers].find(({ who }) => who === hearer.who)?.decoding?.voice;
      if (hearer.encoding !== undefined && hearer.encoding.without !== without) this.#endEncoding(hearer);
      if (isMixed(hearer)) hearer.encoding ??= this.#encode(hearer, without);
      else this.#endEncoding(hearer);
    }
    this.#recordMixed(isRecordedMixed);
    if (isNeeded) this.#mixer.start();
    else this.#mixer.close();
  }

  #recordMixed(isMixed: boolean): void {
    const recorder = this.#recorder;
    if (!isMixed || recorder === undefined) {
      this.#endMixedRecording();
      return;
    }
    const timesOf = [...this.#talkers].find(({ isMaster }) => isMaster)?.decoding?.voice;
    if (this.#stopRecording !== undefined && this.#recordedTimesOf === timesOf) return;
    // Without the master there are no times: its recording is about to end.
    if (timesOf === undefined) return;
    this.#stopRecording?.();
    this.#recordedTimesOf = timesOf;
    recorder.setMixed(true);
    this.#stopRecording = this.#mixer.listen({ timesOf, onStep: (step) => recorder.mixed(step) });
  }

  #endMixedRecording(): void {
    this.#stopRecording?.();
    this.#stopRecording = undefined;
    this.#recordedTimesOf = undefined;
    this.#recorder?.setMixed(false);
  }

  #decode(): Decoding {
    const voice = this.#mixer.addVoice();
    return { voice, decoder: opusToPcm(this.#deps, { onPacket: (step) => voice.push(step) }) };
  }

  #endDecoding(talker: Talker): void {
    if (talker.decoding === undefined) return;
    talker.decoding.voice.remove();
    this.#end(talker.decoding.decoder);
    talker.decoding = undefined;
  }

  #encode({ line }: Hearer, without: Voice | undefined): Encoding {
    const source = {};
    let sequence = 0;
    const encoder = pcmToOpus(this.#deps, {
      onPacket: ({ bytes, presentationTimeUs }) => {
        const rtpTime = Math.round((presentationTimeUs * 48) / 1_000) >>> 0;
        line.send({ isMarked: sequence === 0, sequence: sequence++ & 0xffff, rtpTime, payload: bytes }, source);
      },
    });
    const stop = this.#mixer.listen({ without, onStep: (step) => encoder.push(step) });
    return { encoder, without, stop };
  }

  #endEncoding(hearer: Hearer): void {
    if (hearer.encoding === undefined) return;
    hearer.encoding.stop();
    this.#end(hearer.encoding.encoder);
    hearer.encoding = undefined;
  }

  #end(transcoder: Transcoder): void {
    const ending = transcoder.close().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}
