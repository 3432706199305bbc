/** Where a reader begins: a start selector becomes a number after which everything is sent. */

import { type Fragment, fragmentEndMs } from '../../../storage/model/fragment.ts';
import { type FragmentNumber, numberBefore } from '../../../storage/model/fragment-number.ts';
import { mediaLimits } from './limits.ts';
import type { StartSelector } from './selectors.ts';
import type { MediaFragment, MediaSource, TimeAxis } from './source.ts';

export type Beginning = {
  /** Fragments with higher numbers are sent; undefined: all. */
  readonly after: FragmentNumber | undefined;
  /** What is brought in from files is passed over: who asked for now wants what happens now. */
  readonly isRecordedOnly: boolean;
  /** Nothing of this moment is there yet: what ends before it is passed over. */
  readonly from?: { readonly axis: TimeAxis; readonly atMs: number } | undefined;
};

type Where = { readonly source: MediaSource; readonly streamId: string; readonly floorMs: number };

/** @param where.floorMs  the oldest server time that may be read */
export async function beginningOf(selector: StartSelector, where: Where): Promise<Beginning> {
  const { source, streamId, floorMs } = where;
  switch (selector.kind) {
    case 'earliest':
      return { after: undefined, isRecordedOnly: false };
    case 'after':
      return { after: selector.number, isRecordedOnly: false };
    case 'now': {
      const latest = (await source.latest(streamId))?.fragment;
      const after =
        latest === undefined || latest.serverTimestampMs < floorMs ? latest?.number : numberBefore(latest.number);
      return { after, isRecordedOnly: true };
    }
    case 'at': {
      const first = await firstAt(selector, where);
      if (first !== undefined) return { after: numberBefore(first.fragment.number), isRecordedOnly: false };
      const latest = await source.latest(streamId);
      return { after: latest?.fragment.number, isRecordedOnly: false, from: selector };
    }
  }
}

/**
 * The fragment that holds a moment, or else the next one. What was recorded counts before what was brought in from files: its
 * numbers are in the order of time, so nothing recorded after the moment is left out.
 */
export async function firstAt(
  { axis, atMs }: { readonly axis: TimeAxis; readonly atMs: number },
  { source, streamId, floorMs }: Where,
): Promise<MediaFragment | undefined> {
  const beginMs = axis === 'server' ? Math.max(atMs, floorMs) : atMs;
  const isKept = (fragment: Fragment) => fragment.serverTimestampMs >= floorMs;
  for (const isRecordedOnly of [true, false]) {
    const holding = await source.fragmentsByTime(streamId, {
      ...{ axis, isRecordedOnly, beginMs: beginMs - mediaLimits.fragmentMsMax, endMs: beginMs + 1 },
      isWanted: (fragment) => isKept(fragment) && endOf(fragment, axis) > beginMs,
      limit: mediaLimits.batchFragments,
    });
    const [lowest] = holding.toSorted((a, b) => (a.fragment.number < b.fragment.number ? -1 : 1));
    if (lowest !== undefined) return lowest;
    const later = { beginMs, endMs: Number.MAX_SAFE_INTEGER };
    const [next] = await source.fragmentsByTime(streamId, {
      ...{ axis, isRecordedOnly, ...later, isWanted: isKept, limit: 1 },
    });
    if (next !== undefined) return next;
  }
  return undefined;
}

export function endOf(fragment: Fragment, axis: TimeAxis): number {
  return axis === 'server' ? fragmentEndMs(fragment) : fragment.producerTimestampMs + fragment.durationMs;
}
