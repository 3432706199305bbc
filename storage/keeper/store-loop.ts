/** The store loop: rows not stored =put=> object store; garbage that is due =delete=> gone; a lost index =fill=> whole. */

import { AssertionError } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { type AppError, toAppError } from '../base/errors.ts';
import type { IndexWriter } from '../index/index.ts';
import type { ClockWatch } from './clock-watch.ts';
import type { StoreRoom } from './finished-files.ts';
import type { GarbageRemoval } from './garbage-removal.ts';
import type { IndexLife } from './index-life.ts';
import type { Retention } from './retention.ts';
import type { StoreGate } from './store-gate.ts';
import type { StoreOut } from './store-out.ts';

/** Old gaps are forgotten, and the index's log is folded in, so often. */
const housekeepingPeriodMs = 600_000;

type Dependencies = {
  readonly clock: Clock;
  readonly index: IndexWriter;
  readonly life: IndexLife;
  readonly clockWatch: ClockWatch;
  readonly gate: StoreGate;
  readonly storeOut: StoreOut;
  readonly retention: Retention;
  readonly garbage: GarbageRemoval;
  /** Files that were there when the index was opened have rows. */
  readonly isTakenIn: () => boolean;
  /** Something was stored: it may be removed now where room is lacking. */
  readonly onStored: () => void;
};

export class StoreLoop {
  readonly #deps: Dependencies;
  #rooms: readonly StoreRoom[] = [];
  #dueHousekeepingMs = Number.NEGATIVE_INFINITY;

  constructor(dependencies: Dependencies) {
    this.#deps = dependencies;
  }

  /** Room of the store, or of several, at the last look: of those that are there and have a bound. */
  get rooms(): readonly StoreRoom[] {
    return this.#rooms;
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { life, gate, storeOut, isTakenIn, garbage } = this.#deps;
    if (!life.isOpen) return;
    if (!(await storeOut.isReady())) {
      this.#rooms = [];
      return;
    }
    await this.#measure();
    const failure = !life.isWhole && isTakenIn() ? await this.#fill(signal) : undefined;
    // First: a full store takes nothing before something was deleted.
    await garbage.deleteDue();
    await this.#storeAll(signal);
    if (failure !== undefined) throw failure;
    gate.well();
    this.#keepHouse();
  }

  /** What is new doesn't wait for old rows: a failure is answered, and begun again later. */
  async #fill(signal: AbortSignal): Promise<AppError | undefined> {
    try {
      await this.#deps.life.fill({ signal, onBatch: () => this.#storeAll(signal) });
      return undefined;
    } catch (error) {
      if (error instanceof AssertionError || signal.aborted) throw error;
      return toAppError(error);
    }
  }

  /** Stores until nothing waits, which may take long where the store is slow: garbage has its turn in between. */
  async #storeAll(signal: AbortSignal): Promise<void> {
    const { gate, storeOut, garbage, onStored } = this.#deps;
    await storeOut.releaseLocal();
    while (!signal.aborted && (await storeOut.storeSome()) > 0) {
      gate.well();
      onStored();
      await garbage.deleteDue();
      await this.#measure();
    }
  }

  /** Again and again: a backlog takes hours, in which the room changes. */
  async #measure(): Promise<void> {
    const measuredMs = this.#deps.clock.monotonicMs();
    const [space, several] = await this.#deps.gate.ask(
      async (store) => [await store.space(), store.spaces?.()] as const,
    );
    const one = space === undefined ? [] : [{ ...space, measuredMs, store: undefined, isLast: true }];
    this.#rooms = several ?? one;
  }

  #keepHouse(): void {
    const { clock, index, clockWatch, retention } = this.#deps;
    if (clock.monotonicMs() < this.#dueHousekeepingMs) return;
    this.#dueHousekeepingMs = clock.monotonicMs() + housekeepingPeriodMs;
    if (clockWatch.isTrusted()) retention.forgetOld();
    index.checkpoint();
  }
}
