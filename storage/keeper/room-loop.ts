/**
 * The room loop: what is too much goes, or moves. It waits for no store, since a recorder waits for no disk: copies of what is
 * stored go first, then files move to spare directories, and only then rows are removed, oldest first.
 */

import type { Clock } from '../base/clock.ts';
import { toAppError } from '../base/errors.ts';
import type { ClockWatch } from './clock-watch.ts';
import type { EventRanges } from './event-ranges.ts';
import { type MeasuredSpace, type StoreRoom, spaceOf } from './finished-files.ts';
import type { GarbageRemoval } from './garbage-removal.ts';
import type { IndexLife } from './index-life.ts';
import type { JournalRelief } from './journal-relief.ts';
import type { Problems } from './problems.ts';
import type { Recovery } from './recovery.ts';
import type { DiskState, Retention } from './retention.ts';
import type { StoreGate } from './store-gate.ts';
import type { StoreOut } from './store-out.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly life: IndexLife;
  readonly events: EventRanges;
  readonly clockWatch: ClockWatch;
  readonly gate: StoreGate;
  readonly recovery: Recovery;
  readonly relief: JournalRelief;
  /** Of the store, or of several, as they were last seen. */
  readonly storeRooms: () => readonly StoreRoom[];
  readonly storeOut: StoreOut;
  readonly retention: Retention;
  readonly garbage: GarbageRemoval;
  readonly problems: Problems;
  /** Something was removed, or moved; with `isMore`, there is more to do at once. */
  readonly onRemoved: (outcome: { readonly isMore: boolean }) => void;
};

/** A store that is well takes what is finished within a batch or two of two seconds. */
const storedSoonMs = 10_000;

export class RoomLoop {
  readonly #deps: Dependencies;
  readonly #journal: string;
  #space: MeasuredSpace | undefined;
  /** Since when the journal has had less room than recorders need, on the monotonic clock. */
  #shortSinceMs: number | undefined;

  /** @param options.journal  `finished` of the preferred journal directory */
  constructor(dependencies: Dependencies, options: { readonly journal: string }) {
    this.#deps = dependencies;
    this.#journal = options.journal;
  }

  /** Room where the journal lies, at the last look; undefined while it is not there. */
  get space(): MeasuredSpace | undefined {
    return this.#space;
  }

  async tick(): Promise<void> {
    const { life, clockWatch, events, problems, garbage } = this.#deps;
    if (!life.isOpen) return;
    if (clockWatch.isTrusted()) events.cutOverdue();
    await this.#measure();
    await this.#releaseHot();
    const isMoving = await this.#relieve();
    if (problems.has('holds-unreadable')) await life.restoreHolds();
    if (!problems.has('holds-unreadable')) this.#removeDue({ isMoving });
    await garbage.deleteDueLocal();
  }

  /** A journal that is not there, an unmounted disk, stops nothing: what lies elsewhere is stored and removed as ever. */
  async #measure(): Promise<void> {
    const { problems, clock } = this.#deps;
    try {
      const measuredMs = clock.monotonicMs();
      this.#space = { measuredMs, ...(await spaceOf(this.#journal)) };
      problems.end('journal-away');
    } catch (error) {
      this.#space = undefined;
      problems.begin('journal-away', {
        message: `the journal directory cannot be looked at: ${toAppError(error).message}`,
        hint: 'Is its disk mounted? What was recorded there is stored when it is back; recording goes on where it can.',
      });
    }
  }

  /** Copies of what the store has go before anything that is nowhere else, even while the store is away. */
  async #releaseHot(): Promise<void> {
    const { retention, storeOut } = this.#deps;
    const { shortBytes } = retention.journalNeeds(this.#disk());
    const { hotBytes } = storeOut;
    if (shortBytes === 0 || hotBytes === 0) return;
    await storeOut.releaseLocal(Math.max(0, hotBytes - shortBytes));
    await this.#measure();
  }

  /** True while files move: one step moves so much and no more, and another may move the rest. */
  async #relieve(): Promise<boolean> {
    const { retention, relief } = this.#deps;
    const { unstoredShortBytes } = retention.journalNeeds(this.#disk());
    if (unstoredShortBytes === 0 || this.#space === undefined) return false;
    if ((await relief.move(unstoredShortBytes, this.#space)) === 0) return false;
    await this.#measure();
    return true;
  }

  #removeDue({ isMoving }: { readonly isMoving: boolean }): void {
    const { retention, onRemoved } = this.#deps;
    const isRelieving = isMoving || this.#isStoredSoon();
    // More than one plan only when it was cut off: each frees what it can, and garbage is deleted in between.
    const { removed, isMore } = retention.removeDue(this.#disk({ isRelieving }));
    if (removed > 0 || isMoving) onRemoved({ isMore: isMore || isMoving });
  }

  /** The lack is new and the store takes files: what is nowhere else is on its way there. */
  #isStoredSoon(): boolean {
    const { clock, retention } = this.#deps;
    const disk = this.#disk();
    const nowMs = clock.monotonicMs();
    if (retention.journalNeeds(disk).unstoredShortBytes === 0) this.#shortSinceMs = undefined;
    else this.#shortSinceMs ??= nowMs;
    return disk.isStoreTaking && this.#shortSinceMs !== undefined && nowMs - this.#shortSinceMs < storedSoonMs;
  }

  #disk({ isRelieving } = { isRelieving: false }): DiskState {
    const { clockWatch, life, recovery, storeRooms, gate } = this.#deps;
    const { state } = gate.health;
    return {
      isRelieving,
      isClockTrusted: clockWatch.isTrusted(),
      isIndexWhole: life.isWhole,
      isStoreTaking: state === 'well' || state === 'unknown',
      openFiles: recovery.openFiles,
      journal: this.#space,
      stores: storeRooms(),
    };
  }
}
