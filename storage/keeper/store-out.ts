/**
 * Hands taken-in files to the object store, oldest first, and lets local copies go: object durable -> row says stored -> local
 * file removed -> row says so. While the store is away nothing is lost and nothing is tried twice in a row.
 */

import { AssertionError } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { appError, isAppError, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { IndexWriter, StoredSegment } from '../index/index.ts';
import { segmentFileName } from '../model/segment.ts';
import { findFinished, removeFile } from './finished-files.ts';
import { Refusals } from './refusals.ts';
import type { StoreGate } from './store-gate.ts';

/** Puts at the same time: enough to hide a store's latency, few enough for a spinning disk. */
const putsAtOnce = 4;
/** Rows of one transaction. */
const batchRows = 64;

export class StoreOut {
  readonly #log: Log;
  readonly #index: IndexWriter;
  readonly #gate: StoreGate;
  readonly #finishedDirectories: readonly string[];
  readonly #onLocalGone: (fileName: string) => void;
  /** Rows whose only copy is not where it should be: an alarm, looked at again after a restart and by `check`. */
  readonly #lost = new Set<number>();
  /** Files that the store or the journal's disk refuses, by row. */
  readonly refused: Refusals<number>;
  #isStarted = false;

  constructor(
    dependencies: {
      readonly clock: Clock;
      readonly log: Log;
      readonly index: IndexWriter;
      readonly gate: StoreGate;
      readonly onLocalGone: (fileName: string) => void;
    },
    options: { readonly finishedDirectories: readonly string[] },
  ) {
    this.#log = dependencies.log;
    this.#index = dependencies.index;
    this.#gate = dependencies.gate;
    this.#onLocalGone = dependencies.onLocalGone;
    this.#finishedDirectories = options.finishedDirectories;
    this.refused = new Refusals<number>(dependencies, {
      code: 'files-unstorable',
      what: 'finished files cannot be stored',
      hint: 'Look at the disk of the journal and at the rights of the file. It stays where it is and is tried again.',
    });
  }

  /** Rows whose bytes are nowhere. */
  get lost(): number {
    return this.#lost.size;
  }

  /** The index was replaced: row numbers mean nothing any more. */
  forgetAll(): void {
    this.#lost.clear();
    this.refused.clear();
  }

  #localPathOf(segment: StoredSegment): Promise<string> {
    return findFinished(this.#finishedDirectories, { streamId: segment.streamId, name: segmentFileName(segment) });
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
   * Stores the oldest files that are not stored yet, one batch.
   *
   * @returns  how many were stored
   * @throws AppError  the store's first failure: it is away or full, or takes none of several files
   */
  async storeSome(): Promise<number> {
    const due = this.#index.queries.segments
      .notStored(batchRows + this.#lost.size + this.refused.size)
      .filter(({ segmentId }) => !this.#lost.has(segmentId) && this.refused.isDue(segmentId));
    const failures: { readonly segment: StoredSegment; readonly error: unknown }[] = [];
    let stored = 0;
    for (let first = 0; first < due.length; first += putsAtOnce) {
      const group = due.slice(first, first + putsAtOnce);
      const outcomes = await Promise.allSettled(group.map((segment) => this.#store(segment)));
      const done = group.filter((_, i) => isDurable(outcomes[i]));
      if (done.length > 0) {
        this.#index.transaction((change) => {
          for (const { segmentId } of done) change.segments.markStored(segmentId);
        });
      }
      for (const { segmentId } of done) this.refused.delete(segmentId);
      stored += done.length;
      for (const [i, outcome] of outcomes.entries()) {
        const segment = group[i];
        if (outcome.status === 'fulfilled' || segment === undefined) continue;
        await this.#throwIfStoreFails(outcome.reason);
        failures.push({ segment, error: outcome.reason });
      }
    }
    if (stored === 0 && failures.length > 1) throw toAppError(failures[0]?.error);
    for (const { segment, error } of failures) this.refused.add(segment.segmentId, segment.objectKey, error);
    return stored;
  }

  /** Bytes of local copies that the store has as well. */
  get hotBytes(): number {
    const { segments } = this.#index.queries;
    return segments.localFiles().bytes - segments.backlog().bytes;
  }

  /** Lets the oldest stored local copies go until the rest fits the hot budget. */
  async releaseLocal(hotBytesMax: number): Promise<void> {
    for (;;) {
      const excess = this.hotBytes - hotBytesMax;
      if (excess <= 0) return;
      const due = this.#index.queries.segments.keptLocalAndStored(batchRows);
      if (due.length === 0) return;
      let left = excess;
      const gone = due.filter((segment) => {
        const isOver = left > 0;
        left -= segment.byteLength;
        return isOver;
      });
      // One that cannot be removed is found again by taking in, which tries it once more.
      for (const segment of gone) {
        await removeFile(await this.#localPathOf(segment)).catch((error: unknown) => {
          this.#log.warn('local copy cannot be removed', { objectKey: segment.objectKey, error: toAppError(error) });
        });
      }
      this.#index.transaction((change) => {
        for (const { segmentId } of gone) change.segments.markNotLocal(segmentId);
      });
      for (const segment of gone) this.#onLocalGone(segmentFileName(segment));
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

  /** True when the object is durable now; false when there is nothing to store. */
  async #store(segment: StoredSegment): Promise<boolean> {
    try {
      const path = await this.#localPathOf(segment);
      await this.#gate.ask((store) => store.putFile(segment.objectKey, path));
      return true;
    } catch (error) {
      if (!isAppError(error, 'not_found')) throw error;
    }
    // A crash of an older release, or a person, took the file: the object may be there all the same.
    const object = await this.#gate.ask((store) => store.stat(segment.objectKey));
    if (object?.byteLength === segment.byteLength) return true;
    this.#lost.add(segment.segmentId);
    this.#log.error('bytes of a segment are nowhere', {
      streamId: segment.streamId,
      objectKey: segment.objectKey,
      hint: 'Its file disappeared from the journal before it was stored. Run `weir check`.',
    });
    return false;
  }
}

function isDurable(outcome: PromiseSettledResult<boolean> | undefined): boolean {
  return outcome?.status === 'fulfilled' && outcome.value;
}
