/**
 * The segments of one run: the only door through which a fragment comes into being.
 *
 *   begin, write, commit | abort  ->  pending pieces  ->  queue of file operations  ->  journal/open  ->  journal/finished
 *
 * The calls on the left never wait: they copy into memory that all writers of the process share, and a background loop does
 * one operation after the other. `committed` is said when a fragment's bytes and its commit record are in the file, `durable`
 * when they survive power loss. The first failure ends the run; what was readable then stays.
 */

import { assert } from '../base/assert.ts';
import { appError } from '../base/errors.ts';
import { clusterHead, simpleBlockHeadBytesMax, writeSimpleBlockHead } from '../media/index.ts';
import type { Fragment } from '../model/fragment.ts';
import type { FragmentNumber } from '../model/fragment-number.ts';
import type { OpenSegment } from '../model/hint.ts';
import { limits } from '../model/limits.ts';
import type { RunEndReason } from '../model/run.ts';
import { PendingBytes } from './pending-bytes.ts';
import { RunFiles } from './run-files.ts';
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
  /** Bytes of the cluster, and how many of them were handed to the queue. */
  byteLength: number;
  queuedBytes: number;
  /** Something of it was refused: it can only be aborted. */
  isBroken: boolean;
};

/** A lane's first message is JSON with the tail in base64: above this the lane begins with the next key frame. */
const joinTailBytesMax = limits.laneMessageBytesMax / 2;
/** Numbers of a file that a snapshot tells: fragments of a second wait for a disk that hangs a minute. */
const openNumbersMax = 64;
/** The fragment that a segment's last begin lets in may be so long, without the segment passing its hard bound. */
const fragmentDurationMsMax = limits.segmentDurationMsMax - limits.segmentDurationMs;

export class SegmentWriter {
  readonly #deps: SegmentWriterDeps;
  readonly #options: SegmentWriterOptions;
  readonly #files: RunFiles;
  readonly #pending: PendingBytes;
  readonly #blockHead = new Uint8Array(simpleBlockHeadBytesMax);
  #file: SegmentFile | undefined;
  #open: OpenFragment | undefined;
  #sequence = 0;
  #lastCounter = 0;
  #previousDigest: Uint8Array = new Uint8Array(32);
  #cancelFlush: (() => void) | undefined;
  #ended: Promise<void> | undefined;

  constructor(deps: SegmentWriterDeps, options: SegmentWriterOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#pending = new PendingBytes(deps.budget);
    this.#files = new RunFiles(deps, options, (error, reason) => {
      this.abort();
      deps.onFailed(error, reason);
    });
  }

  /**
   * Makes the stream's directories. The first file is created by the first fragment, which need not wait for this: the queue
   * does, and a failure here is a failed write too.
   */
  start(): Promise<void> {
    return this.#files.start();
  }

  /** The last fragment that any process can read now: how far the run's footage goes when it fails. */
  get lastReadable(): Fragment | undefined {
    return this.#files.lastReadable;
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
    this.#open = { ...fragment, file, offset, byteLength: 0, queuedBytes: 0, isBroken: false };
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
    if (open.queuedBytes > 0) this.#files.truncate(open.file, open.offset);
    this.#deps.onHint({ kind: 'aborted', ...this.#identity(), number: open.number });
  }

  /** Where a lane that joins now finds the fragment being written; undefined when there is none, or too much of it pends. */
  openFragment(): OpenFragmentView | undefined {
    const open = this.#open;
    if (open === undefined || open.byteLength === 0) return undefined;
    const views = [...this.#files.queuedOf(open.number), ...this.#pending.views()];
    const tailBytes = views.reduce((sum, view) => sum + view.byteLength, 0);
    if (tailBytes > joinTailBytesMax) return undefined;
    return {
      path: open.file.path,
      clusterOffset: open.offset,
      joinOffset: open.offset + open.byteLength - tailBytes,
      tail: Buffer.concat(views),
      number: open.number,
      serverTimestampMs: open.serverTimestampMs,
    };
  }

  /** The run's files that are not finished, for watchers that begin now: once for each number that is open in them. */
  snapshot(): OpenSegment[] {
    return this.#files.unsealed.flatMap((file) => {
      const { path, readableBytes: committedBytes } = file;
      // A committed fragment whose bytes are still on their way is open for everyone else.
      const open = file.fragments.slice(file.readableCount, file.readableCount + openNumbersMax);
      const numbers: (FragmentNumber | undefined)[] = open.map(({ number }) => number);
      if (this.#open?.file === file) numbers.push(this.#open.number);
      if (numbers.length === 0) numbers.push(undefined);
      return numbers.map((openNumber) => ({ ...this.#identity(), path, committedBytes, openNumber }));
    });
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
    if (this.#files.failure === undefined) this.#roll();
    await this.#files.end();
    this.#deps.onHint({ kind: 'run-ended', ...this.#identity(), reason });
  }

  #identity(): { streamId: string; runId: string } {
    return { streamId: this.#options.streamId, runId: this.#options.runId };
  }

  #mustBeRunning(): void {
    if (this.#files.failure !== undefined) throw this.#files.failure;
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
    const file = new SegmentFile(this.#files.files, {
      directory: this.#files.openDirectory,
      finishedDirectory: this.#files.finishedDirectory,
      first,
      shortenedByMs: sequence === 0 ? this.#options.segmentOffsetMs % limits.segmentDurationMs : 0,
      head: {
        ...{ streamId, runId, runReason, runStartServerMs, tracks, timecodeScaleNs, sequence },
        firstCounter: first.counter,
        producerHead: this.#options.producerHead ?? new Uint8Array(0),
        previousDigest: this.#previousDigest,
      },
    });
    this.#files.create(file);
    return file;
  }

  #roll(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    // A file without fragments will be removed: it is no link of the chain.
    if (file.fragments.length > 0) this.#previousDigest = file.digest;
    else this.#sequence--;
    this.#files.seal(file);
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
    const { file, number } = open;
    this.#files.write({ file, number, position, pieces: this.#pending.take(), byteLength, committed });
  }

  #stopFlushTimer(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
  }
}
