/**
 * The files of one run behind `SegmentWriter`: one queue of operations, done in order in the background, and what follows from
 * them: `committed`, `durable` and `finished` hints, and the end of the run at the first failure.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { unreachable } from '../base/assert.ts';
import { type AppError, errnoOf, isAppError, toAppError } from '../base/errors.ts';
import type { Fragment } from '../model/fragment.ts';
import type { FragmentNumber } from '../model/fragment-number.ts';
import type { GapReason } from '../model/run.ts';
import { type JournalFiles, systemFiles } from './journal-files.ts';
import { OperationQueue } from './operation-queue.ts';
import type { Piece } from './pending-bytes.ts';
import { salvage } from './salvage.ts';
import type { SegmentFile } from './segment-file.ts';
import type { SegmentWriterDeps, SegmentWriterOptions } from './segment-writer-options.ts';

/** Bytes of one fragment on their way to its file. The pieces are the queue's from the push on. */
export type QueuedWrite = {
  readonly file: SegmentFile;
  readonly number: FragmentNumber;
  readonly position: number;
  readonly pieces: readonly Piece[];
  readonly byteLength: number;
  /** They end with the fragment's commit record. */
  readonly committed: Fragment | undefined;
};

type Operation =
  | { readonly kind: 'create' | 'seal' | 'publish'; readonly file: SegmentFile }
  | { readonly kind: 'truncate'; readonly file: SegmentFile; readonly byteLength: number }
  | (QueuedWrite & { readonly kind: 'write' });

export class RunFiles {
  /** Of the stream, below the epoch's and the finished ones. */
  readonly openDirectory: string;
  readonly finishedDirectory: string;
  readonly files: JournalFiles;
  readonly #deps: SegmentWriterDeps;
  readonly #options: SegmentWriterOptions;
  readonly #onFailed: (error: AppError, reason: GapReason) => void;
  readonly #queue: OperationQueue<Operation>;
  /** Not among the finished ones yet, oldest first. */
  readonly #unsealed: SegmentFile[] = [];
  readonly #background = new Set<Promise<void>>();
  #started: Promise<void> = Promise.resolve();
  #lastReadable: Fragment | undefined;
  #isMarking = false;
  #isEnding = false;
  #failure: AppError | undefined;

  /** @param onFailed  called once, at the first failure, when nothing more is taken */
  constructor(
    deps: SegmentWriterDeps,
    options: SegmentWriterOptions,
    onFailed: (error: AppError, reason: GapReason) => void,
  ) {
    this.#deps = deps;
    this.#options = options;
    this.#onFailed = onFailed;
    this.files = deps.files ?? systemFiles;
    this.openDirectory = join(options.openDirectory, options.streamId);
    this.finishedDirectory = join(options.finishedDirectory, options.streamId);
    this.#queue = new OperationQueue<Operation>({
      perform: (operation) => this.#perform(operation),
      release: (operation) => this.#release(operation),
      onFailed: (error) => this.#fail(error, reasonOf(error)),
    });
  }

  start(): Promise<void> {
    this.#started = this.#makeDirectories();
    return this.#started;
  }

  get failure(): AppError | undefined {
    return this.#failure;
  }

  get lastReadable(): Fragment | undefined {
    return this.#lastReadable;
  }

  get unsealed(): readonly SegmentFile[] {
    return this.#unsealed;
  }

  create(file: SegmentFile): void {
    this.#unsealed.push(file);
    this.#queue.push({ kind: 'create', file });
  }

  write(write: QueuedWrite): void {
    this.#queue.push({ kind: 'write', ...write });
  }

  truncate(file: SegmentFile, byteLength: number): void {
    this.#queue.push({ kind: 'truncate', file, byteLength });
  }

  seal(file: SegmentFile): void {
    this.#queue.push({ kind: 'seal', file });
  }

  /** Bytes of a fragment that are queued and may not be in the file yet: views, valid until the next turn. */
  queuedOf(number: FragmentNumber): Uint8Array[] {
    return this.#queue.operations.flatMap((operation) =>
      operation.kind === 'write' && operation.number === number ? viewsOf(operation) : [],
    );
  }

  /** Waits until everything asked for is done and durable, or given up. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#queue.drained;
    if (this.#background.size > 0 && this.#failure === undefined) this.#inBackground(this.#synced());
    // Marking may begin another sync at the end of one, and a sync lets sealed files be published.
    while (this.#background.size > 0) {
      await Promise.all(this.#background);
      await this.#queue.drained;
    }
  }

  async #makeDirectories(): Promise<void> {
    for (const directory of [this.openDirectory, this.finishedDirectory]) {
      const created = await this.#makeDirectory(directory);
      // In shared mode the file system's sync covers the new entry, before anything in it is called durable. Where it was there it may
      // have come from a run of that mode a moment ago, or from one whose own sync is not over.
      if (this.#options.durability === 'each-fragment')
        await this.files.syncDirectory(join(created ?? directory, '..'));
    }
  }

  /** What had to be made for it, or undefined. */
  async #makeDirectory(directory: string): Promise<string | undefined> {
    if (this.#options.isPlaceExpected !== true) return mkdir(directory, { recursive: true });
    try {
      await mkdir(directory);
      return directory;
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return undefined;
      throw error;
    }
  }

  async #perform(operation: Operation): Promise<void> {
    const { file } = operation;
    switch (operation.kind) {
      case 'create':
        await this.#started;
        await file.create();
        if (this.#options.durability === 'each-fragment') await this.files.syncDirectory(this.openDirectory);
        return;
      case 'write':
        await file.write(viewsOf(operation), operation.position);
        if (operation.committed !== undefined) await this.#nowReadable(file, operation.committed, operation);
        return;
      case 'truncate':
        return file.truncate(operation.byteLength);
      case 'seal':
        return this.#seal(file);
      case 'publish':
        await this.#publish(file);
        return this.#sayFinished(file);
      default:
        unreachable(operation);
    }
  }

  async #nowReadable(
    file: SegmentFile,
    fragment: Fragment,
    written: { readonly position: number; readonly byteLength: number },
  ): Promise<void> {
    file.readableCount++;
    file.readableBytes = written.position + written.byteLength;
    this.#lastReadable = fragment;
    this.#deps.onHint({ kind: 'committed', ...this.#identity(), path: file.path, fragment });
    if (this.#options.durability === 'shared') return this.#markDurable();
    await file.sync();
    this.#deps.onHint({ kind: 'durable', ...this.#identity(), number: fragment.number });
  }

  /** Says `durable` for what is readable now as soon as a sync that begins later is complete, again and again. */
  #markDurable(): void {
    const fragment = this.#lastReadable;
    if (this.#isMarking || fragment === undefined || this.#failure !== undefined) return;
    this.#isMarking = true;
    const marked = this.#synced().then((isSynced) => {
      this.#isMarking = false;
      if (!isSynced) return;
      this.#deps.onHint({ kind: 'durable', ...this.#identity(), number: fragment.number });
      if (this.#lastReadable !== fragment) this.#markDurable();
    });
    this.#inBackground(marked);
  }

  /**
   * In shared mode the sync for all makes the bytes durable, and only then does the file get its finished name: nobody believes a
   * finished file that power loss could still tear. Until then it lies among the open ones, whole but for its name.
   */
  async #seal(file: SegmentFile): Promise<void> {
    await file.complete();
    if (file.readableCount === 0) return this.#forget(file);
    if (this.#options.durability === 'shared') {
      this.#inBackground(this.#afterSync(() => this.#queue.push({ kind: 'publish', file })));
      return;
    }
    await file.sync();
    await this.#publish(file);
    this.#inBackground(this.#afterSync(() => this.#sayFinished(file)));
  }

  async #publish(file: SegmentFile): Promise<void> {
    await file.publish();
    this.#forget(file);
  }

  #forget(file: SegmentFile): void {
    this.#unsealed.splice(this.#unsealed.indexOf(file), 1);
  }

  #sayFinished({ path, finishedPath }: SegmentFile): void {
    this.#deps.onHint({ kind: 'finished', ...this.#identity(), path, finishedPath });
  }

  async #afterSync(then: () => void): Promise<void> {
    if (await this.#synced()) then();
  }

  /** False when it failed: then the run has. */
  async #synced(): Promise<boolean> {
    try {
      const alone = () => this.#syncAlone();
      await this.#deps.durability.synced({ alone, isUrgent: this.#isEnding });
      return true;
    } catch (error) {
      this.#fail(error, 'sync-failed');
      return false;
    }
  }

  async #syncAlone(): Promise<void> {
    for (const file of this.#unsealed) await file.sync();
    await this.files.syncDirectory(this.openDirectory);
    await this.files.syncDirectory(this.finishedDirectory);
  }

  #identity(): { streamId: string; runId: string } {
    return { streamId: this.#options.streamId, runId: this.#options.runId };
  }

  #inBackground(work: Promise<unknown>): void {
    const tracked: Promise<void> = work.then(() => {
      this.#background.delete(tracked);
    });
    this.#background.add(tracked);
  }

  /** Gives an operation's memory back: it is complete, or will never begin. */
  #release(operation: Operation): void {
    if (operation.kind !== 'write') return;
    for (const { chunk } of operation.pieces) this.#deps.budget.giveChunk(chunk);
  }

  #fail(error: unknown, reason: GapReason): void {
    if (this.#failure !== undefined) return;
    const failure = toAppError(error);
    this.#failure = failure;
    this.#queue.stop();
    this.#inBackground(this.#salvage(reason));
    this.#onFailed(failure, reason);
  }

  /** Keeps what is readable; everything else of the run never existed. */
  async #salvage(reason: GapReason): Promise<void> {
    await this.#queue.drained;
    this.#abortUnreadable();
    const onFinished = (file: SegmentFile) => this.#sayFinished(file);
    const isTrusted = reason !== 'sync-failed';
    await salvage({ ...this.#deps, onFinished }, this.#unsealed.splice(0), { isTrusted });
  }

  /** Committed fragments that never came into their file. */
  #abortUnreadable(): void {
    for (const file of this.#unsealed) {
      for (const { number } of file.fragments.slice(file.readableCount)) {
        this.#deps.onHint({ kind: 'aborted', ...this.#identity(), number });
      }
    }
  }
}

function viewsOf({ pieces }: QueuedWrite): Uint8Array[] {
  return pieces.map(({ chunk, byteLength }) => chunk.subarray(0, byteLength));
}

function reasonOf(error: unknown): GapReason {
  if (isAppError(error, 'data_loss')) return 'sync-failed';
  const errno = errnoOf(error);
  return errno === 'ENOSPC' || errno === 'EDQUOT' ? 'disk-full' : 'write-failed';
}
