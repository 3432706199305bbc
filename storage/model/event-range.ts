/** An event range: a span in which something happened in front of a camera, so that its footage is worth more than the rest. */

import { z } from 'zod';

export type EventRange = {
  /** Chosen by whoever marks: marking twice is marking once. */
  readonly rangeId: string;
  /** Whose footage it marks, and that of the same camera's other stream. */
  readonly streamId: string;
  /** What happened: `motion`, `line`, `tamper`, `digital-input`, `manual`, ... */
  readonly kind: string;
  /** Who says so: `api`, `onvif`, ... */
  readonly source: string;
  /** Server time. */
  readonly beginMs: number;
  /** Undefined: it goes on. At most `limits.eventRangeMsMax` after the begin. */
  readonly endMs: number | undefined;
  /** In the words of whoever marks. */
  readonly detail: Readonly<Record<string, string>>;
};

/** A word that programs decide by. */
export const eventWord = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'is a word of a-z, 0-9 and -');

export const eventRangeId = z.string().regex(/^[\w.:-]{1,64}$/);

/** What whoever marks adds in own words; bounded. */
export const eventDetail = z
  .record(z.string().min(1).max(40), z.string().max(500))
  .refine((detail) => Object.keys(detail).length <= 16, { message: 'has at most 16 entries' });
