/**
 * Hands taken-in files to the object store, oldest first, and lets local copies go: objects durable -> rows say stored -> local
 * files removed. What was put within a second or two shares one sync of the store and one transaction. While the store is away
 * nothing is lost and nothing is tried twice in a row.
 */

import { AssertionError } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { type AppError, appError, isAppError, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { IndexChange, IndexWriter, NotStored, StoredSegment } from '../index/index.ts';
import { segmentFileName } from '../model/segment.ts';
import type { LocalFiles } from './local-files.ts';
import { Refusals } from './refusals.ts';
import type { StoreGate } from './store-gate.ts';

/** Puts at the same time: enough to hide a store's latency, few enough for a spinning disk. */
const putsAtOnce = 4;
/** Rows of one transaction. */
const batchRows = 64;
/** Entries of one look for rows that are due: they come from an index alone, and 100,000 of them take some 200 ms. */
const pageEntries = 4_096;
/** A batch ends after so long, so that a slow store's work is on record soon. */
const batchMs = 2_000;

type Outcome =
  | { readonly kind: 'stored' }
  /** The file moved, or its row went: to be looked at again. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'lost' | 'unreachable' | 'failed'; readonly error: unknown };

export class StoreOut {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #index: IndexWriter;
  readonly #gate: StoreGate;
  readonly #files: LocalFiles;
  readonly #hotBytesMax: number;
  /** Rows whose only copy is not where it should be: an alarm. Looked at again, since a disk may come back. */
  readonly lost: Refusals<number>;
  /** Files that the store or the journal's disk refuses, by row. */
  readonly refused: Refusals<number>;
  /** Of journal directories that were not there, by path. */
  readonly #awayErrors = new Map<string, AppError>();
  #isStarted = false;

  /** @param options.hotBytesMax  of local copies that are kept after the store has them */
  constructor(
    dependencies: {
      readonly clock: Clock;
      readonly log: Log;
      readonly index: IndexWriter;
      readonly gate: StoreGate;
      readonly files: LocalFiles;
    },
    options: { readonly hotBytesMax: number },
  ) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#index = dependencies.index;
    this.#gate = dependencies.gate;
    this.#files = dependencies.files;
    this.#hotBytesMax = options.hotBytesMax;
    this.refused = new Refusals<number>(dependencies, {
      code: 'files-unstorable',
      what: 'finished files cannot be stored',
      hint: 'Look at the disk of the journal and at the rights of the file. It stays where it is and is tried again.',
    });
    this.lost = new Refusals<number>(dependencies, {
      code: 'bytes-lost',
      what: 'segments have their bytes nowhere',
      hint: 'Their files disappeared from the journal before they were stored. Run `weir check`.',
    });
  }

  /** The index was replaced: row numbers mean nothing any more. */
  forgetAll(): void {
    this.lost.clear();
    this.refused.clear();
  }

  /** True when the store is there and is the one that holds our objects; a new store is adopted by an index without one. */
  async isReady(): Promise<boolean> {
    try {
      // Once: a disk that was unmounted since must not get a new mark.
      if (!this.#isStarted) await this.#gate.ask((store) => store.start());
      this.#isStarted = true;
      const identity = await this.#gate.ask((store) => store.identity());
      const expected = this.#index.state.get('store-id');
      if (expected === undefined) this.adopt(identity);
      else if (expected !== identity) {
        this.#isStarted = false;
        this.#gate.another(
          appError('failed_precondition', 'this object store is not the one that holds the recordings', {
            hint: 'Mount the disk that was there before. If it is gone for good, confirm the new store (request adopt-store).',
          }),
        );
        return false;
      }
      return true;
    } catch (error) {
      this.#gate.away(error);
      return false;
    }
  }

  /** From now on objects of this store are ours. */
  adopt(identity: string): void {
    this.#index.transaction((change) => change.state.set('store-id', identity));
  }

  /**
   * Stores the oldest files that are not stored yet, one batch. Rows whose files are away, or refused, are set aside for a while:
   * however many they are, the next batch goes on behind them.
   *
   * @returns  how many were stored or set aside: 0 when there is nothing more to do now
   * @throws AppError  the store's first failure: it is away or full, or takes none of several files
   */
  async storeSome(): Promise<number> {
    const due = this.#oldestDue();
    const untilMs = this.#clock.monotonicMs() + batchMs;
    const stored: StoredSegment[] = [];
    const failures: { readonly segment: StoredSegment; readonly error: unknown }[] = [];
    let setAside = 0;
    try {
      for (let first = 0; first < due.length && this.#clock.monotonicMs() < untilMs; first += putsAtOnce) {
        const group = due.slice(first, first + putsAtOnce);
        const outcomes = await Promise.all(group.map((segment) => this.#put(segment)));
        for (const [i, segment] of group.entries()) {
          const outcome = outcomes[i];
          if (outcome?.kind === 'stored') stored.push(segment);
          else if (outcome?.kind === 'lost' || outcome?.kind === 'unreachable') {
            const [refusals, others] = outcome.kind === 'lost' ? [this.lost, this.refused] : [this.refused, this.lost];
            others.delete(segment.segmentId);
            refusals.add(segment.segmentId, segment.objectKey, outcome.error);
            setAside++;
          } else if (outcome?.kind === 'failed') {
            await this.#throwIfStoreFails(outcome.error);
            failures.push({ segment, error: outcome.error });
          }
        }
      }
    } finally {
      await this.#settle(stored);
    }
    if (stored.length === 0 && failures.length > 1) throw toAppError(failures[0]?.error);
    for (const { segment, error } of failures) this.refused.add(segment.segmentId, segment.objectKey, error);
    return stored.length + setAside + failures.length;
  }

  /** Oldest first, at most a batch, past all that are to be left alone for now. */
  #oldestDue(): StoredSegment[] {
    const { segments } = this.#index.queries;
    const due: StoredSegment[] = [];
    const seen = new Set<number>();
    for (let after: NotStored | undefined; ; ) {
      const page = segments.notStored(after, after === undefined ? batchRows : pageEntries);
      for (const { segmentId } of page) {
        seen.add(segmentId);
        if (!this.lost.isDue(segmentId) || !this.refused.isDue(segmentId)) continue;
        const segment = segments.byId(segmentId);
        if (segment !== undefined) due.push(segment);
        if (due.length === batchRows) return due;
      }
      after = page.at(-1);
      if (after !== undefined) continue;
      // Rows that retention removed meanwhile are nobody's worry any more.
      for (const refusals of [this.lost, this.refused]) refusals.keepOnly((segmentId) => seen.has(segmentId));
      return due;
    }
  }

  /** Bytes of local copies that the store has as well. */
  get hotBytes(): number {
    const { segments } = this.#index.queries;
    return segments.localFiles().bytes - segments.backlog().bytes;
  }

  /** Lets the oldest stored local copies go until the rest fits. */
  async releaseLocal(hotBytesMax = this.#hotBytesMax): Promise<void> {
    for (;;) {
      const gone = this.#index.transaction((change) => this.#release(change, hotBytesMax));
      if (gone.length === 0) return;
      await this.#removeFiles(gone);
    }
  }

  /** Objects become durable, rows say so, and local copies beyond the hot budget go: one sync, one transaction. */
  async #settle(stored: readonly StoredSegment[]): Promise<void> {
    if (stored.length === 0) return;
    await this.#gate.ask(async (store) => store.sync?.());
    const gone = this.#index.transaction((change) => {
      for (const { segmentId } of stored) change.segments.markStored(segmentId);
      return this.#release(change, this.#hotBytesMax);
    });
    for (const { segmentId } of stored) {
      this.refused.delete(segmentId);
      this.lost.delete(segmentId);
    }
    await this.#removeFiles(gone);
  }

  /** The row first: a file that stays behind is found by taking in, which removes it; a row without its file is a worry. */
  #release(change: IndexChange, hotBytesMax: number): readonly StoredSegment[] {
    let left = this.hotBytes - hotBytesMax;
    if (left <= 0) return [];
    const gone = change.queries.segments.keptLocalAndStored(batchRows).filter((segment) => {
      const isOver = left > 0;
      left -= segment.byteLength;
      return isOver;
    });
    for (const { segmentId } of gone) change.segments.markNotLocal(segmentId);
    return gone;
  }

  async #removeFiles(segments: readonly StoredSegment[]): Promise<void> {
    for (const segment of segments) {
      await this.#files.remove(fileOf(segment)).catch((error: unknown) => {
        this.#log.warn('local copy cannot be removed', { objectKey: segment.objectKey, error: toAppError(error) });
      });
    }
  }

  /** A store that is full or away refuses everything; otherwise it may be the file. */
  async #throwIfStoreFails(error: unknown): Promise<void> {
    if (error instanceof AssertionError) throw error;
    const failure = toAppError(error);
    if (failure.code === 'resource_exhausted') throw failure;
    await this.#gate
      .ask((store) => store.identity())
      .catch(() => {
        throw failure;
      });
  }

  async #put(segment: StoredSegment): Promise<Outcome> {
    try {
      const path = await this.#files.find(fileOf(segment));
      if (path === undefined) return await this.#withoutFile(segment);
      await this.#gate.ask((store) => store.putFile(segment.objectKey, path, { isSyncedLater: true }));
      return { kind: 'stored' };
    } catch (error) {
      return isAppError(error, 'not_found') ? { kind: 'changed' } : { kind: 'failed', error };
    }
  }

  /** A crash of an older release, or a person, took the file: the object may be there all the same. */
  async #withoutFile(segment: StoredSegment): Promise<Outcome> {
    const { objectKey } = segment;
    const [missing] = await this.#files.missing();
    // It is there, in all likelihood: thousands of such rows must not cost a question to the store each.
    const object = missing === undefined ? await this.#gate.ask((store) => store.stat(objectKey)) : undefined;
    if (object?.byteLength === segment.byteLength) return { kind: 'stored' };
    const isThere = (await this.#files.find(fileOf(segment))) !== undefined;
    if (isThere || this.#index.queries.segments.byId(segment.segmentId)?.location !== 'local') {
      return { kind: 'changed' };
    }
    if (missing === undefined) return { kind: 'lost', error: appError('data_loss', 'no such file', { objectKey }) };
    return { kind: 'unreachable', error: this.#awayError(missing) };
  }

  /** One for all files of a directory: they are remembered as long as it is away, in their tens of thousands. */
  #awayError(directory: string): AppError {
    const known = this.#awayErrors.get(directory);
    if (known !== undefined) return known;
    const error = appError('unavailable', 'journal directory is not there', { directory });
    this.#awayErrors.set(directory, error);
    return error;
  }
}

function fileOf(segment: StoredSegment): { readonly streamId: string; readonly name: string } {
  return { streamId: segment.streamId, name: segmentFileName(segment) };
}
