/**
 * The sub source as a rendition of the main one, for recorded ranges: its playlist has the same timeline, fragment boundaries
 * aside, so that a player may go from one to the other anywhere. Where the main stream has a gap, so has the sub; where only
 * the sub lacks media, entries without media (EXT-X-GAP) hold the place of its pictures, and the main stream gives the sound. Pure.
 */

import { fragmentEndMs } from '../../../storage/model/fragment.ts';
import { fragmentEnd, type PlayableFragment, type TimeRange } from '../fragment-source.ts';
import type { NumberedFragment } from './numbering.ts';
import { noShift, type Shift, shiftBetween } from './shift.ts';

/** One entry of the sub rendition: a fragment, or a stretch without one. Times are those of the main stream. */
export type BesideEntry = TimeRange & {
  /** Of the sub stream; for sound, where it has none, of the main one. */
  readonly reference: PlayableFragment | undefined;
  readonly isOfMain: boolean;
  readonly shift: Shift;
  readonly discontinuitySequence: number;
};

/** A part of the main stream without a break, and what the sub stream has of it. */
type Stretch = TimeRange & { readonly main: readonly PlayableFragment[]; readonly discontinuitySequence: number };

/** The sub must have this share of what the main stream has, or it is no rendition of it. */
const shareMin = 0.5;
/** Shorter stretches without media are not worth an entry: the one before is said to last until the next. */
const holeMsMin = 1_000;
/** Ends and begins are rounded and slewed. */
const touchingMs = 5;

/** True when the sub stream has enough of what the main one has to be offered beside it. */
export function isBeside(main: readonly PlayableFragment[], sub: readonly PlayableFragment[]): boolean {
  const length = (references: readonly PlayableFragment[]) =>
    references.reduce((sum, { fragment }) => sum + fragment.durationMs, 0);
  return sub.length > 0 && length(sub) >= shareMin * length(main);
}

/**
 * Lays the sub stream's fragments out beside the main stream's.
 *
 * @param options.isWhole    both are there to their end; otherwise what the newest fragments will be beside is not known yet
 * @param options.pieceMs    entries without media are no longer than this
 */
export function layBeside(
  main: readonly NumberedFragment[],
  sub: readonly PlayableFragment[],
  options: { readonly isWhole: boolean; readonly pieceMs: number },
): BesideEntry[] {
  const stretches = stretchesOf(main);
  return stretches.flatMap((stretch, at) =>
    entriesOf(stretch, sub, { ...options, isOpen: !options.isWhole && at === stretches.length - 1 }),
  );
}

/**
 * The entries for sound: the main stream's fragments in place of holes. hls.js holds a gap of the sound against the variant that it
 * has just gone to because of the gap of the pictures, and then jumps over all that the main stream has there.
 */
export function withSoundOfMain(laid: readonly BesideEntry[], main: readonly NumberedFragment[]): BesideEntry[] {
  const entries: BesideEntry[] = [];
  let hole: BesideEntry | undefined;
  const fillHole = () => {
    if (hole !== undefined) entries.push(...piecesOfMain(hole, main));
    hole = undefined;
  };
  for (const entry of laid) {
    if (entry.discontinuitySequence !== hole?.discontinuitySequence) fillHole();
    if (entry.reference === undefined) {
      hole = { ...entry, beginMs: hole?.beginMs ?? entry.beginMs };
    } else {
      fillHole();
      entries.push(entry);
    }
  }
  fillHole();
  return entries;
}

function piecesOfMain(whole: BesideEntry, main: readonly NumberedFragment[]): BesideEntry[] {
  const { beginMs, endMs, discontinuitySequence } = whole;
  const within = main.filter(
    (numbered) =>
      numbered.discontinuitySequence === discontinuitySequence &&
      fragmentEnd(numbered.reference) > beginMs + touchingMs &&
      numbered.reference.fragment.serverTimestampMs < endMs - touchingMs,
  );
  const pieces: BesideEntry[] = [];
  for (const [at, { reference }] of within.entries()) {
    const next = within[at + 1]?.reference.fragment.serverTimestampMs ?? endMs;
    const piece = { beginMs: pieces.at(-1)?.endMs ?? beginMs, endMs: Math.min(next, endMs) };
    if (piece.endMs > piece.beginMs) pieces.push({ ...whole, ...piece, reference, isOfMain: true });
  }
  return pieces.length === 0 ? [whole] : pieces;
}

function stretchesOf(main: readonly NumberedFragment[]): Stretch[] {
  const stretches: { main: PlayableFragment[]; discontinuitySequence: number; beginMs: number; endMs: number }[] = [];
  for (const { reference, discontinuitySequence, isDiscontinuity } of main) {
    const last = stretches.at(-1);
    const endMs = fragmentEnd(reference);
    if (last === undefined || isDiscontinuity) {
      const beginMs = reference.fragment.serverTimestampMs;
      stretches.push({ main: [reference], discontinuitySequence, beginMs, endMs });
    } else {
      last.main.push(reference);
      last.endMs = endMs;
    }
  }
  return stretches;
}

function entriesOf(
  stretch: Stretch,
  sub: readonly PlayableFragment[],
  options: { readonly isOpen: boolean; readonly pieceMs: number },
): BesideEntry[] {
  const { beginMs, endMs, discontinuitySequence } = stretch;
  const entries: BesideEntry[] = [];
  let atMs = beginMs;
  const extendLast = (untilMs: number) => {
    const last = entries.at(-1);
    if (last === undefined) return;
    entries[entries.length - 1] = { ...last, endMs: untilMs };
    atMs = untilMs;
  };
  const fill = (untilMs: number) => {
    if (untilMs - atMs < holeMsMin && entries.at(-1)?.reference !== undefined) extendLast(untilMs);
    while (untilMs - atMs > touchingMs) {
      const pieceEndMs = Math.min(untilMs, atMs + options.pieceMs);
      entries.push(hole({ beginMs: atMs, endMs: pieceEndMs }, discontinuitySequence));
      atMs = pieceEndMs;
    }
    // What is left of a hole that is no whole number of pieces, by a millisecond or two.
    if (untilMs > atMs) extendLast(untilMs);
  };
  for (const { reference, shift } of shifted(stretch, sub)) {
    const fragmentBeginMs = reference.fragment.serverTimestampMs - shift.dateMs;
    const fragmentEndsMs = fragmentEndMs(reference.fragment) - shift.dateMs;
    const last = entries.at(-1);
    // Server time is slewed: a fragment may reach into the next one of its run, by up to half of it.
    const isNext = last?.reference?.segment.runId === reference.segment.runId;
    if (!isNext && fragmentBeginMs < atMs - touchingMs) continue;
    if (Math.max(fragmentBeginMs, atMs) >= endMs - touchingMs) continue;
    if (options.isOpen && fragmentEndsMs > endMs) break;
    const isAfterHole = last?.reference === undefined || fragmentBeginMs - atMs >= holeMsMin;
    if (isAfterHole && !reference.fragment.isKey) continue;
    fill(fragmentBeginMs);
    const entryEndMs = Math.min(Math.max(fragmentEndsMs, atMs + touchingMs), endMs);
    entries.push({ reference, isOfMain: false, shift, discontinuitySequence, beginMs: atMs, endMs: entryEndMs });
    atMs = entryEndMs;
  }
  if (!options.isOpen) fill(endMs);
  return entries;
}

/** What of the sub stream may lie in the stretch, each run with its own shift. */
function shifted(stretch: Stretch, sub: readonly PlayableFragment[]): { reference: PlayableFragment; shift: Shift }[] {
  const within = sub.filter(
    (reference) =>
      fragmentEnd(reference) > stretch.beginMs - marginMs &&
      reference.fragment.serverTimestampMs < stretch.endMs + marginMs,
  );
  const runs = new Map<string, PlayableFragment[]>();
  for (const reference of within) {
    const run = runs.get(reference.segment.runId);
    if (run === undefined) runs.set(reference.segment.runId, [reference]);
    else run.push(reference);
  }
  const shifts = new Map([...runs].map(([runId, run]) => [runId, shiftBetween(stretch.main, run)]));
  return within.flatMap((reference) => {
    const shift = shifts.get(reference.segment.runId);
    return shift === undefined ? [] : [{ reference, shift }];
  });
}

/** No shift of dates is larger. */
const marginMs = 2_000;

function hole(range: TimeRange, discontinuitySequence: number): BesideEntry {
  return { ...range, reference: undefined, isOfMain: false, shift: noShift, discontinuitySequence };
}
