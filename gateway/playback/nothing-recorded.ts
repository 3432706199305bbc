/** The error for a time at which nothing was recorded: it says where the nearest recorded media lie. */

import { type AppError, appError } from '../../storage/base/errors.ts';
import { type FragmentSource, fragmentEnd, type TimeRange } from './fragment-source.ts';

/** How far back is searched, step by step: minutes are cheap, a day is enough to help a person. */
const lookBackMs = [10 * 60_000, 3 * 3_600_000, 24 * 3_600_000] as const;

/**
 * Makes the `not_found` for a range without media. Its context has `nearestBeforeMs`, the end of what was recorded before
 * (within a day), and `nearestAfterMs`, the beginning of what was recorded after; either is absent when there is none.
 */
export async function nothingRecorded(source: FragmentSource, streamId: string, range: TimeRange): Promise<AppError> {
  const nearestBeforeMs = await lastEndBefore(source, streamId, range.beginMs);
  const [after] = await source.fragmentsBetween(streamId, {
    beginMs: range.endMs,
    endMs: Number.MAX_SAFE_INTEGER,
    limit: 1,
  });
  const nearestAfterMs = after?.fragment.serverTimestampMs;
  const places = [
    ...(nearestBeforeMs === undefined ? [] : [`before it until ${isoTime(nearestBeforeMs)}`]),
    ...(nearestAfterMs === undefined ? [] : [`after it from ${isoTime(nearestAfterMs)}`]),
  ];
  return appError('not_found', 'nothing was recorded at that time', {
    streamId,
    beginMs: range.beginMs,
    endMs: range.endMs,
    ...(nearestBeforeMs === undefined ? {} : { nearestBeforeMs }),
    ...(nearestAfterMs === undefined ? {} : { nearestAfterMs }),
    hint: places.length === 0 ? 'nothing is recorded near it' : `the nearest media lie ${places.join(' and ')}`,
  });
}

async function lastEndBefore(source: FragmentSource, streamId: string, timeMs: number): Promise<number | undefined> {
  for (const stepMs of lookBackMs) {
    const found = await source.fragmentsBetween(streamId, { beginMs: Math.max(0, timeMs - stepMs), endMs: timeMs });
    const last = found.at(-1);
    if (last !== undefined) return Math.min(timeMs, fragmentEnd(last));
  }
  return undefined;
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
