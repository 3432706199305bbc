/**
 * The index over its life: opened when it can be, moved aside when it is damaged, filled again from files and objects when it was
 * lost. Recording and taking in go on meanwhile.
 */

import type { Clock } from '../base/clock.ts';
import { appError, isAppError, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { IndexWriter } from '../index/index.ts';
import type { ObjectStore } from '../objects/index.ts';
import type { ClockWatch } from './clock-watch.ts';
import type { GapLedger } from './gap-ledger.ts';
import type { Holds } from './holds.ts';
import type { KeeperState } from './keeper-state.ts';
import type { Problems } from './problems.ts';
import { type RebuildProgress, rebuildGaps, rebuildSegments } from './rebuild.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly log: Log;
  readonly index: IndexWriter;
  readonly store: ObjectStore;
  readonly holds: Holds;
  readonly ledger: Pick<GapLedger, 'onRebuilt'>;
  readonly clockWatch: ClockWatch;
  readonly problems: Problems;
  /** Another index is there: what was remembered of rows is not true of it. */
  readonly onOpened: () => void;
};

export class IndexLife {
  readonly #deps: Dependencies;
  #isOpen = false;
  #rebuild: RebuildProgress | undefined;
  #rebuildReason: string | undefined;
  #rebuilt: { readonly unreadable: number; readonly gaps: number } | undefined;

  constructor(dependencies: Dependencies) {
    this.#deps = dependencies;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** False while rows are still missing. */
  get isWhole(): boolean {
    return this.#rebuildReason === undefined;
  }

  get rebuild(): KeeperState['rebuild'] {
    if (this.#rebuildReason === undefined) return undefined;
    return {
      reason: this.#rebuildReason,
      objects: this.#rebuild?.objects ?? 0,
      segments: this.#rebuild?.segments ?? 0,
    };
  }

  /** What the last rebuild of this process could not read, and the gaps it found. */
  get rebuilt(): { readonly unreadable: number; readonly gaps: number } | undefined {
    return this.#rebuilt;
  }

  /** @throws AppError unavailable  the index is not open */
  assertOpen(): void {
    if (this.#isOpen) return;
    throw appError('unavailable', 'the index is not open', {
      reason: this.#deps.problems.messageOf('index-unavailable'),
    });
  }

  /** @throws AppError unavailable  rows are still missing */
  assertWhole(): void {
    if (this.isWhole) return;
    throw appError('unavailable', 'the index is being rebuilt', { hint: 'Try again when it is done.' });
  }

  /**
   * Opens the index, or makes an empty one; with `rebuildReason` it is filled anew although it could be opened.
   * @throws AppError  it cannot be opened now
   */
  async open(rebuildReason?: string): Promise<void> {
    const { index, problems } = this.#deps;
    try {
      let start = await index.start();
      if (start.kind === 'opened' && rebuildReason !== undefined) start = await index.replace(rebuildReason);
      if (start.kind !== 'opened')
        this.#beginRebuild(start.kind === 'replaced' ? start : { reason: 'there was no index' });
      problems.end('index-unavailable');
    } catch (error) {
      problems.begin('index-unavailable', toAppError(error));
      throw error;
    }
    await this.#onOpen();
  }

  /** Replaces the index if that is what the error says of it. Answers whether it did, or tried. */
  async replaceIfDamaged(error: unknown): Promise<boolean> {
    if (!this.#isOpen || !isAppError(error, 'data_loss') || !('sqlite' in error.context)) return false;
    this.#isOpen = false;
    try {
      const start = await this.#deps.index.replace(error.message);
      this.#beginRebuild(start.kind === 'replaced' ? start : { reason: error.message });
      await this.#onOpen();
    } catch (failure) {
      this.#deps.problems.begin('index-unavailable', toAppError(failure));
    }
    return true;
  }

  /** Brings holds back that only their file knows; nothing is removed while it cannot be read. */
  async restoreHolds(): Promise<void> {
    const { holds, problems } = this.#deps;
    await holds.restore().then(
      () => problems.end('holds-unreadable'),
      (error: unknown) => problems.begin('holds-unreadable', toAppError(error)),
    );
  }

  /** Fills an index that was lost. @param options.onBatch  what must not wait for old rows. @throws AppError  begin again later */
  async fill(options: { readonly signal: AbortSignal; readonly onBatch: () => Promise<void> }): Promise<void> {
    const { clock, log, index, store, ledger, clockWatch } = this.#deps;
    const onProgress = async (progress: RebuildProgress) => {
      this.#rebuild = progress;
      await options.onBatch();
    };
    const { signal } = options;
    const found = await rebuildSegments({ clock, log, index, store }, { signal, onProgress });
    clockWatch.onRebuilt();
    // Lines that were read while rows were missing said of their footage that it was not there.
    ledger.onRebuilt();
    const gaps = index.transaction((change) => {
      const streams = change.queries.streams.totalsOfAll().map((each) => rebuildGaps(change, each.streamId));
      change.state.set('rebuild', null);
      return streams.reduce((sum, count) => sum + count, 0);
    });
    this.#rebuildReason = undefined;
    this.#rebuild = undefined;
    this.#rebuilt = { unreadable: found.unreadable, gaps };
    if (found.objects > 0) log.warn('index is rebuilt', { ...found, gaps });
  }

  #beginRebuild(start: { readonly reason: string; readonly movedTo?: string }): void {
    const { clock, log, index } = this.#deps;
    if (start.movedTo !== undefined) {
      const rows = index.salvage(start.movedTo);
      log.warn('rows were taken over from the damaged index', rows);
    }
    const { reason, movedTo = null } = start;
    const unfinished = index.state.get('rebuild') ?? {};
    const isDoubtLost = index.state.get('clock-doubt') === undefined;
    const rebuild = { isDoubtLost, ...unfinished, reason, movedTo, sinceMs: clock.wallMs() };
    index.transaction((change) => {
      change.state.set('rebuild', rebuild);
      // It names a row of the lost index.
      change.state.set('clock-confirmed', null);
    });
  }

  async #onOpen(): Promise<void> {
    this.#rebuildReason = this.#deps.index.state.get('rebuild')?.reason;
    this.#rebuild = undefined;
    await this.restoreHolds();
    this.#deps.clockWatch.onIndexOpen();
    this.#isOpen = true;
    this.#deps.onOpened();
  }
}
