/** Fragments in the order of one of their times: what lists and searches by time are made of. Numbers decide between equals. */

import type { Fragment } from '../model/fragment.ts';
import type { FragmentNumber } from '../model/fragment-number.ts';
import type { FragmentRef, SegmentRef, TimeAxis } from './references.ts';

/** A place in the order: of a fragment that was told already. */
export type TimePlace = { readonly atMs: number; readonly number: FragmentNumber };

export type TimeRange = {
  readonly axis: TimeAxis;
  /** Fragments begin within; the end is exclusive. */
  readonly beginMs: number;
  readonly endMs: number;
  /** Only what comes behind it. */
  readonly after?: TimePlace | undefined;
  /** Leaves out what was brought in from files. */
  readonly isRecordedOnly?: boolean;
  readonly isWanted?: (fragment: Fragment) => boolean;
  readonly limit: number;
};

/** A segment by its begin on the axis; its fragments are loaded when their turn comes. */
export type TimedPart = {
  readonly segment: SegmentRef;
  readonly beginMs: number;
  readonly load: () => Promise<readonly Fragment[]>;
};

export function timeOf(fragment: Fragment, axis: TimeAxis): number {
  return axis === 'server' ? fragment.serverTimestampMs : fragment.producerTimestampMs;
}

/** The first fragments of parts that come by their begin. No more tables are read than that takes. */
export async function collectByTime(
  parts: Iterable<TimedPart>,
  range: TimeRange & { readonly bound: FragmentNumber | undefined },
): Promise<FragmentRef[]> {
  const { axis, limit, bound } = range;
  const ready: FragmentRef[] = [];
  let waiting: FragmentRef[] = [];
  for (const { segment, beginMs, load } of parts) {
    // What lies before all of the next part.
    const firstLater = waiting.findIndex(({ fragment }) => timeOf(fragment, axis) >= beginMs);
    ready.push(...waiting.splice(0, firstLater === -1 ? waiting.length : firstLater));
    if (ready.length >= limit) return ready.slice(0, limit);
    for (const fragment of await load()) {
      const isVisible = bound === undefined || fragment.number < bound;
      if (isVisible && isWithin(fragment, range)) waiting.push({ fragment, segment });
    }
    waiting = waiting.sort((a, b) => compare(a.fragment, b.fragment, axis));
  }
  return [...ready, ...waiting].slice(0, limit);
}

/** Two sequences by begin made one. */
export function* mergedByBegin(a: Iterable<TimedPart>, b: Iterable<TimedPart>): Generator<TimedPart> {
  const others = a[Symbol.iterator]();
  let other = others.next();
  for (const part of b) {
    while (other.done !== true && other.value.beginMs <= part.beginMs) {
      yield other.value;
      other = others.next();
    }
    yield part;
  }
  while (other.done !== true) {
    yield other.value;
    other = others.next();
  }
}

function isWithin(fragment: Fragment, { axis, beginMs, endMs, after, isWanted }: TimeRange): boolean {
  const atMs = timeOf(fragment, axis);
  if (atMs < beginMs || atMs >= endMs) return false;
  if (after !== undefined && (atMs < after.atMs || (atMs === after.atMs && fragment.number <= after.number)))
    return false;
  return isWanted === undefined || isWanted(fragment);
}

function compare(a: Fragment, b: Fragment, axis: TimeAxis): number {
  return timeOf(a, axis) - timeOf(b, axis) || (a.number < b.number ? -1 : 1);
}
