/**
 * One segment file while it is written: what it will hold, how far that has reached the file, and when it is full. Whatever is
 * appended here was decided by `SegmentWriter`; nothing is ever patched.
 */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import { appError } from '../base/errors.ts';
import { cuesElement, matroskaHead, segmentDataBegin, tagsElement } from '../media/index.ts';
import type { Fragment } from '../model/fragment.ts';
import { limits } from '../model/limits.ts';
import { type SegmentHead, segmentFileName } from '../model/segment.ts';
import { packCommit } from './fragment-record.ts';
import type { JournalFiles } from './journal-files.ts';
import { abandonedSuffix } from './journal-listing.ts';
import { packSegmentFacts, packTable, segmentDigest } from './segment-record.ts';
import { tagNames } from './segment-scan.ts';

export type SegmentTimes = { readonly serverTimestampMs: number; readonly producerTimestampMs: number };

export class SegmentFile {
  readonly path: string;
  readonly finishedPath: string;
  readonly head: SegmentHead;
  readonly headBytes: Uint8Array;
  /** Committed fragments; the first `readableCount` of them are in the file. */
  readonly fragments: Fragment[] = [];
  /** Where the next cluster begins. */
  byteLength: number;
  readableCount = 0;
  /** Bytes up to the end of the last commit record in the file; 0 while the head is not. */
  readableBytes = 0;
  readonly #files: JournalFiles;
  readonly #first: SegmentTimes;
  readonly #durationMsMax: number;
  readonly #digest = createHash('sha256');
  #largestFragmentBytes = 0;
  #descriptor: number | undefined;
  #isCreated = false;
  #isComplete = false;

  /** @param options.shortenedByMs  this file is full so much earlier: spreads the ends of many writers over time */
  constructor(
    files: JournalFiles,
    options: {
      readonly directory: string;
      readonly finishedDirectory: string;
      readonly head: SegmentHead;
      readonly first: SegmentTimes;
      readonly shortenedByMs: number;
    },
  ) {
    this.#files = files;
    this.#first = options.first;
    this.#durationMsMax = limits.segmentDurationMs - options.shortenedByMs;
    this.head = options.head;
    const name = segmentFileName(options.head);
    this.path = join(options.directory, name);
    this.finishedPath = join(options.finishedDirectory, name);
    this.headBytes = headBytes(options.head);
    assert(this.headBytes.byteLength <= limits.segmentHeadBytesMax, 'a segment head is within its limit');
    this.#digest.update(this.headBytes);
    this.byteLength = this.headBytes.byteLength;
  }

  /** Digest over the head and the commit records so far. */
  get digest(): Uint8Array {
    return new Uint8Array(this.#digest.copy().digest());
  }

  /** True when a fragment that begins at these times belongs into the next file. */
  isFullFor(next: SegmentTimes): boolean {
    const last = this.fragments.at(-1);
    const serverSpanMs = next.serverTimestampMs - this.#first.serverTimestampMs;
    const producerSpanMs = next.producerTimestampMs - this.#first.producerTimestampMs;
    return (
      Math.max(Math.abs(serverSpanMs), Math.abs(producerSpanMs)) >= this.#durationMsMax ||
      // Producer time went back: inside one file both times only increase.
      (last !== undefined && next.producerTimestampMs < last.producerTimestampMs) ||
      this.byteLength + this.#largestFragmentBytes > limits.segmentBytes ||
      this.fragments.length >= limits.segmentFragmentsMax
    );
  }

  /** Takes a committed fragment into table and digest. `tagsBytes` follow its cluster. */
  add(fragment: Fragment, record: Uint8Array, tagsBytes: number): void {
    this.fragments.push(fragment);
    this.#digest.update(record);
    this.byteLength += fragment.byteLength + tagsBytes;
    this.#largestFragmentBytes = Math.max(this.#largestFragmentBytes, fragment.byteLength);
  }

  /** Creates the file with its head. */
  async create(): Promise<void> {
    this.#descriptor = await this.#files.create(this.path);
    this.#isCreated = true;
    await this.#files.write(this.#descriptor, [this.headBytes], 0);
    this.readableBytes = this.headBytes.byteLength;
  }

  async write(views: readonly Uint8Array[], position: number): Promise<void> {
    await this.#files.write(this.#opened(), views, position);
  }

  async truncate(byteLength: number): Promise<void> {
    await this.#files.truncate(this.#opened(), byteLength);
  }

  /**
   * Makes what was written durable; nothing to do before the file is created and after it was closed.
   *
   * @throws AppError data_loss  the disk refused: what was written since the last sync may be lost
   */
  async sync(): Promise<void> {
    if (this.#descriptor === undefined) return;
    try {
      await this.#files.sync(this.#descriptor);
    } catch (cause) {
      throw appError('data_loss', 'sync of a segment file failed', { path: this.path, cause });
    }
  }

  /** True when cues and table are written: nothing more will be. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Appends cues and table of what is readable; a file without fragments is removed instead. */
  async complete(): Promise<void> {
    if (this.#isComplete) return;
    const fragments = this.fragments.slice(0, this.readableCount);
    if (fragments.length === 0) return this.#remove();
    const digest = fragments.length === this.fragments.length ? this.digest : segmentDigest(this.headBytes, fragments);
    await this.write(endBytes({ fragments, digest, timecodeScaleNs: this.head.timecodeScaleNs }), this.readableBytes);
    this.#isComplete = true;
  }

  /** Closes a complete file and moves it to the finished ones. Its bytes must be durable: there they are believed. */
  async publish(): Promise<void> {
    await this.close();
    await this.#files.rename(this.path, this.finishedPath);
  }

  /** Gives the file up as it is: closed, and named so that the keeper may recover it; nothing to do before it is created. */
  async abandon(): Promise<void> {
    await this.close();
    if (!this.#isCreated) return;
    await this.#files.rename(this.path, this.path + abandonedSuffix);
  }

  async close(): Promise<void> {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) await this.#files.close(descriptor);
  }

  async #remove(): Promise<void> {
    const wasCreated = this.#descriptor !== undefined;
    await this.close();
    if (wasCreated) await this.#files.remove(this.path);
  }

  #opened(): number {
    assert(this.#descriptor !== undefined, 'a segment file is created before it is written');
    return this.#descriptor;
  }
}

/** What a finished file ends with: cues of the fragments that begin with a key frame, then the table. */
export function endBytes(options: {
  readonly fragments: readonly Fragment[];
  readonly digest: Uint8Array;
  readonly timecodeScaleNs: number;
}): Uint8Array[] {
  const cues = options.fragments
    .filter((fragment) => fragment.isKey)
    .map((fragment) => ({
      timecodeMs: timecodeOf(fragment.mediaTimeMs, options.timecodeScaleNs),
      trackNumber: fragment.tracks[0]?.trackNumber ?? 1,
      clusterOffset: fragment.offset - segmentDataBegin(),
    }));
  const table = tagsElement([{ name: tagNames.table, value: packTable(options) }]);
  return cues.length === 0 ? [table] : [cuesElement(cues), table];
}

/** Media time in units of the file's TimecodeScale. The latest that a producer may send is rounded to one that no element holds. */
export function timecodeOf(mediaTimeMs: number, timecodeScaleNs: number): number {
  const timecode = Math.round((mediaTimeMs * 1_000_000) / timecodeScaleNs);
  return Math.min(Math.max(0, timecode), Number.MAX_SAFE_INTEGER);
}

/** The bytes of the value of WEIR_COMMIT and of the whole Tags element that follows a cluster. */
export function commitBytes(
  fragment: Fragment,
  tags: readonly { readonly name: string; readonly value: string }[],
): { readonly record: Uint8Array; readonly element: Uint8Array } {
  const record = packCommit(fragment);
  const ours = [
    { name: tagNames.fragment, value: fragment.number },
    { name: tagNames.commit, value: record },
  ];
  return { record, element: tagsElement([...ours, ...tags]) };
}

function headBytes(head: SegmentHead): Uint8Array {
  const tags: { name: string; value: Uint8Array }[] = [{ name: tagNames.segment, value: packSegmentFacts(head) }];
  if (head.producerHead.byteLength > 0) tags.push({ name: tagNames.producerHead, value: head.producerHead });
  const { tracks, timecodeScaleNs } = head;
  return matroskaHead({ segmentUid: Buffer.from(head.runId, 'hex'), tracks, timecodeScaleNs, tags });
}
