/**
 * What `serve` and the owner of a stream say to each other about media that a producer sends, over one put of the lane protocol:
 *
 *   head (JSON), Matroska bytes  ->        <-  accepted, told*, done
 */

import { z } from 'zod';
import { appError } from '../../storage/base/errors.ts';
import { mediaErrorNames } from './media-errors.ts';

const headShape = z.object({
  kind: z.literal('put-media'),
  streamId: z.string().min(1).max(200),
  requestId: z.string().max(64),
  /** Cluster timecodes are the producer's time, or count from its start. */
  timecodes: z.enum(['absolute', 'relative']),
  /** Producer time of timecode 0 where they are relative, milliseconds since 1970 UTC. */
  producerStartMs: z.number().nonnegative(),
  /** Otherwise nothing but errors is told. */
  wantsAcks: z.boolean(),
});

export type PutMediaHead = z.infer<typeof headShape>;

const timecodeMs = z.number().int().nonnegative();
const number = z.string().regex(/^\d{47}$/);

const ackShape = z.union([
  z.object({ kind: z.enum(['buffering', 'received', 'persisted']), timecodeMs, number }),
  z.object({ kind: z.literal('idle') }),
  z.object({
    kind: z.literal('error'),
    error: z.enum(mediaErrorNames),
    timecodeMs: timecodeMs.optional(),
    number: number.optional(),
  }),
]);

/** What a producer is told. `timecodeMs`: of the cluster as it was sent. */
export type Ack = z.infer<typeof ackShape>;

const eventShape = z.union([
  /** The stream takes it. */
  z.object({ kind: z.literal('accepted') }),
  z.object({ kind: z.literal('told'), acks: z.array(ackShape) }),
]);

export type PutMediaEvent = z.infer<typeof eventShape>;

/** True for the head of a put of this kind. */
export function isPutMediaHead(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'put-media';
}

/** @throws AppError invalid_argument  it is no head of this kind */
export function parsePutMediaHead(value: unknown): PutMediaHead {
  return parsed(headShape, value);
}

/** @throws AppError invalid_argument  it is none of ours */
export function parsePutMediaEvent(value: unknown): PutMediaEvent {
  return parsed(eventShape, value);
}

function parsed<T>(shape: z.ZodType<T>, value: unknown): T {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw appError('invalid_argument', 'put-media message is not of its form', {
    at: issue?.path.join('.'),
    problem: issue?.message,
  });
}
