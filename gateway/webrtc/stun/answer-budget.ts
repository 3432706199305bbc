/** How many answers go out in a second, in all and to one source, so that nobody is flooded through us under an address of theirs. */

import { addressGroup } from '../../../storage/base/address-group.ts';
import { stunLimits } from './limits.ts';

const windowMs = 1_000;

/** Counts by the second, and forgets with it: no more sources are held than answers went out. */
export class AnswerBudget {
  readonly #sent = new Map<string, number>();
  #beganMs = Number.NEGATIVE_INFINITY;
  #total = 0;

  /** Takes one answer to this address, if one is left. @param nowMs  monotonic */
  take(address: string, nowMs: number): boolean {
    if (nowMs - this.#beganMs >= windowMs) {
      this.#beganMs = nowMs;
      this.#total = 0;
      this.#sent.clear();
    }
    const source = addressGroup(address);
    const sent = this.#sent.get(source) ?? 0;
    if (this.#total >= stunLimits.answersMax || sent >= stunLimits.answersPerSourceMax) return false;
    this.#total++;
    this.#sent.set(source, sent + 1);
    return true;
  }
}
