/**
 * One import at the owner of a stream: Matroska bytes in, fragments out, beside cameras that must not notice. Whatever is wrong
 * with the bytes, or with us, ends this import and nothing else; it has memory of its own, never more on its way to the disk than
 * a bound, and at most half of the process's time.
 *
 *   put =lane socket=> MatroskaUnits -> Fragmenter -> ImportWriter -> journal
 */

import type { Clock } from '../../storage/base/clock.ts';
import { type AppError, appError, isAppError, toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { IncomingPut, PutAnswers } from '../../storage/lane/index.ts';
import type { OpenSegment } from '../../storage/model/hint.ts';
import { limits } from '../../storage/model/limits.ts';
import { Fragmenter } from '../record/index.ts';
import { untilDiskRoom } from './disk-room.ts';
import type { ImportHead, ImportProgress, ImportResult } from './import-head.ts';
import { ImportWriter, type ImportWriterDeps } from './import-writer.ts';
import { faultText, MatroskaUnits } from './matroska-units.ts';

export type ImportPutDeps = Omit<ImportWriterDeps, 'onFailed'> & {
  readonly clock: Clock;
  readonly log: Log;
  readonly answers: PutAnswers;
  /** It is over, and nothing of it is open any more. */
  readonly onClosed: () => void;
};

/** After so much work others have the same time. */
const turnMs = 5;
/** A disk that is behind is looked at so often. */
const lookMs = 20;
/** Room on the disk is looked at after each of these, and before the first. */
const lookBytes = limits.importFlightBytes;
/** Progress is told so often. */
const progressMs = 250;

export class ImportPut implements IncomingPut {
  readonly #deps: ImportPutDeps;
  readonly #writer: ImportWriter;
  readonly #units: MatroskaUnits;
  #fragmenter: Fragmenter | undefined;
  #closing: Promise<void> | undefined;
  /** Why it failed, also where that happens while it ends. */
  #failure: AppError | undefined;
  #workedMs = 0;
  #unlookedBytes = lookBytes;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(deps: ImportPutDeps, head: ImportHead) {
    this.#deps = deps;
    const writer = new ImportWriter({ ...deps, onFailed: (error) => this.#fail(error) }, head);
    this.#writer = writer;
    this.#units = new MatroskaUnits({
      sink: {
        tracks: (tracks) => {
          const options = { tracks, keepsShortEnd: true };
          this.#fragmenter = new Fragmenter({ sink: writer, budget: deps.budget }, options);
        },
        unit: (unit) => this.#fragmenter?.push(unit),
      },
    });
  }

  get openSegments(): readonly OpenSegment[] {
    return this.#writer.openSegments;
  }

  bytes(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#closing !== undefined) return undefined;
    const { clock } = this.#deps;
    const beganMs = clock.monotonicMs();
    this.#contained(() => this.#units.push(bytes));
    this.#workedMs += clock.monotonicMs() - beganMs;
    if (this.#closing !== undefined) return undefined;
    this.#tellProgress(beganMs);
    this.#unlookedBytes += bytes.length;
    if (this.#workedMs < turnMs && this.#writer.hasRoom && this.#unlookedBytes < lookBytes) return undefined;
    return this.#untilRoom();
  }

  end({ isCut }: { readonly isCut: boolean }): void {
    if (this.#closing !== undefined) return;
    let fault: string | null = isCut ? 'the stream ends early' : null;
    this.#contained(() => {
      try {
        this.#units.end();
      } catch (error) {
        // Everything whole is kept; that it broke off is told.
        if (!isAppError(error)) throw error;
        fault = faultText(error);
      }
      this.#fragmenter?.end('source-closed');
    });
    if (this.#closing !== undefined) return;
    this.#close((failure) => {
      if (failure !== undefined) this.#deps.answers.failed(failure);
      else this.#deps.answers.done({ ...this.#writer.totals, fault } satisfies ImportResult);
    });
  }

  /** What is not whole may go on in another attempt: only finished fragments are kept. */
  lost(): void {
    if (this.#closing === undefined) this.#close(() => {});
  }

  /** The stream, or the process, ends. */
  async close(reason: string): Promise<void> {
    this.#fail(appError('unavailable', `import was interrupted: ${reason}`, { hint: 'run it again: it goes on' }));
    await this.#closing;
  }

  /** Runs what outside bytes decide; nothing that happens in there reaches the cameras. */
  #contained(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isAppError(error)) this.#deps.log.error('import failed', { error });
      this.#fail(isAppError(error) ? streamError(error) : toAppError(error));
    }
  }

  #fail(error: AppError): void {
    this.#failure ??= error;
    if (this.#closing === undefined) this.#close((failure) => this.#deps.answers.failed(failure ?? error));
  }

  #close(tell: (failure: AppError | undefined) => void): void {
    this.#closing = this.#writer.close().then(
      () => tell(this.#failure),
      (error: unknown) => tell(toAppError(error)),
    );
    this.#closing = this.#closing.then(() => this.#deps.onClosed());
  }

  async #untilRoom(): Promise<void> {
    const { clock } = this.#deps;
    const pauseMs = this.#workedMs;
    this.#workedMs = 0;
    await clock.sleep(pauseMs);
    while (this.#closing === undefined && !this.#writer.hasRoom) {
      await clock.sleep(lookMs);
      this.#tellProgress(clock.monotonicMs());
    }
    if (this.#unlookedBytes >= lookBytes) await this.#untilDiskRoom();
  }

  async #untilDiskRoom(): Promise<void> {
    this.#unlookedBytes = 0;
    const { directory } = this.#writer;
    if (directory === undefined) return;
    try {
      await untilDiskRoom(this.#deps, { directory, isOver: () => this.#closing !== undefined });
    } catch (error) {
      this.#fail(toAppError(error));
    }
  }

  #tellProgress(nowMs: number): void {
    if (nowMs - this.#toldMs < progressMs) return;
    this.#toldMs = nowMs;
    const { fragments, bytes, alreadyThere, skipped, mediaMs } = this.#writer.totals;
    this.#deps.answers.event({ fragments, bytes, alreadyThere, skipped, mediaMs } satisfies ImportProgress);
  }
}

function streamError(error: AppError): AppError {
  const { hint, context, code } = error;
  return appError(code, faultText(error), { ...context, cause: error, ...(hint === undefined ? {} : { hint }) });
}
