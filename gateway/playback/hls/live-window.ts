/**
 * The sliding end of a stream as one playlist session sees it: the newest fragments with their numbers.
 * What it remembers only saves counting again; another process, or this one after a restart, finds the same numbers.
 */

import { type FragmentNumber, fragmentNumberParts } from '../../../storage/model/fragment-number.ts';
import { limits } from '../../../storage/model/limits.ts';
import { isImported } from '../../../storage/model/run.ts';
import { type FragmentSource, fragmentEnd, type PlayableFragment } from '../fragment-source.ts';
import { trackChooser } from '../playable-tracks.ts';
import { type NumberedFragment, numberAfterLostBeginning, numberFragments } from './numbering.ts';
import { isSelected } from './renditions.ts';
import type { VideoSelection } from './session.ts';

export type LiveSession = {
  readonly streamId: string;
  readonly anchor: FragmentNumber;
  readonly video: VideoSelection;
  /** See `numbering.ts`. */
  readonly firstMediaSequence: number;
};

/** A window, and by run the fragment that names its initialization: the run's first in the session. */
export type LiveWindow = {
  readonly fragments: readonly NumberedFragment[];
  readonly firstOfRun: ReadonlyMap<string, PlayableFragment>;
};

/** The newest fragments of a list that make up a live window: `limits.hlsWindowMs`, and never fewer than players need. */
export function windowOf<T>(fragments: readonly T[], referenceOf: (fragment: T) => PlayableFragment): readonly T[] {
  const newest = fragments.at(-1);
  if (newest === undefined) return fragments;
  const beginMs = fragmentEnd(referenceOf(newest)) - limits.hlsWindowMs;
  const at = fragments.findIndex((fragment) => fragmentEnd(referenceOf(fragment)) > beginMs);
  return fragments.slice(Math.max(0, Math.min(at, fragments.length - limits.hlsWindowFragmentsMin)));
}

export class LiveWindows {
  readonly #source: FragmentSource;
  /** Each session's window of last time, least recently asked for first. */
  readonly #windows = new Map<string, LiveWindow>();

  constructor({ source }: { readonly source: FragmentSource }) {
    this.#source = source;
  }

  /** The window of a session now; empty when the stream has nothing (any more) that the session plays. */
  async window(session: LiveSession): Promise<LiveWindow> {
    const { streamId, video, firstMediaSequence } = session;
    const newest = await this.#source.latest(streamId);
    if (newest === undefined) return { fragments: [], firstOfRun: new Map() };
    const anchor = { number: session.anchor, firstMediaSequence, ...fragmentNumberParts(session.anchor) };
    const endMs = newest.fragment.serverTimestampMs + 1;
    const oldestMs = endMs - limits.hlsCountBackMs;
    const key = `${streamId} ${session.anchor} ${firstMediaSequence} ${video}`;
    const known = this.#knownAfter(key, oldestMs);
    const first = known?.fragments[0];
    const beginMs = first?.reference.fragment.serverTimestampMs ?? Math.max(anchor.serverTimestampMs, oldestMs);
    const page = await this.#source.fragmentsBetween(streamId, { beginMs, endMs, limit: limits.playbackFragmentsMax });
    const choose = trackChooser();
    const selected = page.filter(
      (reference) =>
        reference.fragment.number >= anchor.number &&
        // What is brought in from a file meanwhile is old footage, and would change the numbers of a live session.
        !isImported(reference.segment) &&
        isSelected(reference, video, choose),
    );
    const numbered =
      first === undefined
        ? numberFromAnchor(anchor, selected)
        : [first, ...numberFragments(first, after(first, selected))];
    const fragments = windowOf(numbered, ({ reference }) => reference);
    const window = { fragments, firstOfRun: firstOfRuns(known?.firstOfRun ?? new Map(), numbered, fragments) };
    this.#remember(key, window);
    return window;
  }

  /** A window so old that its fragments are not even counted any more is of no use. */
  #knownAfter(key: string, oldestMs: number): LiveWindow | undefined {
    const known = this.#windows.get(key);
    const beginMs = known?.fragments[0]?.reference.fragment.serverTimestampMs ?? Number.NEGATIVE_INFINITY;
    return beginMs >= oldestMs ? known : undefined;
  }

  #remember(key: string, window: LiveWindow): void {
    this.#windows.delete(key);
    this.#windows.set(key, window);
    const oldest = this.#windows.keys().next();
    if (this.#windows.size > limits.hlsSessionsMax && oldest.done !== true) this.#windows.delete(oldest.value);
  }
}

function after(first: NumberedFragment, references: readonly PlayableFragment[]): PlayableFragment[] {
  return references.filter(({ fragment }) => fragment.number > first.reference.fragment.number);
}

function numberFromAnchor(
  anchor: {
    readonly number: FragmentNumber;
    readonly counter: number;
    readonly serverTimestampMs: number;
    readonly firstMediaSequence: number;
  },
  references: readonly PlayableFragment[],
): NumberedFragment[] {
  const [oldest, ...rest] = references;
  if (oldest === undefined) return [];
  if (oldest.fragment.number === anchor.number) return numberFragments(anchor, references);
  const first = numberAfterLostBeginning(anchor, oldest);
  return [first, ...numberFragments(first, rest)];
}

function firstOfRuns(
  known: ReadonlyMap<string, PlayableFragment>,
  numbered: readonly NumberedFragment[],
  shown: readonly NumberedFragment[],
): ReadonlyMap<string, PlayableFragment> {
  const first = new Map(known);
  for (const { reference } of numbered) {
    if (!first.has(reference.segment.runId)) first.set(reference.segment.runId, reference);
  }
  const shownRuns = new Set(shown.map(({ reference }) => reference.segment.runId));
  return new Map([...first].filter(([runId]) => shownRuns.has(runId)));
}
