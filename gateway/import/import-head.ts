/**
 * What `serve` and the owner of a stream say to each other about an import, over one put of the lane protocol:
 *
 *   head (JSON), Matroska bytes  ->        <-  progress*, result
 */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { appError } from '../../storage/base/errors.ts';

/** Spans of footage that one head may name: a year in which a camera was interrupted every hour. */
export const importSpansMax = 10_000;

const ms = z.number().int().nonnegative();
const spans = z.array(z.tuple([ms, ms])).max(importSpansMax);

const headShape = z.object({
  kind: z.literal('import'),
  streamId: z.string().min(1).max(200),
  importId: z.string().regex(/^[0-9a-f]{20}$/),
  /** Server time of the first picture, or first sound where there is none. */
  atMs: ms,
  /** Nothing may end later: what is to come is for the camera. */
  endMsMax: ms,
  /** What an earlier attempt of the same import brought: passed over. */
  done: spans,
  /** Other footage of the stream. */
  taken: spans,
  onTaken: z.enum(['refuse', 'skip']),
});

/** The head of an import. Spans are `[begin, end)` of server time, milliseconds. */
export type ImportHead = z.infer<typeof headShape>;

const count = z.number().int().nonnegative();

const progressShape = z.object({
  /** Fragments that survive power loss, their bytes, and those that were there before or lie on other footage. */
  fragments: count,
  bytes: count,
  alreadyThere: count,
  skipped: count,
  /** How far the file was read, milliseconds of its media from the first picture. */
  mediaMs: z.number(),
});

export type ImportProgress = z.infer<typeof progressShape>;

const resultShape = progressShape.extend({
  /** Server time of what the file holds; undefined when it holds nothing that can be kept. */
  beginMs: ms.nullable(),
  endMs: ms.nullable(),
  /** Units that are in no fragment, by why. */
  dropped: z.record(z.string(), count),
  /** The Matroska stream broke off or was damaged here, or ended well. */
  fault: z.nullable(z.string()),
});

export type ImportResult = z.infer<typeof resultShape>;

/** @throws AppError invalid_argument  it is no head of an import */
export function parseImportHead(value: unknown): ImportHead {
  return parsed(headShape, value);
}

export function parseImportProgress(value: unknown): ImportProgress {
  return parsed(progressShape, value);
}

export function parseImportResult(value: unknown): ImportResult {
  return parsed(resultShape, value);
}

/**
 * Names an import by what it brings and where to: 20 hexadecimal digits with which the ids of its runs begin. So what it stored
 * is found again from the footage alone, whoever died meanwhile.
 *
 * @param options.sha256  of the whole file, hexadecimal
 */
export function importIdOf(options: {
  readonly streamId: string;
  readonly sha256: string;
  readonly atMs: number;
}): string {
  const { streamId, sha256, atMs } = options;
  return createHash('sha256').update(`weir import 1 ${streamId} ${sha256} ${atMs}`).digest('hex').slice(0, 20);
}

/** True for runs of this import, of any attempt. */
export function isRunOfImport(runId: string, importId: string): boolean {
  return runId.startsWith(importId);
}

function parsed<T>(shape: z.ZodType<T>, value: unknown): T {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw appError('invalid_argument', 'import message is not of its form', {
    at: issue?.path.join('.'),
    problem: issue?.message,
  });
}
