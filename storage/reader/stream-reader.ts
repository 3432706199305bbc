/**
 * One view of a stream's fragments, wherever they lie:
 *
 *   journal/open (committed part) -> journal/finished -> index and object store
 *
 * A segment only ever moves to the right, so asking in this order meets each at least once, and its key makes it exactly
 * once. Nothing here waits for hints or needs the index: each part may be missing, and then the others answer.
 */

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { type AppError, appError, errnoOf, isAppError, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { parseCommitTags, runHeadOf } from '../journal/index.ts';
import { type Fragment, type FragmentTags, fragmentEndMs } from '../model/fragment.ts';
import { type FragmentNumber, fragmentNumber, fragmentNumberParts, numberBefore } from '../model/fragment-number.ts';
import { limits } from '../model/limits.ts';
import { type JournalPaths, journalRoots } from '../model/paths.ts';
import { isImported } from '../model/run.ts';
import { collectByTime, mergedByBegin, type TimedPart, type TimeRange, timeOf } from './by-time.ts';
import { FinishedSegments, type SegmentSpan } from './finished-segments.ts';
import { IndexedSegments } from './indexed-segments.ts';
import { Listeners } from './listeners.ts';
import { type OpenSegmentFile, OpenSegments } from './open-segments.ts';
import {
  type FragmentRef,
  type HintWatcher,
  type IndexedSegment,
  type SegmentIndex,
  type SegmentRef,
  type SegmentStore,
  segmentKey,
  type TimeAxis,
} from './references.ts';
import { OpenNumbers, watermarkOfFiles } from './watermark.ts';

export type StreamReaderDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly paths: JournalPaths;
  readonly index?: SegmentIndex | undefined;
  readonly store?: SegmentStore | undefined;
  readonly watcher?: HintWatcher | undefined;
};

/** Parts that could not be asked the last time, with the reason. */
export type MissingParts = { readonly index?: string; readonly hints?: string };

/** A segment of which fragments may be wanted; they are loaded only when their turn comes. */
type Part = {
  readonly segment: SegmentRef;
  /** Server time of its first fragment. */
  readonly beginMs: number;
  readonly load: () => Promise<readonly Fragment[]>;
};

/** The parts of an answer, by place. `bound`: the watermark, taken before anything was read. */
type Found = {
  readonly open: readonly OpenSegmentFile[];
  readonly finished: readonly string[];
  readonly indexed: readonly IndexedSegment[];
  readonly bound: FragmentNumber | undefined;
};

/** Heads of cameras have 1 to 2 KB, those of producers with a few tags some more. */
const usualHeadBytes = 16 * 1024;
/** Segments whose numbers may lie between those of another one: a camera, two imports, connections of a producer that overlap. */
const parallelRunsMax = 8;
/** Tables of 30 fragments take 0.1 ms each. */
const tablesInARow = 50;

export class StreamReader {
  readonly #deps: StreamReaderDeps;
  readonly #open: OpenSegments;
  readonly #finished: FinishedSegments;
  readonly #index: IndexedSegments;
  readonly #openNumbers = new OpenNumbers();
  readonly #listeners: Listeners;
  #stopWatching: (() => void) | undefined;

  constructor(deps: StreamReaderDeps) {
    this.#deps = deps;
    this.#open = new OpenSegments(journalRoots(deps.paths).map((root) => root.open));
    this.#finished = new FinishedSegments(
      deps,
      journalRoots(deps.paths).map((root) => root.finished),
    );
    this.#index = new IndexedSegments(deps.index);
    this.#listeners = new Listeners(deps, {
      isTold: () => this.#openNumbers.isKnown,
      newest: async (streamId) => (await this.latest(streamId))?.fragment.number,
    });
  }

  /** Begins to listen for hints; reading works without it. */
  async start(): Promise<void> {
    this.#stopWatching ??= this.#deps.watcher?.watch({
      onSnapshot: ({ open }) => {
        this.#openNumbers.takeSnapshot(open);
        this.#listeners.callAll();
      },
      onHint: (hint) => {
        if (this.#openNumbers.takeHint(hint)) this.#listeners.call(hint.streamId);
      },
      onLost: () => this.#openNumbers.lose(),
    });
  }

  async close(): Promise<void> {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#openNumbers.lose();
    await this.#listeners.close();
  }

  /** What answers lack. Without the index: segments that are only in the store. Without hints: nothing, but they are later. */
  missing(): MissingParts {
    const index = this.#index.missing;
    return {
      ...(index === undefined ? {} : { index }),
      ...(this.#openNumbers.isKnown ? {} : { hints: 'no word from the recording process' }),
    };
  }

  /**
   * Fragments that overlap a span of server time, below the watermark: what was recorded by number, and what was brought in from
   * files between it, by time.
   *
   * @param range  end exclusive; the first `limit` fragments, default and most `limits.readerFragmentsMax`
   */
  async fragmentsBetween(
    streamId: string,
    range: { readonly beginMs: number; readonly endMs: number; readonly limit?: number },
  ): Promise<FragmentRef[]> {
    const limit = limitOf(range.limit);
    const found = await this.#find(streamId, () => this.#index.between(streamId, range, limit));
    const overlaps = (span: SegmentSpan) => span.endMs > range.beginMs && span.beginMs < range.endMs;
    const options = {
      isWanted: (f: Fragment) => f.serverTimestampMs < range.endMs && fragmentEndMs(f) > range.beginMs,
      bound: found.bound,
      limit,
    };
    const parts = await this.#parts(streamId, found, overlaps);
    const imported = parts.filter(({ segment }) => isImported(segment));
    if (imported.length === 0) return this.#collect(parts, options);
    const recorded = parts.filter(({ segment }) => !isImported(segment));
    return mergedByTime(await this.#collect(recorded, options), await this.#collectByTime(imported, options)).slice(
      0,
      limit,
    );
  }

  /**
   * The first `limit` fragments with numbers above the given one (all when it is undefined): what a cursor asks for.
   *
   * @param options.isWhole  refuses to leave out what only the index knows of; while that cannot be asked, fragments that follow
   *                         the number directly are told
   * @throws AppError unavailable  with `isWhole`
   */
  async fragmentsAfter(
    streamId: string,
    number: FragmentNumber | undefined,
    limit?: number,
    options: { readonly isWhole?: boolean } = {},
  ): Promise<FragmentRef[]> {
    const most = limitOf(limit);
    let refusal: AppError | undefined;
    const found = await this.#find(streamId, () => {
      const answer = this.#index.after(streamId, number, most);
      refusal = this.#index.refusal;
      return answer;
    });
    const isAfter = (candidate: FragmentNumber) => number === undefined || candidate > number;
    const parts = await this.#parts(streamId, found, (span) => isAfter(span.lastNumber));
    const collected = await this.#collect(parts, {
      isWanted: (f) => isAfter(f.number),
      bound: found.bound,
      limit: most,
    });
    if (options.isWhole === true && refusal !== undefined && !followsDirectly(number, collected)) throw refusal;
    return collected;
  }

  /**
   * The first `limit` fragments that begin within a span of server or producer time, in the order of that time, whatever their
   * numbers. No media are read, and no more tables than the answer takes.
   *
   * @throws AppError unavailable  the index cannot be asked
   */
  async fragmentsByTime(streamId: string, range: TimeRange): Promise<FragmentRef[]> {
    const { axis, isRecordedOnly = false } = range;
    const limit = limitOf(range.limit);
    // A fragment of no duration that ends its segment lies at the very end of it.
    const span = { beginMs: Math.max(range.beginMs, range.after?.atMs ?? range.beginMs) - 1, endMs: range.endMs };
    const pages = this.#index.pagesBetween(streamId, span, axis);
    const found = await this.#find(streamId, () => pages.next().value ?? []);
    const parts = await this.#parts(streamId, { ...found, indexed: [] }, (part) => overlaps(part, span, axis));
    const local: TimedPart[] = [];
    for (const { segment, load } of parts) {
      const [first] = await load();
      if (first !== undefined) local.push({ segment, beginMs: timeOf(first, axis), load });
    }
    const ordered = mergedByBegin(
      local.sort((a, b) => a.beginMs - b.beginMs),
      this.#indexedByTime([found.indexed], pages, axis),
    );
    return collectByTime(once(ordered, isRecordedOnly), { ...range, limit, bound: found.bound });
  }

  /**
   * The fragments with these numbers, as far as they are there and visible; no media are read.
   *
   * @throws AppError unavailable  one is not in the journal, and the index cannot be asked
   */
  async fragmentsOfNumbers(
    streamId: string,
    numbers: readonly FragmentNumber[],
  ): Promise<ReadonlyMap<FragmentNumber, FragmentRef>> {
    const sorted = [...new Set(numbers)].sort();
    const wanted = new Set(sorted);
    const result = new Map<FragmentNumber, FragmentRef>();
    const [lowest] = sorted;
    if (lowest === undefined) return result;
    const found = await this.#find(streamId, () => this.#index.after(streamId, numberBefore(lowest), 1));
    const take = (segment: SegmentRef, fragments: readonly Fragment[]) => {
      for (const fragment of fragments) {
        const isVisible = found.bound === undefined || fragment.number < found.bound;
        if (isVisible && wanted.has(fragment.number)) result.set(fragment.number, { fragment, segment });
      }
    };
    const mayHold = (firstCounter: number, lastNumber: FragmentNumber) =>
      sorted.some((number) => number <= lastNumber && number >= fragmentNumber(firstCounter, 0, 0));
    const local = { ...found, indexed: [] };
    const parts = await this.#parts(streamId, local, ({ lastNumber }) => lastNumber >= lowest);
    for (const { segment, load } of parts) {
      const fragments = await load();
      const last = fragments.at(-1);
      if (last !== undefined && mayHold(segment.firstCounter, last.number)) take(segment, fragments);
    }
    let tables = 0;
    for (const number of sorted) {
      if (result.has(number)) continue;
      const segments = this.#index.after(streamId, numberBefore(number), parallelRunsMax);
      const { refusal } = this.#index;
      if (refusal !== undefined) throw refusal;
      for (const segment of segments) {
        if (fragmentNumber(segment.firstCounter, 0, 0) > number) continue;
        take({ ...segment, openPath: undefined }, await this.#fragmentsOfIndexed(segment));
        if (result.has(number)) break;
      }
      // Each table is read in one go: others get their turn in between.
      if (++tables % tablesInARow === 0) await this.#deps.clock.sleep(0);
    }
    return result;
  }

  /**
   * The fragment with the highest visible number, or undefined where nothing was recorded: what is brought in from files has
   * high numbers too, and is no news.
   */
  async latest(streamId: string): Promise<FragmentRef | undefined> {
    const found = await this.#find(streamId, () => {
      const latest = this.#index.latest(streamId);
      return latest === undefined ? [] : [latest];
    });
    const newest = { ...found, finished: await this.#newestRecorded(streamId, found.finished) };
    const parts = (await this.#parts(streamId, newest, () => true)).filter(({ segment }) => !isImported(segment));
    const everything = { isWanted: () => true, bound: found.bound, limit: Number.POSITIVE_INFINITY };
    return (await this.#collect(parts, everything)).at(-1);
  }

  /**
   * The whole Cluster element; the caller owns the bytes.
   *
   * @throws AppError not_found  removed meanwhile
   * @throws AppError data_loss  the segment is shorter than its fragment
   */
  async clusterBytes({ fragment, segment }: FragmentRef): Promise<Uint8Array> {
    const bytes = await this.openRange(segment, fragment.offset, fragment.byteLength);
    if (bytes.byteLength === fragment.byteLength) return bytes;
    throw appError('data_loss', 'segment ends inside a fragment', {
      streamId: segment.streamId,
      objectKey: segment.objectKey,
      number: fragment.number,
      wantedBytes: fragment.byteLength,
      readBytes: bytes.byteLength,
    });
  }

  /**
   * A fragment's user tags, and its Cluster element or the first bytes of a larger one: one read where it is whole.
   *
   * @param bytesMax  of the cluster
   * @throws AppError as `clusterBytes`
   * @throws AppError data_loss  no commit record of this fragment stands behind the cluster
   */
  async fragmentBytes(
    { fragment, segment }: FragmentRef,
    bytesMax: number,
  ): Promise<{ readonly tags: FragmentTags; readonly cluster: Uint8Array }> {
    const { offset, byteLength, number } = fragment;
    const tagsAt = byteLength <= bytesMax ? byteLength : 0;
    const bytes = await this.openRange(segment, offset + byteLength - tagsAt, tagsAt + limits.commitTagsBytesMax);
    const commit = parseCommitTags(bytes.subarray(tagsAt));
    if (commit?.fragment.number !== number) {
      const facts = { streamId: segment.streamId, objectKey: segment.objectKey, number };
      throw appError('data_loss', 'no commit record behind the cluster', facts);
    }
    const cluster = tagsAt > 0 ? bytes.subarray(0, tagsAt) : await this.openRange(segment, offset, bytesMax);
    return { tags: commit.tags, cluster };
  }

  /**
   * Resolves when the fragment survives power loss. What is finished does; an open file is brought to the disk here, since its writer
   * may do so a moment later.
   *
   * @throws AppError unavailable  the disk did not confirm
   */
  async persist({ segment }: FragmentRef): Promise<void> {
    if (segment.openPath === undefined) return;
    try {
      const file = await open(segment.openPath, 'r');
      await file.datasync().finally(() => file.close());
    } catch (error) {
      // Finished meanwhile, and so on the disk.
      if (errnoOf(error) === 'ENOENT') return;
      throw appError('unavailable', 'an open segment could not be brought to the disk', {
        streamId: segment.streamId,
        cause: error,
      });
    }
  }

  /**
   * What stands before a fragment when it is read alone: the producer's header byte for byte, or what our recorder wrote without
   * our tags. The same for all fragments of a run.
   *
   * @throws AppError not_found  the segment was removed
   * @throws AppError data_loss  its head is damaged
   */
  async runHead(segment: SegmentRef): Promise<Uint8Array> {
    for (const length of [usualHeadBytes, limits.segmentHeadBytesMax]) {
      const head = runHeadOf(await this.openRange(segment, 0, length));
      if (head !== undefined) return head;
    }
    throw appError('data_loss', 'segment head is not complete', { objectKey: segment.objectKey });
  }

  /**
   * Bytes `offset` up to `offset + length` of a segment, or fewer where it ends, from wherever it lies now. All stored media
   * are read through here, so that encryption at rest has one place.
   *
   * @throws AppError not_found           it was removed
   * @throws AppError resource_exhausted  `length` is above `limits.objectRangeBytesMax`
   */
  async openRange(segment: SegmentRef, offset: number, length: number): Promise<Uint8Array> {
    if (length > limits.objectRangeBytesMax) {
      throw appError('resource_exhausted', 'range is too large', { length, lengthMax: limits.objectRangeBytesMax });
    }
    for (const path of this.#localPaths(segment)) {
      const bytes = await readLocal(path, offset, length);
      if (bytes !== undefined) return bytes;
    }
    const { store } = this.#deps;
    if (store !== undefined) return store.getRange(segment.objectKey, offset, length);
    throw appError('not_found', 'segment is not in the journal any more', { objectKey: segment.objectKey });
  }

  /**
   * Calls back when a stream may have new fragments, until the returned function is called: at once by hints, and without
   * them within `limits.readerPollMs`. A callback asks for fragments itself.
   */
  onNew(streamId: string, callback: () => void): () => void {
    return this.#listeners.add(streamId, callback);
  }

  #localPaths(segment: SegmentRef): string[] {
    const { streamId, openPath } = segment;
    const finished = journalRoots(this.#deps.paths).map((root) => join(root.finished, streamId, segmentKey(segment)));
    return openPath === undefined ? finished : [openPath, `${openPath}.abandoned`, ...finished];
  }

  async #find(streamId: string, ask: () => readonly IndexedSegment[]): Promise<Found> {
    const told = this.#openNumbers.isKnown ? { bound: this.#openNumbers.watermark(streamId) } : undefined;
    const open = await this.#open.read(streamId);
    const bound = told === undefined ? watermarkOfFiles(open, this.#deps.clock.wallMs()) : told.bound;
    const names = await this.#finished.names(streamId);
    const indexed = ask();
    return { open, finished: this.#index.unknownOf(streamId, names), indexed, bound };
  }

  /** Files are in the order of their first number; parallel runs may end in another one, but not by more than a segment. */
  async #newestRecorded(streamId: string, names: readonly string[]): Promise<string[]> {
    const newest: string[] = [];
    for (let i = names.length - 1; i >= 0 && newest.length < 4; i--) {
      const name = names[i] ?? '';
      const loaded = await this.#finished.load(streamId, name);
      if (loaded !== undefined && !isImported(loaded.segment)) newest.unshift(name);
    }
    return newest;
  }

  /** Segments of the pages that were taken and of those still to be taken, as parts. */
  *#indexedByTime(
    taken: readonly (readonly IndexedSegment[])[],
    pages: Iterable<readonly IndexedSegment[]>,
    axis: TimeAxis,
  ): Generator<TimedPart> {
    for (const rows of chained(taken, pages)) {
      for (const segment of rows) {
        const beginMs = axis === 'server' ? segment.beginServerMs : segment.beginProducerMs;
        yield {
          segment: { ...segment, openPath: undefined },
          beginMs,
          load: () => this.#fragmentsOfIndexed(segment),
        };
      }
    }
  }

  /** Places to load fragments from, each segment once: where it lies furthest to the right it is complete. */
  async #parts(streamId: string, found: Found, isWanted: (span: SegmentSpan) => boolean): Promise<Part[]> {
    const parts = new Map<string, Part>();
    for (const { loaded } of found.open) {
      if (loaded === undefined) continue;
      const { segment, fragments } = loaded;
      const beginMs = fragments[0]?.serverTimestampMs ?? segment.runStartServerMs;
      parts.set(segmentKey(segment), { segment, beginMs, load: async () => fragments });
    }
    for (const name of found.finished) {
      const span = await this.#finished.span(streamId, name);
      if (span === undefined || !isWanted(span)) continue;
      const loaded = await this.#finished.load(streamId, name);
      if (loaded === undefined) continue;
      parts.set(name, { segment: loaded.segment, beginMs: span.beginMs, load: async () => loaded.fragments });
    }
    for (const segment of found.indexed) {
      const load = () => this.#fragmentsOfIndexed(segment);
      const { beginServerMs: beginMs } = segment;
      parts.set(segmentKey(segment), { segment: { ...segment, openPath: undefined }, beginMs, load });
    }
    return [...parts.values()].sort((a, b) => a.segment.firstCounter - b.segment.firstCounter);
  }

  async #fragmentsOfIndexed(segment: IndexedSegment): Promise<readonly Fragment[]> {
    const fragments = this.#index.fragmentsOf(segment);
    if (fragments !== undefined) return fragments;
    return (await this.#finished.load(segment.streamId, segmentKey(segment)))?.fragments ?? [];
  }

  async #collect(parts: readonly Part[], options: CollectOptions): Promise<FragmentRef[]> {
    const { isWanted, bound, limit } = options;
    const collected = new OrderedReferences();
    for (const { segment, load } of parts) {
      // Segments of parallel runs interleave: only what lies below the next one's first number is certainly before it.
      const last = collected.at(limit - 1);
      if (last !== undefined && last.fragment.number < fragmentNumber(segment.firstCounter, 0, 0)) break;
      for (const fragment of await load()) {
        const isVisible = bound === undefined || fragment.number < bound;
        if (isVisible && isWanted(fragment)) collected.push({ fragment, segment });
      }
    }
    return collected.first(limit);
  }

  /** As `#collect`, by server time. */
  async #collectByTime(parts: readonly Part[], { isWanted, bound, limit }: CollectOptions): Promise<FragmentRef[]> {
    let collected: FragmentRef[] = [];
    for (const { segment, beginMs, load } of parts.toSorted((a, b) => a.beginMs - b.beginMs)) {
      const last = collected[limit - 1];
      if (last !== undefined && last.fragment.serverTimestampMs <= beginMs) break;
      for (const fragment of await load()) {
        const isVisible = bound === undefined || fragment.number < bound;
        if (isVisible && isWanted(fragment)) collected.push({ fragment, segment });
      }
      collected = collected.sort((a, b) => a.fragment.serverTimestampMs - b.fragment.serverTimestampMs);
    }
    return collected.slice(0, limit);
  }
}

/** Parts of which none comes twice: a segment may be in the journal and in the index. */
function* once(parts: Iterable<TimedPart>, isRecordedOnly: boolean): Generator<TimedPart> {
  const seen = new Set<string>();
  for (const part of parts) {
    const key = segmentKey(part.segment);
    if (seen.has(key) || (isRecordedOnly && isImported(part.segment))) continue;
    seen.add(key);
    yield part;
  }
}

function* chained<T>(...iterables: readonly Iterable<T>[]): Generator<T> {
  for (const iterable of iterables) yield* iterable;
}

function overlaps(
  part: SegmentSpan,
  span: { readonly beginMs: number; readonly endMs: number },
  axis: TimeAxis,
): boolean {
  const [beginMs, endMs] = axis === 'server' ? [part.beginMs, part.endMs] : [part.beginProducerMs, part.endProducerMs];
  return endMs > span.beginMs && beginMs < span.endMs;
}

/** Nothing lies between the number and what comes after it: counters of a stream rise by one. */
function followsDirectly(number: FragmentNumber | undefined, [first]: readonly FragmentRef[]): boolean {
  if (first === undefined) return true;
  if (number === undefined) return false;
  return fragmentNumberParts(first.fragment.number).counter <= fragmentNumberParts(number).counter + 1;
}

type CollectOptions = {
  readonly isWanted: (fragment: Fragment) => boolean;
  readonly bound: FragmentNumber | undefined;
  readonly limit: number;
};

/** Each imported fragment before the first recorded one that is later; recorded ones stay in their own order. */
function mergedByTime(recorded: readonly FragmentRef[], imported: readonly FragmentRef[]): FragmentRef[] {
  const merged: FragmentRef[] = [];
  let next = 0;
  for (const reference of recorded) {
    for (; next < imported.length; next++) {
      const one = imported[next];
      if (one === undefined || one.fragment.serverTimestampMs > reference.fragment.serverTimestampMs) break;
      merged.push(one);
    }
    merged.push(reference);
  }
  return [...merged, ...imported.slice(next)];
}

/** References by number; they nearly always come in order, so sorting is rare. */
class OrderedReferences {
  readonly #references: FragmentRef[] = [];
  #isSorted = true;

  push(reference: FragmentRef): void {
    const last = this.#references.at(-1);
    this.#isSorted &&= last === undefined || last.fragment.number < reference.fragment.number;
    this.#references.push(reference);
  }

  at(index: number): FragmentRef | undefined {
    return this.#sorted()[index];
  }

  first(limit: number): FragmentRef[] {
    return this.#sorted().slice(0, limit);
  }

  #sorted(): FragmentRef[] {
    if (!this.#isSorted) this.#references.sort((a, b) => (a.fragment.number < b.fragment.number ? -1 : 1));
    this.#isSorted = true;
    return this.#references;
  }
}

function limitOf(limit: number | undefined): number {
  return Math.min(limit ?? limits.readerFragmentsMax, limits.readerFragmentsMax);
}

/** Undefined when there is no such file. */
async function readLocal(path: string, offset: number, length: number): Promise<Uint8Array | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    } finally {
      await file.close();
    }
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw isAppError(error) ? error : toAppError(error);
  }
}
