/**
 * The sum of several people's sound, in steps of 20 ms by our own clock: whoever says nothing just now is silence, whoever talks faster
 * than the clock loses a little. PCM of 48 kHz, two channels, signed 16 bit, as `opusToPcm` gives it.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { pcmStepBytes, stepUs } from './forms.ts';
import { audioLimits } from './limits.ts';
import type { SoundPacket } from './transcoder.ts';

/** One who talks. */
export type Voice = {
  /** A step of 20 ms, owned by the mixer from now on. Of what waits for too long the oldest goes. */
  push(step: SoundPacket): void;
  /** Steps that were too much. */
  readonly dropped: number;
  remove(): void;
};

export type ListenerOptions = {
  /** Whom it does not hear: itself. */
  readonly without?: Voice | undefined;
  /**
   * Whose presentation times it gets: nothing before that one is heard for the first time, and while it is silent they go on by 20 ms.
   * Otherwise they count from the first step.
   */
  readonly timesOf?: Voice | undefined;
  /** Each 20 ms; bytes are the listener's own. */
  readonly onStep: (step: SoundPacket) => void;
};

type Speaker = Voice & { take(): SoundPacket | undefined };
type Listener = ListenerOptions & { timeUs: number | undefined };

export class Mixer {
  readonly #clock: Clock;
  readonly #speakers = new Set<Speaker>();
  readonly #listeners = new Set<Listener>();
  #cancel: (() => void) | undefined;
  #beganMs = 0;
  #steps = 0;

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** Nothing ticks before. May be called again after `close`. */
  start(): void {
    if (this.#cancel !== undefined) return;
    this.#beganMs = this.#clock.monotonicMs();
    this.#steps = 0;
    this.#cancel = this.#clock.every(stepUs / 1_000, () => this.#tick());
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  addVoice(): Voice {
    const waiting: SoundPacket[] = [];
    let isHeard = false;
    let dropped = 0;
    const speaker: Speaker = {
      push(step) {
        waiting.push(step);
        if (waiting.length <= audioLimits.voiceStepsMax) return;
        dropped += waiting.splice(0, waiting.length - audioLimits.voiceStepsBegin).length;
      },
      take() {
        // Who begins is let to have some steps ahead, so that the next one may be late.
        isHeard = waiting.length >= (isHeard ? 1 : audioLimits.voiceStepsBegin);
        return isHeard ? waiting.shift() : undefined;
      },
      remove: () => void this.#speakers.delete(speaker),
      get dropped() {
        return dropped;
      },
    };
    this.#speakers.add(speaker);
    return speaker;
  }

  /** Returns how to listen no more. */
  listen(options: ListenerOptions): () => void {
    const listener: Listener = { ...options, timeUs: options.timesOf === undefined ? 0 : undefined };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** As many steps as are due: a busy process ticks late. What is due for too long is left out. */
  #tick(): void {
    const due = Math.floor(((this.#clock.monotonicMs() - this.#beganMs) * 1_000) / stepUs);
    this.#steps = Math.max(this.#steps, due - audioLimits.lateStepsMax);
    for (; this.#steps < due; this.#steps++) this.#step();
  }

  #step(): void {
    const sum = new Int32Array(pcmStepBytes / 2);
    const heard = new Map<Voice, { readonly step: SoundPacket; readonly samples: Int16Array }>();
    for (const speaker of this.#speakers) {
      const step = speaker.take();
      if (step === undefined) continue;
      const samples = samplesOf(step.bytes);
      heard.set(speaker, { step, samples });
      for (const [i, sample] of samples.entries()) sum[i] = (sum[i] ?? 0) + sample;
    }
    for (const listener of [...this.#listeners]) {
      const own = listener.without === undefined ? undefined : heard.get(listener.without)?.samples;
      const reference = listener.timesOf === undefined ? undefined : heard.get(listener.timesOf)?.step;
      const presentationTimeUs = reference?.presentationTimeUs ?? listener.timeUs;
      if (presentationTimeUs === undefined) continue;
      listener.timeUs = presentationTimeUs + stepUs;
      listener.onStep({ presentationTimeUs, durationUs: stepUs, bytes: difference(sum, own) });
    }
  }
}

/** Two who shout at once are as loud as there are numbers for. */
function difference(sum: Int32Array, own: Int16Array | undefined): Uint8Array {
  const samples = new Int16Array(sum.length);
  for (const [i, all] of sum.entries()) samples[i] = Math.max(-0x8000, Math.min(0x7fff, all - (own?.[i] ?? 0)));
  return new Uint8Array(samples.buffer);
}

/** Little endian, as every machine that runs this; a step that is cut off or too long is as long as a step. */
function samplesOf(bytes: Uint8Array): Int16Array {
  const step = new Uint8Array(pcmStepBytes);
  step.set(bytes.subarray(0, pcmStepBytes));
  return new Int16Array(step.buffer);
}
