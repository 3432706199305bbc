/**
 * One transcoder: an ffmpeg child that gets frame after frame on its standard input and gives frame after frame on its standard
 * output, for as long as its owner wants it. It starts with the first unit, is replaced when it ends, and never holds back more than
 * a second: sound that is late is worth less than sound that is lost.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../../storage/base/clock.ts';
import { errnoOf, isAppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import { mediaEnvironment, yieldToCameras } from '../../../storage/base/media-programs.ts';
import { Backoff } from '../../../storage/base/retry.ts';
import type { FrameReader, FrameWriter, InputForm, OutputForm } from './forms.ts';
import { audioLimits } from './limits.ts';
import { Timeline } from './timeline.ts';
import type { SoundUnit, Transcoder, TranscoderEvents } from './transcoder.ts';

export type AudioDependencies = {
  readonly clock: Clock;
  readonly log: Log;
  /** 0..1, jitter of restarts. */
  readonly random: () => number;
  /** Path of the ffmpeg program. */
  readonly ffmpeg: string;
};

export type SoundChildOptions = TranscoderEvents & {
  /** For the log: `aac to opus`. */
  readonly what: string;
  readonly input: InputForm;
  readonly output: OutputForm;
};

type Running = {
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly writer: FrameWriter;
  readonly reader: FrameReader;
  readonly timeline: Timeline;
  readonly sinceMs: number;
  /** Ends of what was written and of what came out, counted from the first sample. */
  writtenUs: number;
  givenUs: number;
  heardMs: number;
  spoken: string;
};

/** Behind recording, before conversions of recorded video. */
const niceness = 5;

export class SoundChild implements Transcoder {
  readonly #deps: AudioDependencies;
  readonly #log: Log;
  readonly #options: SoundChildOptions;
  readonly #backoff: Backoff;
  #waiting: SoundUnit[] = [];
  #waitingBytes = 0;
  #running: Running | undefined;
  /** Resolves when the children so far are gone. */
  #gone: Promise<void> = Promise.resolve();
  #cancelRestart: (() => void) | undefined;
  #cancelWatch: (() => void) | undefined;
  #isClosed = false;
  #dropped = 0;
  #note: string | undefined;

  constructor(deps: AudioDependencies, options: SoundChildOptions) {
    this.#deps = deps;
    this.#log = deps.log.child({ transcoder: options.what });
    this.#options = options;
    this.#backoff = new Backoff({
      firstDelayMs: audioLimits.restartDelayMsMin,
      delayMsMax: audioLimits.restartDelayMsMax,
      random: deps.random,
    });
  }

  get dropped(): number {
    return this.#dropped;
  }

  get note(): string | undefined {
    return this.#note;
  }

  push({ presentationTimeUs, bytes }: SoundUnit): void {
    if (this.#isClosed) return;
    this.#waiting.push({ presentationTimeUs, bytes: new Uint8Array(bytes) });
    this.#waitingBytes += bytes.length;
    this.#bound();
    if (this.#running === undefined && this.#cancelRestart === undefined) this.#start();
    this.#write();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRestart?.();
    this.#end();
    this.#waiting = [];
    this.#waitingBytes = 0;
    await this.#gone;
  }

  /** By time of presentation, since units tell how long they are only to those who read them. */
  #bound(): void {
    const lastUs = this.#waiting.at(-1)?.presentationTimeUs ?? 0;
    let excess = 0;
    let bytes = this.#waitingBytes;
    for (const unit of this.#waiting) {
      const isOld = Math.abs(lastUs - unit.presentationTimeUs) > audioLimits.waitingUsMax;
      if (!isOld && bytes <= audioLimits.waitingBytesMax && this.#waiting.length - excess <= waitingUnitsMax) break;
      bytes -= unit.bytes.length;
      excess++;
    }
    if (excess === 0) return;
    this.#waiting.splice(0, excess);
    this.#waitingBytes = bytes;
    this.#lose(excess);
  }

  #lose(units: number): void {
    if (units === 0) return;
    this.#dropped += units;
    this.#log.counted('sound was not transcoded', units);
  }

  #start(): void {
    const { clock, ffmpeg } = this.#deps;
    const { input, output } = this.#options;
    const process = spawn(ffmpeg, childArguments(input, output), {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: mediaEnvironment(),
    });
    yieldToCameras(process.pid, { niceness });
    const nowMs = clock.monotonicMs();
    const child: Running = {
      process,
      writer: input.newWriter(),
      reader: output.newReader(),
      timeline: new Timeline(),
      sinceMs: nowMs,
      writtenUs: 0,
      givenUs: 0,
      heardMs: nowMs,
      spoken: '',
    };
    this.#running = child;
    const ended = new Promise<void>((resolve) => {
      process.once('close', () => resolve());
      // One that could not be started has no 'close'.
      process.once('error', () => resolve());
    });
    this.#gone = Promise.all([this.#gone, ended]).then(() => {});
    process.once('error', (error) => this.#fail(child, startNote(error, ffmpeg)));
    process.once('close', (code) => this.#fail(child, `ffmpeg ended: ${child.spoken.trim() || `exit code ${code}`}`));
    // Where descriptors are used up it has no pipes either; 'error' is on its way.
    if (process.pid === undefined) return;
    // A child that ends closes its input while we may still write; its end is told by 'close'.
    process.stdin.on('error', () => {});
    process.stdin.on('drain', () => this.#write());
    process.stdout.on('data', (chunk: Buffer) => this.#read(child, chunk));
    process.stderr.on('data', (text: Buffer) => {
      child.spoken = (child.spoken + text.toString()).slice(-audioLimits.spokenBytesMax);
    });
    if (child.writer.head !== undefined) process.stdin.write(child.writer.head);
    this.#cancelWatch = clock.every(audioLimits.stuckMs / 5, () => this.#watch(child));
  }

  /** Gives the child what waits, as far as it keeps up. */
  #write(): void {
    const child = this.#running;
    if (child?.process.pid === undefined) return;
    let written = 0;
    for (const { bytes, presentationTimeUs } of this.#waiting) {
      const isFull =
        child.writtenUs - child.givenUs >= audioLimits.inFlightUsMax || child.process.stdin.writableNeedDrain;
      if (isFull) break;
      written++;
      this.#waitingBytes -= bytes.length;
      try {
        const { wrapped, durationUs } = child.writer.wrap(bytes);
        child.timeline.mark(child.writtenUs, presentationTimeUs);
        child.writtenUs += durationUs;
        child.process.stdin.write(wrapped);
      } catch (error) {
        if (!isAppError(error)) throw error;
        this.#lose(1);
      }
    }
    this.#waiting.splice(0, written);
  }

  #read(child: Running, chunk: Uint8Array): void {
    if (child !== this.#running) return;
    const nowMs = this.#deps.clock.monotonicMs();
    child.heardMs = nowMs;
    try {
      for (const { bytes, positionUs, durationUs } of child.reader.push(chunk)) {
        child.givenUs = positionUs + durationUs;
        const timeUs = child.timeline.timeAt(positionUs);
        if (timeUs === undefined) continue;
        const packet = { presentationTimeUs: Math.round(timeUs), durationUs: Math.round(durationUs), bytes };
        this.#options.onPacket(packet);
        if (child !== this.#running) return;
      }
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#fail(child, `ffmpeg gave what cannot be read: ${error.message}`);
      return;
    }
    this.#tell(undefined);
    if (nowMs - child.sinceMs >= audioLimits.stableMs) this.#backoff.reset();
    this.#write();
  }

  #watch(child: Running): void {
    const isFull =
      child.writtenUs - child.givenUs >= audioLimits.inFlightUsMax || child.process.stdin.writableNeedDrain;
    const silentMs = this.#deps.clock.monotonicMs() - child.heardMs;
    if (isFull && silentMs > audioLimits.stuckMs)
      this.#fail(child, `ffmpeg gave no sound for ${Math.round(silentMs)} ms`);
  }

  #fail(child: Running, note: string): void {
    if (child !== this.#running) return;
    const delayMs = this.#backoff.nextDelayMs();
    this.#lose(child.timeline.ahead);
    this.#end();
    if (this.#isClosed) return;
    this.#log.warn('transcoder ended and is started again', { note, delayMs: Math.round(delayMs) });
    this.#tell(note);
    this.#cancelRestart = this.#deps.clock.after(delayMs, () => {
      this.#cancelRestart = undefined;
      // Nothing runs while nothing comes.
      if (this.#waiting.length > 0) this.#start();
      this.#write();
    });
  }

  #end(): void {
    const child = this.#running;
    this.#running = undefined;
    this.#cancelWatch?.();
    this.#cancelWatch = undefined;
    child?.process.kill('SIGKILL');
  }

  #tell(note: string | undefined): void {
    if (note === this.#note) return;
    this.#note = note;
    this.#options.onNote?.(note);
  }
}

/** Nothing is probed: the form is known. No `-fflags nobuffer`: it throws the probed first frame away (libavformat 59). */
function childArguments(input: InputForm, output: OutputForm): string[] {
  const general = [
    '-hide_banner',
    '-nostats',
    '-nostdin',
    '-v',
    'error',
    '-protocol_whitelist',
    'pipe',
    '-threads',
    '1',
  ];
  const reading = ['-probesize', '32', '-analyzeduration', '0', ...input.arguments, '-i', 'pipe:0'];
  // What cannot be decoded becomes silence, so that places stay what they are.
  const filling = ['-vn', '-af', 'aresample=async=1:min_hard_comp=0.005:first_pts=0'];
  return [...general, ...reading, ...filling, ...output.arguments, '-flush_packets', '1', 'pipe:1'];
}

function startNote(error: Error, ffmpeg: string): string {
  const isMissing = errnoOf(error) === 'ENOENT';
  return isMissing
    ? `there is no ${ffmpeg}, so sound cannot be transcoded: install ffmpeg (on Debian and Ubuntu: apt install ffmpeg)`
    : `ffmpeg cannot be started, so sound cannot be transcoded: ${error.message}`;
}

/** Packets of Opus may be as short as 2.5 ms. */
const waitingUnitsMax = audioLimits.waitingUsMax / 2_500;
