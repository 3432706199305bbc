/**
 * One ffmpeg child that turns key frames of one codec into JPEG pictures of one size: one frame in, one picture out. It serves
 * all cameras, so no picture pays for starting a process. A frame that yields no picture costs the child, and only that
 * picture: the next one gets a fresh child.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, appError, toAppError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import { mediaEnvironment, yieldToCameras } from '../../../storage/base/media-programs.ts';
import { limits } from '../../../storage/model/limits.ts';
import { JpegSplitter } from './jpeg-splitter.ts';

export type PictureFormat = {
  readonly codec: 'h264' | 'h265';
  readonly widthPixels: number;
  readonly heightPixels: number;
  /** Whose pictures alone it decodes; undefined: everybody's. */
  readonly ownerId?: string;
};

type Child = {
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly splitter: JpegSplitter;
  errorText: string;
};

type Waiting = {
  readonly input: Uint8Array;
  readonly resolve: (picture: Uint8Array) => void;
  readonly reject: (error: AppError) => void;
};

/** JPEG quality of ffmpeg, 2 best .. 31: 150 KB for a 1080p picture with much detail. */
const quality = 4;
const errorTextMax = 500;

export class PictureDecoder {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #ffmpeg: string;
  readonly #format: PictureFormat;
  readonly #queue: Waiting[] = [];
  #child: Child | undefined;
  #current: { readonly waiting: Waiting; readonly cancelTimeout: () => void } | undefined;
  #ended: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(
    { clock, log, ffmpeg }: { readonly clock: Clock; readonly log: Log; readonly ffmpeg: string },
    format: PictureFormat,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#ffmpeg = ffmpeg;
    this.#format = format;
  }

  /** Pictures asked for and not delivered yet. */
  get pending(): number {
    return this.#queue.length + (this.#current === undefined ? 0 : 1);
  }

  /**
   * Decodes one key frame.
   *
   * @param input  Annex B with parameter sets and end mark (`decoderInput`); kept until the picture is there
   * @throws AppError data_loss            no picture came out of these bytes
   * @throws AppError resource_exhausted   too many pictures are waiting
   * @throws AppError failed_precondition  ffmpeg is not installed
   */
  decode(input: Uint8Array): Promise<Uint8Array> {
    if (this.#isClosed) return Promise.reject(appError('cancelled', 'picture decoder is closed'));
    if (this.pending >= limits.imageQueueMax) {
      return Promise.reject(appError('resource_exhausted', 'too many pictures are waiting', { pending: this.pending }));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ input, resolve, reject });
      this.#next();
    });
  }

  /** Ends the child; what waits is cancelled. */
  close(): Promise<void> {
    this.#isClosed = true;
    const error = appError('cancelled', 'picture decoder is closed');
    for (const waiting of this.#queue.splice(0)) waiting.reject(error);
    this.#fail(error);
    return this.#ended;
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const waiting = this.#queue.shift();
    if (waiting === undefined) return;
    const child = this.#child ?? this.#start();
    const cancelTimeout = this.#clock.after(limits.imageTimeoutMs, () =>
      this.#fail(appError('data_loss', 'no picture came out of the key frame', this.#facts(child))),
    );
    this.#current = { waiting, cancelTimeout };
    child.process.stdin.write(waiting.input);
  }

  #start(): Child {
    const { codec, widthPixels, heightPixels } = this.#format;
    const process = spawn(this.#ffmpeg, ffmpegArguments(codec, `scale=${widthPixels}:${heightPixels}`), {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: mediaEnvironment(),
    });
    yieldToCameras(process.pid, { niceness: 0 });
    const child: Child = { process, splitter: new JpegSplitter({ bytesMax: limits.imageBytesMax }), errorText: '' };
    this.#child = child;
    const ended = new Promise<void>((resolve) => {
      process.once('close', () => resolve());
      process.once('error', () => resolve());
    });
    this.#ended = Promise.all([this.#ended, ended]).then(() => {});
    process.once('error', (error) => this.#failChild(child, startError(error)));
    process.once('close', () =>
      this.#failChild(child, appError('data_loss', 'the key frame cannot be decoded', this.#facts(child))),
    );
    // A child that ends closes its input while we may still write; its end is told by 'close'.
    process.stdin.on('error', () => {});
    process.stderr.on('data', (text: Buffer) => {
      child.errorText = (child.errorText + text.toString()).slice(-errorTextMax);
    });
    process.stdout.on('data', (bytes: Buffer) => this.#onOutput(child, bytes));
    return child;
  }

  #onOutput(child: Child, bytes: Uint8Array): void {
    if (child !== this.#child) return;
    try {
      for (const picture of child.splitter.push(bytes)) this.#deliver(child, picture);
    } catch (error) {
      this.#failChild(child, toAppError(error));
    }
  }

  #deliver(child: Child, picture: Uint8Array): void {
    const current = this.#current;
    if (current === undefined) {
      // More pictures than frames: whatever comes next could be anyone's.
      this.#failChild(child, appError('data_loss', 'the decoder gave a picture nobody asked for'));
      return;
    }
    this.#current = undefined;
    current.cancelTimeout();
    current.waiting.resolve(picture);
    child.errorText = '';
    this.#next();
  }

  #failChild(child: Child, error: AppError): void {
    if (child === this.#child) this.#fail(error);
  }

  /** Ends the child and the picture at hand, and goes on with the next one. */
  #fail(error: AppError): void {
    const child = this.#child;
    const current = this.#current;
    this.#child = undefined;
    this.#current = undefined;
    child?.process.kill('SIGKILL');
    if (current !== undefined) {
      current.cancelTimeout();
      if (!this.#isClosed) this.#log.debug('picture failed', { error, ...this.#format });
      current.waiting.reject(error);
    }
    if (!this.#isClosed) this.#next();
  }

  #facts(child: Child): Record<string, unknown> {
    return { ...this.#format, decoder: child.errorText.trim() };
  }
}

/**
 * No `-fflags nobuffer`: it throws the probed first frame away, and every picture would be the one before
 * (libavformat 59). One thread: frame threads hold pictures back.
 */
function ffmpegArguments(codec: 'h264' | 'h265', filter: string): string[] {
  const input = [
    '-probesize',
    '32',
    '-analyzeduration',
    '0',
    '-max_pixels',
    String(limits.picturePixelsMax),
    '-threads',
    '1',
    '-f',
    codec === 'h264' ? 'h264' : 'hevc',
  ];
  const output = ['-threads', '1', '-filter_threads', '1', '-fps_mode', 'passthrough', '-vf', filter];
  const jpeg = ['-pix_fmt', 'yuvj420p', '-c:v', 'mjpeg', '-q:v', String(quality), '-f', 'image2pipe', 'pipe:1'];
  return ['-v', 'error', '-nostdin', ...input, '-i', 'pipe:0', ...output, ...jpeg];
}

function startError(error: Error): AppError {
  const cause = toAppError(error);
  return appError('failed_precondition', 'ffmpeg cannot be started, so there are no pictures', {
    cause,
    hint: 'install ffmpeg (on Debian and Ubuntu: apt install ffmpeg) and restart',
  });
}
