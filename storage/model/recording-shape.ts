/** Recording policies as JSON from outside: of plan files, requests and people. */

import { z } from 'zod';
import { limits } from './limits.ts';

/** One of `RecordingMode`. */
export const recordingModeShape = z.enum(['continuous', 'events', 'live']);

const weekday = z.union([1, 2, 3, 4, 5, 6, 7].map((day) => z.literal(day as 1 | 2 | 3 | 4 | 5 | 6 | 7)));

const span = z
  .strictObject({
    weekday: weekday.describe('1 is Monday, 7 is Sunday'),
    beginMinute: z.number().int().min(0).max(1_439),
    endMinute: z.number().int().min(1).max(1_440),
    mode: recordingModeShape,
  })
  .refine(({ beginMinute, endMinute }) => beginMinute < endMinute, {
    message: 'a span ends after it begins; a night is two spans, up to minute 1440 and from minute 0',
  });

/** A `WeeklySchedule`: bounded, in a zone that exists, without overlaps. */
export const scheduleShape = z.strictObject({
  timeZone: z.string().max(64).refine(isTimeZone, { message: 'must be an IANA time zone such as Europe/Berlin' }),
  spans: z
    .array(span)
    .max(limits.scheduleSpansMax)
    .refine((spans) => !hasOverlap(spans), { message: 'spans of a schedule must not overlap' }),
});

/** A `RecordingPolicy` as one process tells another. */
export const recordingPolicyShape = z.object({
  mode: recordingModeShape,
  schedule: scheduleShape.optional(),
  retentionHours: z.number().positive(),
  eventRetentionHours: z.number().positive(),
  preRollMinutes: z.number().positive(),
  // JSON has no undefined: no bound of its own is an absent key.
  bytesMax: z
    .number()
    .nonnegative()
    .optional()
    .transform((value): number | undefined => value),
});

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function hasOverlap(spans: readonly z.infer<typeof span>[]): boolean {
  const sorted = [...spans].sort((a, b) => a.weekday - b.weekday || a.beginMinute - b.beginMinute);
  return sorted.some((each, i) => {
    const before = sorted[i - 1];
    return before !== undefined && before.weekday === each.weekday && each.beginMinute < before.endMinute;
  });
}
