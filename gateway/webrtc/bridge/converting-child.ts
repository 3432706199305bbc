/** One ffmpeg child that turns pictures into H.264 without B-frames for as long as it is fed: Matroska in, FLV out, picture by picture. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { errnoOf, toAppError } from '../../../storage/base/errors.ts';
import { mediaEnvironment, yieldToCameras } from '../../../storage/base/media-programs.ts';
import {
  clusterHead,
  matroskaHead,
  simpleBlockHeadBytesMax,
  writeSimpleBlockHead,
} from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { FlvReader, type FlvSink } from './flv-reader.ts';
import { bridgeLimits } from './limits.ts';

export type ConvertingChildEvents = FlvSink & {
  /** Called once, also when it could not be started; never after `close`. */
  ended(said: string): void;
};

/** Behind recording, before conversions of recorded video. */
const niceness = 5;
const noUid = new Uint8Array(16);

export class ConvertingChild {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #trackNumber: number;
  readonly #gone: Promise<void>;
  #events: ConvertingChildEvents | undefined;
  #spoken = '';

  private constructor(
    process: ChildProcessByStdio<Writable, Readable, Readable>,
    track: Track,
    events: ConvertingChildEvents,
  ) {
    this.#process = process;
    this.#trackNumber = track.number;
    this.#events = events;
    this.#gone = new Promise((resolve) => {
      process.once('error', (error) => {
        this.#end(errnoOf(error) === 'ENOENT' ? 'ffmpeg is not installed' : error.message);
        resolve();
      });
      process.once('close', (code) => {
        this.#end(this.#spoken.trim() || `exit code ${code}`);
        resolve();
      });
    });
    // Where descriptors are used up it has no pipes either; 'error' is on its way.
    if (process.pid !== undefined) this.#listen(process);
  }

  /** @param options.arguments  as `runningArguments` makes them */
  static start(
    { ffmpeg }: { readonly ffmpeg: string },
    options: { readonly arguments: readonly string[]; readonly track: Track },
    events: ConvertingChildEvents,
  ): ConvertingChild {
    const general = ['-hide_banner', '-nostats', '-nostdin', '-v', 'error', '-protocol_whitelist', 'pipe'];
    const process = spawn(ffmpeg, [...general, ...options.arguments], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: mediaEnvironment(),
    });
    yieldToCameras(process.pid, { niceness });
    const child = new ConvertingChild(process, options.track, events);
    const head = { segmentUid: noUid, tracks: [options.track], timecodeScaleNs: 1_000_000 };
    if (process.pid !== undefined) process.stdin.write(matroskaHead(head));
    return child;
  }

  /** Bytes that it has not taken. */
  get queuedBytes(): number {
    return this.#process.pid === undefined ? 0 : this.#process.stdin.writableLength;
  }

  /** @param picture.timeMs  whole, 0 or more; `bytes` are the child's from now on */
  write(picture: { readonly timeMs: number; readonly isKey: boolean; readonly bytes: Uint8Array }): void {
    if (this.#process.pid === undefined) return;
    const { timeMs, isKey, bytes } = picture;
    const head = new Uint8Array(simpleBlockHeadBytesMax);
    const block = { trackNumber: this.#trackNumber, relativeMs: 0, payloadBytes: bytes.length, isKey };
    const headBytes = writeSimpleBlockHead(head, 0, block);
    this.#process.stdin.cork();
    this.#process.stdin.write(clusterHead(timeMs));
    this.#process.stdin.write(head.subarray(0, headBytes));
    this.#process.stdin.write(bytes);
    this.#process.stdin.uncork();
  }

  /** Resolves when the process is gone. */
  async close(): Promise<void> {
    this.#events = undefined;
    this.#process.kill('SIGKILL');
    await this.#gone;
  }

  #listen(process: ChildProcessByStdio<Writable, Readable, Readable>): void {
    const reader = new FlvReader({
      config: (avcC) => this.#events?.config(avcC),
      picture: (picture) => this.#events?.picture(picture),
    });
    process.stdout.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#end(toAppError(error).message);
      }
    });
    process.stderr.on('data', (text: Buffer) => {
      this.#spoken = (this.#spoken + text.toString()).slice(-bridgeLimits.spokenBytesMax);
    });
    // A child that ends closes its input while we may still write; its end is told by 'close'.
    process.stdin.on('error', () => {});
  }

  #end(said: string): void {
    const events = this.#events;
    this.#events = undefined;
    this.#process.kill('SIGKILL');
    events?.ended(said);
  }
}
