/**
 * What `serve` and the owner of a camera say to each other about media that came by WHIP, over one put of the lane protocol:
 *
 *   head (JSON)  ->  <- accepted  ->  Matroska: units as blocks, facts as tags between clusters  ->  <- done | failed
 *
 * Facts are all that a source tells beside units, so that the owner hears of a WHIP publisher what it hears of any camera.
 */

import { z } from 'zod';
import { appError } from '../../storage/base/errors.ts';
import { whipLimits } from './limits.ts';

const headShape = z.object({
  kind: z.literal('whip'),
  streamId: z.string().min(1).max(200),
  /** For logs: address and port, or whoever was let in. */
  peer: z.string().max(whipLimits.peerCharactersMax),
  /** Of the stream key by which it may publish; absent where its token or session allows that. */
  keySha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});

export type WhipHead = z.infer<typeof headShape>;

const acceptedShape = z.object({ kind: z.literal('accepted') });

const finite = z.number().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);
const trackNumber = z.number().int().min(1).max(127);

const factShape = z.discriminatedUnion('kind', [
  /** Another session begins with the next unit, on a timeline of its own; its tracks stand in a tag beside this one. */
  z.object({ kind: z.literal('session'), reason: z.enum(['started', 'tracks-changed', 'time-jump']) }),
  /** Packets are missing before the next unit of this track. */
  z.object({ kind: z.literal('loss'), trackNumber, packets: z.number().int().nonnegative() }),
  /** The publisher's clock against ours. */
  z.object({ kind: z.literal('clock'), offsetMs: finite, driftPpm: finite.nullable() }),
  /** The publisher's wall time of time 0 of the session, from the next unit on. */
  z.object({ kind: z.literal('producer-time'), zeroMs: finite }),
  z.object({ kind: z.literal('warning'), text: z.string().max(whipLimits.warningCharactersMax) }),
]);

/** What is told beside units. */
export type WhipFact = z.infer<typeof factShape>;

/** Names of tags: a fact as JSON, and the tracks of a session as the head of a Matroska file. */
export const factTag = 'WEIR_FACT';
export const tracksTag = 'WEIR_TRACKS';

/** True for the head of a put of this kind. */
export function isWhipHead(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'whip';
}

/** @throws AppError invalid_argument  it is no head of this kind */
export function parseWhipHead(value: unknown): WhipHead {
  return parsed(headShape, value);
}

/** The owner takes the publisher's media. */
export const accepted = { kind: 'accepted' } as const satisfies z.infer<typeof acceptedShape>;

/** True when the owner says that it takes the media. */
export function isAccepted(event: unknown): boolean {
  return acceptedShape.safeParse(event).success;
}

/** @throws AppError invalid_argument  it is none */
export function parseWhipFact(text: string): WhipFact {
  return parsed(factShape, jsonOf(text));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parsed<T>(shape: z.ZodType<T>, value: unknown): T {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw appError('invalid_argument', 'message about a publisher is not of its form', {
    at: issue?.path.join('.'),
    problem: issue?.message,
  });
}
