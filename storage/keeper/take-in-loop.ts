/** The take-in loop: journal/open (dead) =recover=> journal/finished =read table=> index rows, gap rows. */

import type { Clock } from '../base/clock.ts';
import type { ClockWatch } from './clock-watch.ts';
import type { GapLedger } from './gap-ledger.ts';
import type { Recovery } from './recovery.ts';
import type { TakeIn, TakeInResult } from './take-in.ts';

/** Dead writers are looked for so often. */
const recoveryPeriodMs = 10_000;

export class TakeInLoop {
  readonly #clock: Clock;
  readonly #clockWatch: ClockWatch;
  readonly #ledger: GapLedger;
  readonly #recovery: Recovery;
  readonly #takeIn: TakeIn;
  readonly #onTaken: () => void;
  #dueRecoveryMs = Number.NEGATIVE_INFINITY;
  #last: TakeInResult = { taken: 0, left: 0, ringFiles: 0, ringBytes: 0, failures: [] };
  #isTakenIn = false;

  constructor(dependencies: {
    readonly clock: Clock;
    readonly clockWatch: ClockWatch;
    readonly ledger: GapLedger;
    readonly recovery: Recovery;
    readonly takeIn: TakeIn;
    /** There are new rows. */
    readonly onTaken: () => void;
  }) {
    this.#clock = dependencies.clock;
    this.#clockWatch = dependencies.clockWatch;
    this.#ledger = dependencies.ledger;
    this.#recovery = dependencies.recovery;
    this.#takeIn = dependencies.takeIn;
    this.#onTaken = dependencies.onTaken;
  }

  /** Of the newest step. */
  get last(): TakeInResult {
    return this.#last;
  }

  /** Files that were there when the index was opened have rows, as far as they can. */
  get isTakenIn(): boolean {
    return this.#isTakenIn;
  }

  /** A writer died: the next step looks for what it left open. */
  recoverSoon(): void {
    this.#dueRecoveryMs = Number.NEGATIVE_INFINITY;
  }

  forgetAll(): void {
    this.#isTakenIn = false;
    this.#takeIn.forgetAll();
  }

  /**
   * Takes in all there is, and trims the rings. While the ledger fails footage gets its rows all the same, and live cameras fill no
   * disk; only recovery waits, whose lines come after those that are not read yet.
   *
   * @throws  the first failure, after all was tried
   */
  async tick(signal: AbortSignal): Promise<void> {
    try {
      this.#clockWatch.observe();
      const unread = await this.#ledger.read().then(
        () => [],
        (error: unknown) => [error],
      );
      if (unread.length === 0 && this.#clock.monotonicMs() >= this.#dueRecoveryMs) {
        this.#dueRecoveryMs = this.#clock.monotonicMs() + recoveryPeriodMs;
        await this.#recovery.tick();
      }
      do {
        this.#last = await this.#takeIn.tick();
        if (this.#last.taken > 0) this.#onTaken();
      } while (this.#last.left > 0 && this.#last.taken > 0 && !signal.aborted);
      for (const failure of [...unread, ...this.#last.failures]) throw failure;
    } finally {
      this.#isTakenIn = true;
    }
  }
}
