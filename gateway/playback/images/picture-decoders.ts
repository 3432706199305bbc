/** The decoders in use: one per codec and picture size, a few at a time, ended when idle. */

import type { Clock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import { limits } from '../../../storage/model/limits.ts';
import { PictureDecoder, type PictureFormat } from './picture-decoder.ts';

type Entry = { readonly decoder: PictureDecoder; usedMs: number };

export type PictureDecodersDependencies = {
  readonly clock: Clock;
  readonly log: Log;
  /** Path of the ffmpeg program. */
  readonly ffmpeg: string;
};

export class PictureDecoders {
  readonly #dependencies: PictureDecodersDependencies;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #ending = new Set<Promise<void>>();
  #cancelSweep: (() => void) | undefined;
  #isClosed = false;

  constructor(dependencies: PictureDecodersDependencies) {
    this.#dependencies = dependencies;
  }

  /** Decodes one key frame to a JPEG of the format's size. @throws AppError as `PictureDecoder.decode` */
  async decode(format: PictureFormat, input: Uint8Array): Promise<Uint8Array> {
    if (this.#isClosed) throw appError('cancelled', 'picture decoders are closed');
    const key = `${format.codec} ${format.widthPixels}x${format.heightPixels} ${format.ownerId ?? ''}`;
    const entry = this.#entries.get(key) ?? { decoder: new PictureDecoder(this.#dependencies, format), usedMs: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.usedMs = this.#dependencies.clock.monotonicMs();
    this.#makeRoom(key);
    this.#cancelSweep ??= this.#dependencies.clock.every(limits.imageDecoderIdleMs / 2, () => this.#endIdle());
    try {
      return await entry.decoder.decode(input);
    } finally {
      entry.usedMs = this.#dependencies.clock.monotonicMs();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSweep?.();
    for (const key of [...this.#entries.keys()]) this.#end(key);
    await Promise.all(this.#ending);
  }

  /** A decoder at work is not ended for another size: while all are at work there may be twice as many as there should be. */
  #makeRoom(wanted: string): void {
    for (const [key, { decoder }] of this.#entries) {
      if (this.#entries.size <= limits.imageDecodersMax) return;
      if (key !== wanted && decoder.pending === 0) this.#end(key);
    }
    if (this.#entries.size <= 2 * limits.imageDecodersMax) return;
    this.#end(wanted);
    throw appError('resource_exhausted', 'too many sizes of pictures are wanted at once', {
      hint: 'ask again in a moment, or for fewer different sizes',
    });
  }

  #endIdle(): void {
    const idleSinceMs = this.#dependencies.clock.monotonicMs() - limits.imageDecoderIdleMs;
    for (const [key, { decoder, usedMs }] of this.#entries) {
      if (decoder.pending === 0 && usedMs <= idleSinceMs) this.#end(key);
    }
    if (this.#entries.size > 0) return;
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  #end(key: string): void {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    if (entry === undefined) return;
    const ending = entry.decoder.close().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}
