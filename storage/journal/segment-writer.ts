/**
 * The segments of one run: the only door through which a fragment comes into being.
 *
 *   begin, write, commit | abort  ->  pending pieces  ->  queue of file operations  ->  journal/open  ->  journal/finished
 *
 * The calls on the left never wait: they copy into memory that all writers of the process share, and a background loop does
 * one operation after the other. `committed` is said when a fragment's bytes and its commit record are in the file, `durable`
 * when they survive power loss. The first failure ends the run; what was readable then stays.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, unreachable } from '../base/assert.ts';
import { type AppError, appError, errnoOf, isAppError, toAppError } from '../base/errors.ts';
import { clusterHead, simpleBlockHeadBytesMax, writeSimpleBlockHead } from '../media/index.ts';
import type { Fragment } from '../model/fragment.ts';
import type { OpenSegment } from '../model/hint.ts';
import { limits } from '../model/limits.ts';
import type { GapReason, RunEndReason } from '../model/run.ts';
import { type JournalFiles, systemFiles } from './journal-files.ts';
import { OperationQueue } from './operation-queue.ts';
import { PendingBytes, type Piece } from './pending-bytes.ts';
import { salvage } from './salvage.ts';
import { commitBytes, SegmentFile, timecodeOf } from './segment-file.ts';
import type {
  FragmentBegin,
  FragmentCommit,
  OpenFragmentView,
  SegmentWriterDeps,
  SegmentWriterOptions,
} from './segment-writer-options.ts';

/** A fragment between `begin` and `commit`. */
type OpenFragment = FragmentBegin & {
  readonly file: SegmentFile;
  readonly offset: number;
  /** Bytes of the cluster; how many of them were handed to the queue; how many of those are in the file. */
  byteLength: number;
  queuedBytes: number;
  writtenBytes: number;
  isBroken: boolean;
};

type Operation =
  | { readonly kind: 'create' | 'seal'; readonly file: SegmentFile }
  | { readonly kind: 'truncate'; readonly file: SegmentFile; readonly byteLength: number }
  | {
      readonly kind: 'write';
      readonly file: SegmentFile;
      readonly position: number;
      readonly pieces: readonly Piece[];
      readonly byteLength: number;
      readonly of: OpenFragment;
      /** This write ends with the fragment's commit record. */
      readonly committed: Fragment | undefined;
    };

/** A lane's first message is JSON with the tail in base64: above this the lane begins with the next key frame. */
const joinTailBytesMax = limits.laneMessageBytesMax / 2;
/** The fragment that a segment's last begin lets in may be so long, without the segment passing its hard bound. */
const fragmentDurationMsMax = limits.segmentDurationMsMax - limits.segmentDurationMs;

export class SegmentWriter {
  readonly #deps: SegmentWriterDeps;
  readonly #options: SegmentWriterOptions;
  readonly #files: JournalFiles;
  readonly #openDirectory: string;
  readonly #finishedDirectory: string;
  readonly #pending: PendingBytes;
  readonly #blockHead = new Uint8Array(simpleBlockHeadBytesMax);
  /** Not sealed yet, oldest first. */
  readonly #unsealed: SegmentFile[] = [];
  readonly #queue: OperationQueue<Operation>;
  readonly #background = new Set<Promise<void>>();
  #file: SegmentFile | undefined;
  #open: OpenFragment | undefined;
  #sequence = 0;
  #lastCounter = 0;
  #previousDigest: Uint8Array = new Uint8Array(32);
  #lastReadable: Fragment | undefined;
  #cancelFlush: (() => void) | undefined;
  #started: Promise<void> = Promise.resolve();
  #isMarking = false;
  #failure: AppError | undefined;
  #ended: Promise<void> | undefined;

  constructor(deps: SegmentWriterDeps, options: SegmentWriterOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#files = deps.files ?? systemFiles;
    this.#openDirectory = join(options.openDirectory, options.streamId);
    this.#finishedDirectory = join(options.finishedDirectory, options.streamId);
    this.#pending = new PendingBytes(deps.budget);
    this.#queue = new OperationQueue<Operation>({
      perform: (operation) => this.#perform(operation),
      release: (operation) => this.#release(operation),
      onFailed: (error) => this.#fail(error, reasonOf(error)),
    });
  }

  /**
   * Makes the stream's directories. The first file is created by the first fragment, which need not wait for this: the queue
   * does, and a failure here is a failed write too.
   */
  start(): Promise<void> {
    this.#started = this.#makeDirectories();
    return this.#started;
  }

  async #makeDirectories(): Promise<void> {
    for (const directory of [this.#openDirectory, this.#finishedDirectory]) {
      const created = await mkdir(directory, { recursive: true });
      // In shared mode the file system's sync covers the new entry, before anything in it is called durable.
      if (created !== undefined && this.#options.durability === 'each-fragment') {
        await this.#files.syncDirectory(join(created, '..'));
      }
    }
  }

  /** The last fragment that any process can read now: how far the run's footage goes when it fails. */
  get lastReadable(): Fragment | undefined {
    return this.#lastReadable;
  }

  /**
   * Begins a fragment; the previous one must be committed or aborted. Begins a new file when the current one is full.
   *
   * @throws AppError  the run has failed; `onFailed` was called
   */
  begin(fragment: FragmentBegin): void {
    this.#mustBeRunning();
    assert(this.#open === undefined, 'one fragment of a run is open at a time');
    assert(fragment.counter > this.#lastCounter, 'fragment numbers of a run increase');
    this.#lastCounter = fragment.counter;
    if (this.#file?.isFullFor(fragment)) this.#roll();
    this.#file ??= this.#beginFile(fragment);
    const file = this.#file;
    const offset = file.byteLength;
    this.#open = { ...fragment, file, offset, byteLength: 0, queuedBytes: 0, writtenBytes: 0, isBroken: false };
    this.#pending.beginHash();
    const { number, serverTimestampMs, producerTimestampMs, mediaTimeMs } = fragment;
    const times = { serverTimestampMs, producerTimestampMs, mediaTimeMs };
    this.#deps.onHint({ kind: 'begun', ...this.#identity(), path: file.path, offset, number, ...times });
  }

  /**
   * Appends bytes of the fragment's cluster, which begins with the Cluster element's own head. They are copied.
   *
   * @throws AppError resource_exhausted  the disk is so slow that the shared budget is used up: only `abort` and `end` help
   * @throws AppError invalid_argument    the fragment is larger than `limits.fragmentBytesMax`; likewise
   * @throws AppError                     the run has failed
   */
  write(bytes: Uint8Array): void {
    this.#mustBeRunning();
    const open = this.#mustBeOpen();
    if (open.byteLength + bytes.byteLength > limits.fragmentBytesMax) {
      open.isBroken = true;
      throw appError('invalid_argument', 'fragment is too large', { bytesMax: limits.fragmentBytesMax });
    }
    this.#append(open, bytes);
    open.byteLength += bytes.byteLength;
    if (this.#pending.byteLength >= limits.flushBytes) this.#flush(undefined);
    else this.#cancelFlush ??= this.#deps.clock.after(limits.flushPeriodMs, () => this.#flush(undefined));
  }

  /**
   * Appends a SimpleBlock. The first one of a fragment to which nothing was written yet is preceded by a Cluster head of
   * unknown size with the fragment's media time.
   *
   * @param relativeMs  from the fragment's media time, in units of the file's TimecodeScale, -32768 .. 32767
   * @param bytes       one frame; copied
   * @throws AppError   as `write`
   */
  writeBlock(trackNumber: number, relativeMs: number, isKey: boolean, bytes: Uint8Array): void {
    const open = this.#mustBeOpen();
    if (open.byteLength === 0) this.write(clusterHead(timecodeOf(open.mediaTimeMs, this.#options.timecodeScaleNs)));
    const block = { trackNumber, relativeMs, payloadBytes: bytes.byteLength, isKey };
    this.write(this.#blockHead.subarray(0, writeSimpleBlockHead(this.#blockHead, 0, block)));
    this.write(bytes);
  }

  /**
   * Ends the fragment: its commit record follows the cluster, and both are on their way to the file. A duration above a minute
   * is stored as one.
   *
   * @throws AppError  as `write`
   */
  commit({ tags = [], ...facts }: FragmentCommit): void {
    this.#mustBeRunning();
    const open = this.#mustBeOpen();
    assert(open.byteLength > 0, 'a committed fragment has bytes');
    assert(facts.durationMs >= 0, 'a fragment does not end before it begins');
    assert(facts.tracks.length <= limits.tracksMax, 'a fragment has no more tracks than a stream may have');
    const { file, number, offset, byteLength, serverTimestampMs, producerTimestampMs, mediaTimeMs } = open;
    const times = { serverTimestampMs, producerTimestampMs, mediaTimeMs };
    // A span above the bound could not be found by interval queries; the footage counts for more than its estimated end.
    const durationMs = Math.min(facts.durationMs, fragmentDurationMsMax);
    const fragment = { number, offset, byteLength, ...times, ...facts, durationMs, sha256: this.#pending.endHash() };
    const { record, element } = commitBytes(fragment, tags);
    assert(element.byteLength <= limits.commitTagsBytesMax, "a fragment's tags are within their limits");
    this.#append(open, element);
    file.add(fragment, record, element.byteLength);
    this.#flush(fragment);
    this.#open = undefined;
  }

  /** Takes the open fragment back: it never existed, and its bytes are cut off the file. Nothing happens without one. */
  abort(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    this.#stopFlushTimer();
    this.#pending.drop();
    if (open.queuedBytes > 0) this.#queue.push({ kind: 'truncate', file: open.file, byteLength: open.offset });
    this.#deps.onHint({ kind: 'aborted', ...this.#identity(), number: open.number });
  }

  /** Where a lane that joins now finds the fragment being written; undefined when there is none, or too much of it pends. */
  openFragment(): OpenFragmentView | undefined {
    const open = this.#open;
    if (open === undefined || open.byteLength === 0) return undefined;
    if (open.byteLength - open.writtenBytes > joinTailBytesMax) return undefined;
    const views: Uint8Array[] = [];
    for (const operation of this.#queue.operations) {
      if (operation.kind !== 'write' || operation.of !== open) continue;
      for (const { chunk, byteLength } of operation.pieces) views.push(chunk.subarray(0, byteLength));
    }
    return {
      path: open.file.path,
      clusterOffset: open.offset,
      joinOffset: open.offset + open.writtenBytes,
      tail: Buffer.concat([...views, ...this.#pending.views()]),
      number: open.number,
      serverTimestampMs: open.serverTimestampMs,
    };
  }

  /** The run's files that are not finished, for watchers that begin now. */
  snapshot(): OpenSegment[] {
    return this.#unsealed.map((file) => ({
      streamId: this.#options.streamId,
      runId: this.#options.runId,
      path: file.path,
      committedBytes: file.readableBytes,
      // A committed fragment whose bytes are still on their way is open for everyone else.
      openNumber:
        file.fragments[file.readableCount]?.number ?? (this.#open?.file === file ? this.#open.number : undefined),
    }));
  }

  /**
   * Ends the run: an open fragment is aborted, what was committed is written, the file finished and durable. A second call
   * waits for the first. It does not fail: what could not be finished was said by `onFailed` and is left to the keeper.
   */
  end(reason: RunEndReason): Promise<void> {
    this.#ended ??= this.#end(reason);
    return this.#ended;
  }

  async #end(reason: RunEndReason): Promise<void> {
    this.abort();
    if (this.#failure === undefined && this.#file !== undefined) this.#roll();
    await this.#queue.drained;
    if (this.#background.size > 0 && this.#failure === undefined) this.#inBackground(this.#synced());
    // Marking may begin another sync at the end of one.
    while (this.#background.size > 0) await Promise.all(this.#background);
    this.#deps.onHint({ kind: 'run-ended', ...this.#identity(), reason });
  }

  #identity(): { streamId: string; runId: string } {
    return { streamId: this.#options.streamId, runId: this.#options.runId };
  }

  #mustBeRunning(): void {
    if (this.#failure !== undefined) throw this.#failure;
    assert(this.#ended === undefined, 'a run that was ended takes nothing more');
  }

  #mustBeOpen(): OpenFragment {
    const open = this.#open;
    assert(open !== undefined && !open.isBroken, 'a fragment was begun, and nothing of it was refused');
    return open;
  }

  #beginFile(first: FragmentBegin): SegmentFile {
    const { streamId, runId, runReason, runStartServerMs, tracks, timecodeScaleNs } = this.#options;
    const sequence = this.#sequence++;
    const file = new SegmentFile(this.#files, {
      directory: this.#openDirectory,
      finishedDirectory: this.#finishedDirectory,
      first,
      shortenedByMs: sequence === 0 ? this.#options.segmentOffsetMs % limits.segmentDurationMs : 0,
      head: {
        ...{ streamId, runId, runReason, runStartServerMs, tracks, timecodeScaleNs, sequence },
        firstCounter: first.counter,
        producerHead: this.#options.producerHead ?? new Uint8Array(0),
        previousDigest: this.#previousDigest,
      },
    });
    this.#unsealed.push(file);
    this.#queue.push({ kind: 'create', file });
    return file;
  }

  #roll(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    // A file without fragments will be removed: it is no link of the chain.
    if (file.fragments.length > 0) this.#previousDigest = file.digest;
    else this.#sequence--;
    this.#queue.push({ kind: 'seal', file });
  }

  #append(open: OpenFragment, bytes: Uint8Array): void {
    try {
      this.#pending.append(bytes);
    } catch (error) {
      open.isBroken = true;
      throw error;
    }
  }

  /** Hands everything pending to the queue. */
  #flush(committed: Fragment | undefined): void {
    this.#stopFlushTimer();
    const open = this.#open;
    const byteLength = this.#pending.byteLength;
    if (open === undefined || byteLength === 0) return;
    const position = open.offset + open.queuedBytes;
    open.queuedBytes += byteLength;
    const pieces = this.#pending.take();
    this.#queue.push({ kind: 'write', file: open.file, position, pieces, byteLength, of: open, committed });
  }

  #stopFlushTimer(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
  }

  async #perform(operation: Operation): Promise<void> {
    const { file } = operation;
    switch (operation.kind) {
      case 'create':
        await this.#started;
        await file.create();
        if (this.#options.durability === 'each-fragment') await this.#files.syncDirectory(this.#openDirectory);
        return;
      case 'write':
        await file.write(
          operation.pieces.map(({ chunk, byteLength }) => chunk.subarray(0, byteLength)),
          operation.position,
        );
        operation.of.writtenBytes += operation.byteLength;
        if (operation.committed !== undefined) await this.#nowReadable(file, operation.committed, operation);
        return;
      case 'truncate':
        return file.truncate(operation.byteLength);
      case 'seal':
        await file.seal();
        this.#unsealed.splice(this.#unsealed.indexOf(file), 1);
        if (file.readableCount > 0) this.#inBackground(this.#finish(file));
        return;
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

  /** The content of a sealed file is durable; its new name is after the next sync. */
  async #finish({ path, finishedPath }: SegmentFile): Promise<void> {
    if (await this.#synced()) this.#deps.onHint({ kind: 'finished', ...this.#identity(), path, finishedPath });
  }

  /** False when it failed: then the run has. */
  async #synced(): Promise<boolean> {
    try {
      const alone = () => this.#syncAlone();
      await this.#deps.durability.synced({ alone, isUrgent: this.#ended !== undefined });
      return true;
    } catch (error) {
      this.#fail(error, 'sync-failed');
      return false;
    }
  }

  async #syncAlone(): Promise<void> {
    for (const file of this.#unsealed) await file.sync();
    await this.#files.syncDirectory(this.#openDirectory);
    await this.#files.syncDirectory(this.#finishedDirectory);
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
    this.#stopFlushTimer();
    this.#queue.stop();
    this.#inBackground(this.#salvage(reason));
    this.#deps.onFailed(failure, reason);
  }

  /** Keeps what is readable; everything else of the run never existed. */
  async #salvage(reason: GapReason): Promise<void> {
    await this.#queue.drained;
    this.#abortUnreadable();
    const onFinished = ({ path, finishedPath }: SegmentFile) =>
      this.#deps.onHint({ kind: 'finished', ...this.#identity(), path, finishedPath });
    const isTrusted = reason !== 'sync-failed';
    await salvage({ ...this.#deps, onFinished }, this.#unsealed.splice(0), { isTrusted });
  }

  #abortUnreadable(): void {
    const numbers = this.#unsealed.flatMap((file) => file.fragments.slice(file.readableCount).map((f) => f.number));
    if (this.#open !== undefined) numbers.push(this.#open.number);
    this.#open = undefined;
    this.#pending.drop();
    for (const number of numbers) this.#deps.onHint({ kind: 'aborted', ...this.#identity(), number });
  }
}

function reasonOf(error: unknown): GapReason {
  if (isAppError(error, 'data_loss')) return 'sync-failed';
  const errno = errnoOf(error);
  return errno === 'ENOSPC' || errno === 'EDQUOT' ? 'disk-full' : 'write-failed';
}
