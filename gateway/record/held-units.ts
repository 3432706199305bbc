/**
 * Units that cannot be written yet: those of the next fragment while the last one waits for its slower tracks, and those of a
 * track that is ahead of the video. They are copies out of the budget that all recorders share.
 */

import { appError } from '../../storage/base/errors.ts';
import type { AccessUnit } from '../../storage/model/access-unit.ts';

/** What a copy is taken from and given back to: `ByteBudget` of the journal. */
export type HoldBudget = { take(bytes: number): boolean; give(bytes: number): void };

export class HeldUnits {
  readonly #budget: HoldBudget;
  #units: AccessUnit[] = [];
  #bytes = 0;
  #takenBytes = 0;
  /** The unit that is being pushed belongs to the caller: it is copied only if it is still here at the end of the call. */
  #borrowed: AccessUnit | undefined;

  constructor(budget: HoldBudget) {
    this.#budget = budget;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#units.length;
  }

  get units(): readonly AccessUnit[] {
    return this.#units;
  }

  borrow(unit: AccessUnit): void {
    this.#borrowed = unit;
  }

  hold(unit: AccessUnit): void {
    this.#units.push(unit);
    this.#bytes += unit.bytes.length;
  }

  /** As `hold`, before all others: the unit that a fragment begins with. */
  holdFirst(unit: AccessUnit): void {
    this.#units.unshift(unit);
    this.#bytes += unit.bytes.length;
  }

  /** Takes out those that `isTaken` names, in order. */
  take(isTaken: (unit: AccessUnit) => boolean): AccessUnit[] {
    const taken = this.#units.filter(isTaken);
    if (taken.length === 0) return taken;
    this.#units = this.#units.filter((unit) => !taken.includes(unit));
    for (const unit of taken) this.#bytes -= unit.bytes.length;
    return taken;
  }

  takeAll(): AccessUnit[] {
    const taken = this.#units;
    this.#units = [];
    this.#bytes = 0;
    return taken;
  }

  /**
   * Ends a call: copies the borrowed unit if it stays, and settles with the budget.
   *
   * @throws AppError resource_exhausted  the recorders' shared budget is used up
   */
  settle(): void {
    const borrowed = this.#borrowed;
    this.#borrowed = undefined;
    if (borrowed !== undefined && this.#units.length > 0) {
      const at = this.#units.lastIndexOf(borrowed);
      // Not `slice`: a Buffer's is a view.
      if (at >= 0) this.#units[at] = { ...borrowed, bytes: new Uint8Array(borrowed.bytes) };
    }
    const missingBytes = this.#bytes - this.#takenBytes;
    if (missingBytes === 0) return;
    if (missingBytes < 0) this.#budget.give(-missingBytes);
    else if (!this.#budget.take(missingBytes)) {
      throw appError('resource_exhausted', 'memory of the recorders is used up', { missingBytes });
    }
    this.#takenBytes = this.#bytes;
  }
}
