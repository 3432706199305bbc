/** The error for a time of which there is no footage: it says why, as far as is known, and where the nearest recorded media lie. */

import { type AppError, appError } from '../../storage/base/errors.ts';
import { absenceText } from './absences.ts';
import { type FragmentSource, fragmentEnd, type TimeRange } from './fragment-source.ts';

/** How far is searched to either side, step by step: near is cheap, and an error is not worth reading a day of tables. */
const stepsMs = [10 * 60_000, 6 * 3_600_000] as const;

/**
 * Makes the `not_found` for a range without media. Its context has `nearestBeforeMs`, the end of what was recorded before
 * and `nearestAfterMs`, the beginning of what was recorded after; either is absent when there is none within some hours.
 * Where footage was removed, or was not to be recorded, the message says so: `absence` has the reason, `removedMs` when it was removed.
 */
export async function nothingRecorded(source: FragmentSource, streamId: string, range: TimeRange): Promise<AppError> {
  const absence = source.absence?.(streamId, range);
  const nearestBeforeMs = await lastEndBefore(source, streamId, range.beginMs);
  const nearestAfterMs = await firstBeginAfter(source, streamId, range.endMs);
  const places = [
    ...(nearestBeforeMs === undefined ? [] : [`before it until ${isoTime(nearestBeforeMs)}`]),
    ...(nearestAfterMs === undefined ? [] : [`after it from ${isoTime(nearestAfterMs)}`]),
  ];
  const nearest =
    places.length === 0
      ? 'no media lie within hours of it: look at the timeline'
      : `the nearest media lie ${places.join(' and ')}`;
  const removedMs = absence?.removedMs;
  return appError('not_found', absence === undefined ? 'nothing was recorded at that time' : absenceText(absence), {
    streamId,
    beginMs: range.beginMs,
    endMs: range.endMs,
    ...(nearestBeforeMs === undefined ? {} : { nearestBeforeMs }),
    ...(nearestAfterMs === undefined ? {} : { nearestAfterMs }),
    ...(absence === undefined ? {} : { absence: absence.reason }),
    ...(removedMs === undefined ? {} : { removedMs }),
    hint: removedMs === undefined ? nearest : `it was removed at ${isoTime(removedMs)}; ${nearest}`,
  });
}

async function lastEndBefore(source: FragmentSource, streamId: string, timeMs: number): Promise<number | undefined> {
  for (const stepMs of stepsMs) {
    const found = await source.fragmentsBetween(streamId, { beginMs: Math.max(0, timeMs - stepMs), endMs: timeMs });
    const last = found.at(-1);
    if (last !== undefined) return Math.min(timeMs, fragmentEnd(last));
  }
  return undefined;
}

async function firstBeginAfter(source: FragmentSource, streamId: string, timeMs: number): Promise<number | undefined> {
  for (const stepMs of stepsMs) {
    const [first] = await source.fragmentsBetween(streamId, { beginMs: timeMs, endMs: timeMs + stepMs, limit: 1 });
    if (first !== undefined) return Math.max(timeMs, first.fragment.serverTimestampMs);
  }
  return undefined;
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
