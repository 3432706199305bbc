/** Times in queries and bodies: milliseconds since 1970 UTC, or ISO 8601 with a zone. */

import { z } from 'zod';
import { appError } from '../../storage/base/errors.ts';
import type { Span } from '../../storage/index/index.ts';

/** Beyond it a `Date` cannot say which day it is. */
const timeMsMax = 8_640_000_000_000_000;

const isoWithZone = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/;

/** A moment as people and programs write it; parsed to milliseconds. */
export const time = z
  .union([z.string(), z.number()])
  .describe('milliseconds since 1970 UTC, or ISO 8601 with a zone')
  .transform((written, context) => {
    const text = String(written).trim();
    const ms = /^\d{1,16}$/.test(text) ? Number(text) : isoWithZone.test(text) ? Date.parse(text) : Number.NaN;
    if (Number.isFinite(ms) && ms <= timeMsMax) return ms;
    context.addIssue({
      code: 'custom',
      message: 'is neither milliseconds since 1970 nor ISO 8601 with a zone (2026-01-31T12:00:00Z)',
    });
    return z.NEVER;
  });

/**
 * A range of time, begin inside, end outside.
 * @throws AppError invalid_argument  it is empty, or longer than `durationMsMax`
 */
export function requireSpan(beginMs: number, endMs: number, durationMsMax: number): Span {
  if (endMs <= beginMs) throw appError('invalid_argument', 'the range ends before it begins', { field: 'end' });
  if (endMs - beginMs > durationMsMax) {
    throw appError('invalid_argument', `the range is longer than ${Math.floor(durationMsMax / 3_600_000)} hours`, {
      field: 'end',
      hint: 'ask for parts of it',
    });
  }
  return { beginMs, endMs };
}
