/**
 * How many connections may begin: each costs the process that records some time, a hundred times as much by TLS, before anybody
 * has shown a key. Counted in periods; memory is bounded by what one of them lets in.
 */

import type { Clock } from '../../storage/base/clock.ts';
import { rtmpLimits } from './limits.ts';

export class Arrivals {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #ofGroup = new Map<string, number>();
  #sinceMs = Number.NEGATIVE_INFINITY;
  #all = 0;

  constructor({ clock }: { readonly clock: Pick<Clock, 'monotonicMs'> }) {
    this.#clock = clock;
  }

  /** Counts one and says whether it may come in. @param group  what its address counts as */
  takes(group: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sinceMs >= rtmpLimits.arrivalsPeriodMs) {
      this.#sinceMs = nowMs;
      this.#all = 0;
      this.#ofGroup.clear();
    }
    const ofGroup = this.#ofGroup.get(group) ?? 0;
    if (this.#all >= rtmpLimits.arrivalsMax || ofGroup >= rtmpLimits.arrivalsOfAddressMax) return false;
    this.#all++;
    this.#ofGroup.set(group, ofGroup + 1);
    return true;
  }
}
