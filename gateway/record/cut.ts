/** Where one fragment ends and the next begins, while it is not certain yet which tracks the next one has. Pure. */

import type { AccessUnit } from '../../storage/model/access-unit.ts';
import { limits } from '../../storage/model/limits.ts';

/** The beginning of the next fragment, which waits for the slower tracks. */
export type Cut = {
  readonly leadTrack: number;
  readonly atUs: number;
  /** A decoder can begin here, so another run may. */
  readonly isKey: boolean;
  /** Tracks that are waited for, until the deadline on the units' reception clock. */
  readonly candidates: ReadonlySet<number>;
  readonly deadlineMs: number;
  /** The lead has fallen silent: the next fragment is known to be without it. */
  readonly isWithoutLead: boolean;
};

/** What is known at a cut. */
export type CutView = {
  readonly cut: Cut;
  /** Units that follow the cut, and late ones from before it. */
  readonly held: { readonly units: readonly AccessUnit[]; readonly bytes: number };
  /** Tracks of the run that goes on; undefined where none does. */
  readonly runTracks: ReadonlySet<number> | undefined;
  /** The run ends here in any case. */
  readonly isChangeDue: boolean;
  /** Nothing more will come. */
  readonly isEnding: boolean;
  readonly isLongEnough: (unit: AccessUnit, durationMs: number) => boolean;
};

/** Tracks that have passed the cut, or have anything held. */
export function tracksPassed(view: CutView): Set<number> {
  return tracksHeld(view, { firstUs: Number.NEGATIVE_INFINITY, lastUs: Number.POSITIVE_INFINITY });
}

/** How far the held units go beyond the cut, milliseconds. */
export function heldBeyondMs({ cut, held }: Pick<CutView, 'cut' | 'held'>): number {
  return Math.max(...held.units.map((unit) => (unit.presentationTimeUs - cut.atUs) / 1_000));
}

/**
 * Which tracks the fragment after the cut will have, as far as it is held. While its end is not known only units that the
 * lead has passed belong to it for certain; a track that is silent is known to be so when the fragment is whole.
 */
export function forecast(view: CutView): { readonly present: Set<number>; readonly isWhole: boolean } {
  const { cut, held, runTracks } = view;
  const { endUs, leadLatestUs } = endOfNext(view);
  const isEndKnown = endUs !== undefined || view.isEnding;
  const silentUs = leadLatestUs + limits.timeHoleMs * 1_000;
  const lastUs = isEndKnown ? (endUs ?? silentUs) - 1 : leadLatestUs;
  const isOutOfBounds = held.bytes >= limits.fragmentCutBytes || heldBeyondMs(view) >= limits.fragmentCutMs;
  const lateUs = cut.atUs - (limits.trackLateMs - 1) * 1_000;
  const withLate = tracksHeld(view, { firstUs: lateUs, lastUs });
  const isSameRun = runTracks !== undefined && isSameSet(withLate, runTracks) && !view.isChangeDue;
  // Another run has nothing from before its beginning.
  return {
    present: isSameRun ? withLate : tracksHeld(view, { firstUs: cut.atUs, lastUs }),
    isWhole: isEndKnown || isOutOfBounds,
  };
}

export function isSameSet(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return a.size === b.size && isSubset(a, b);
}

export function isSubset(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  for (const each of a) if (!b.has(each)) return false;
  return true;
}

/** Where the fragment after the cut ends, if a unit that ends it is held, and how far the lead got in it. */
function endOfNext({ cut, held, isLongEnough }: CutView): {
  readonly endUs: number | undefined;
  readonly leadLatestUs: number;
} {
  let leadLatestUs = cut.atUs;
  for (const unit of held.units) {
    if (unit.trackNumber !== cut.leadTrack || unit.presentationTimeUs <= leadLatestUs) continue;
    const endUs = unit.presentationTimeUs;
    if (isLongEnough(unit, (endUs - cut.atUs) / 1_000)) return { endUs, leadLatestUs };
    leadLatestUs = endUs;
  }
  return { endUs: undefined, leadLatestUs };
}

/** Tracks of held units of a time span that may be in the fragment after the cut: others than the run's only at a key frame. */
function tracksHeld(
  { cut, held, runTracks }: CutView,
  span: { readonly firstUs: number; readonly lastUs: number },
): Set<number> {
  const tracks = new Set<number>();
  for (const { trackNumber, presentationTimeUs } of held.units) {
    const isEligible = cut.isKey || runTracks === undefined || runTracks.has(trackNumber);
    if (isEligible && presentationTimeUs >= span.firstUs && presentationTimeUs <= span.lastUs) tracks.add(trackNumber);
  }
  return tracks;
}
