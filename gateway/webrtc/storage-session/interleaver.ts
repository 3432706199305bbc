/**
 * Units of several tracks in the order of their times, though sound comes later than pictures by what it takes to encode it. A unit goes
 * on when every other track has got as far, or when it has waited for long enough. Pure.
 */

import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import { storageSessionLimits } from './limits.ts';

type Lane = { readonly units: AccessUnit[]; hasCome: boolean };

export class Interleaver {
  readonly #lanes: ReadonlyMap<number, Lane>;

  constructor(trackNumbers: readonly number[]) {
    this.#lanes = new Map(trackNumbers.map((number) => [number, { units: [], hasCome: false }]));
  }

  /** @param unit  in order within its track; its bytes are the interleaver's from now on */
  push(unit: AccessUnit): void {
    const lane = this.#lanes.get(unit.trackNumber);
    if (lane === undefined) return;
    lane.units.push(unit);
    lane.hasCome = true;
  }

  /** What may go on. */
  take(nowMs: number): AccessUnit[] {
    const taken: AccessUnit[] = [];
    for (let first = this.#first(); first !== undefined && this.#mayGo(first, nowMs); first = this.#first()) {
      taken.push(first);
      this.#lanes.get(first.trackNumber)?.units.shift();
    }
    return taken;
  }

  /** All that is left. */
  takeAll(): AccessUnit[] {
    return this.take(Number.POSITIVE_INFINITY);
  }

  #first(): AccessUnit | undefined {
    let first: AccessUnit | undefined;
    for (const { units } of this.#lanes.values()) {
      const head = units[0];
      if (head !== undefined && (first === undefined || head.presentationTimeUs < first.presentationTimeUs))
        first = head;
    }
    return first;
  }

  #mayGo({ receivedMonotonicMs }: AccessUnit, nowMs: number): boolean {
    const { trackWaitMs, firstTrackWaitMs, interleavedUnitsMax } = storageSessionLimits;
    let held = 0;
    let waitMs = 0;
    for (const { units, hasCome } of this.#lanes.values()) {
      held += units.length;
      if (units.length === 0) waitMs = Math.max(waitMs, hasCome ? trackWaitMs : firstTrackWaitMs);
    }
    return nowMs - receivedMonotonicMs >= waitMs || held > interleavedUnitsMax;
  }
}
