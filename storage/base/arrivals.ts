/**
 * How many connections may begin: each costs the process some time, a hundred times as much by TLS, before anybody has shown who
 * they are. Counted in periods; memory is bounded by what one of them lets in. The more of a period is used, the less of it may be
 * of one group, so that a few groups never have all of it: whoever comes next gets in.
 */

import type { Clock } from './clock.ts';

export type ArrivalLimits = {
  readonly periodMs: number;
  /** In a period, of one group and in all. */
  readonly ofGroupMax: number;
  readonly max: number;
};

export class Arrivals {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #limits: ArrivalLimits;
  readonly #ofGroup = new Map<string, number>();
  #sinceMs = Number.NEGATIVE_INFINITY;
  #all = 0;

  constructor({ clock }: { readonly clock: Pick<Clock, 'monotonicMs'> }, limits: ArrivalLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Counts one and says whether it may come in. @param group  what its address counts as */
  takes(group: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sinceMs >= this.#limits.periodMs) {
      this.#sinceMs = nowMs;
      this.#all = 0;
      this.#ofGroup.clear();
    }
    const { ofGroupMax, max } = this.#limits;
    const ofGroup = this.#ofGroup.get(group) ?? 0;
    if (ofGroup >= Math.min(ofGroupMax, max - this.#all)) return false;
    this.#all++;
    this.#ofGroup.set(group, ofGroup + 1);
    return true;
  }
}
