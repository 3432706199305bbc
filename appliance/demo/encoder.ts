/** The demo camera's eye and ear: ffmpeg makes a test picture with a clock and a tone, in real time, as H.264 and AAC. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '../../storage/base/clock.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { mediaEnvironment } from '../../storage/base/media-programs.ts';
import { Backoff } from '../../storage/base/retry.ts';
import { AdtsSplitter, AnnexBSplitter } from './elementary-streams.ts';

export const demoFramesPerSecond = 15;
export const demoSamplingHz = 48_000;

export type DemoSink = {
  /** A new encoder: times begin anew. */
  began(): void;
  /** NAL units of one picture, parameter sets in front of key frames. */
  picture(nals: readonly Uint8Array[]): void;
  /** One AAC frame of 1,024 samples. */
  sound(frame: Uint8Array): void;
};

/** An encoder that did not live so long probably does not know the clock's filter or finds no font. */
const workingMs = 5_000;

export class DemoEncoder {
  readonly #deps: { readonly clock: Clock; readonly log: Log; readonly sink: DemoSink };
  readonly #options: { readonly ffmpegPath: string };
  readonly #lifetime = new Lifetime();
  #child: ChildProcess | undefined;

  constructor(
    deps: { readonly clock: Clock; readonly log: Log; readonly sink: DemoSink },
    options: { readonly ffmpegPath: string },
  ) {
    this.#deps = deps;
    this.#options = options;
  }

  start(): void {
    this.#lifetime.loop((signal) => this.#keepEncoding(signal));
  }

  close(): Promise<void> {
    const closed = this.#lifetime.close();
    this.#child?.kill('SIGKILL');
    return closed;
  }

  async #keepEncoding(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const backoff = new Backoff({ firstDelayMs: 200, delayMsMax: 30_000 });
    let hasClock = true;
    while (!signal.aborted) {
      const beginMs = clock.monotonicMs();
      const reason = await this.#encodeOnce(hasClock);
      if (signal.aborted) return;
      const livedMs = clock.monotonicMs() - beginMs;
      if (livedMs > workingMs) backoff.reset();
      else hasClock = !hasClock;
      log.warn('demo encoder ended and is started anew', { reason, livedMs: Math.round(livedMs), hasClock });
      await clock.sleep(backoff.nextDelayMs(), signal).catch(() => {});
    }
  }

  async #encodeOnce(hasClock: boolean): Promise<string> {
    const { sink } = this.#deps;
    const child = spawn(this.#options.ffmpegPath, encoderArgs({ hasClock }), {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: mediaEnvironment(),
    });
    this.#child = child;
    sink.began();
    let errors = '';
    let fault: string | undefined;
    const guarded = (stream: unknown, push: (chunk: Uint8Array) => void) => {
      (stream as Readable).on('data', (chunk: Uint8Array) => {
        try {
          push(chunk);
        } catch (error) {
          fault = error instanceof Error ? error.message : String(error);
          child.kill('SIGKILL');
        }
      });
    };
    const pictures = new AnnexBSplitter((nals) => sink.picture(nals));
    const sounds = new AdtsSplitter((frame) => sink.sound(frame));
    guarded(child.stdout, (chunk) => pictures.push(chunk));
    guarded(child.stdio[3], (chunk) => sounds.push(chunk));
    guarded(child.stderr, (chunk) => {
      errors = (errors + Buffer.from(chunk).toString()).slice(-500);
    });
    return await new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, signal) => resolve(fault ?? (errors.trim() || `code ${code ?? signal}`)));
    });
  }
}

function encoderArgs(options: { readonly hasClock: boolean }): string[] {
  const clock =
    ",drawtext=text='%{localtime\\:%Y-%m-%d %H\\\\\\:%M\\\\\\:%S}':fontsize=56:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=12:x=(w-tw)/2:y=h-110";
  const picture = `testsrc2=size=1280x720:rate=${demoFramesPerSecond}${options.hasClock ? clock : ''}`;
  const gopFrames = demoFramesPerSecond;
  const x264 = `aud=1:keyint=${gopFrames}:min-keyint=${gopFrames}:scenecut=0:bframes=0:repeat-headers=1`;
  return [
    ...['-hide_banner', '-loglevel', 'error', '-nostdin'],
    ...['-re', '-f', 'lavfi', '-i', picture],
    ...['-re', '-f', 'lavfi', '-i', `sine=frequency=440:beep_factor=4:sample_rate=${demoSamplingHz}`],
    ...['-map', '0:v', '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-profile:v', 'main'],
    ...['-pix_fmt', 'yuv420p', '-b:v', '1500k', '-maxrate', '2000k', '-bufsize', '2000k', '-threads', '1'],
    ...['-x264-params', x264, '-flush_packets', '1', '-f', 'h264', 'pipe:1'],
    ...['-map', '1:a', '-c:a', 'aac', '-b:a', '64k', '-ac', '1', '-flush_packets', '1', '-f', 'adts', 'pipe:3'],
  ];
}
