/** Control messages from the other side, checked once. Unknown fields and unknown message types are left out, not refused. */

import { z } from 'zod';
import { appError, errorCodes } from '../base/errors.ts';
import type { SourceState } from '../model/camera.ts';
import type { FragmentNumber } from '../model/fragment-number.ts';
import { limits } from '../model/limits.ts';
import { type GapReason, gapReasons } from '../model/run.ts';
import type { ClientMessage, ServerMessage } from './messages.ts';

const id = z.uint32();
const text = z.string().max(4_096);
/** Not checked by a pattern: a tail has megabytes, and decoding skips what is not base64. */
const base64Text = z.string();
const count = z.int().nonnegative();
const fragmentNumber = z.custom<FragmentNumber>((value) => typeof value === 'string' && /^\d{47}$/.test(value));

const clientMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), version: z.int(), client: text }),
  z.object({ type: z.literal('request'), id, method: text, params: z.unknown() }),
  z.object({
    type: z.literal('subscribe'),
    laneId: id,
    streamId: text,
    onOverflow: z.enum(['drop-to-key-frame', 'newest-wins']),
    bytesMax: z.int().positive(),
  }),
  z.object({ type: z.literal('unsubscribe'), laneId: id }),
  z.object({ type: z.literal('put'), putId: id, head: z.unknown() }),
  z.object({ type: z.literal('put-end'), putId: id, isCut: z.boolean() }),
  z.object({ type: z.literal('watch') }),
]);

const wireTrack = z.object({
  number: z.int().min(1).max(127),
  kind: z.enum(['video', 'audio', 'other']),
  codec: text,
  codecId: text,
  codecPrivate: base64Text.max(limits.codecPrivateBytesMax * 2),
  codecString: z.exactOptional(text),
  video: z.exactOptional(z.object({ widthPixels: count, heightPixels: count })),
  audio: z.exactOptional(z.object({ samplingFrequencyHz: z.number().nonnegative(), channels: count })),
});
const tracks = z.array(wireTrack).max(limits.tracksMax);

const fragment = z.object({
  number: fragmentNumber,
  offset: count,
  byteLength: count,
  serverTimestampMs: z.number(),
  producerTimestampMs: z.number(),
  mediaTimeMs: z.number(),
  durationMs: z.number(),
  isKey: z.boolean(),
  hasLoss: z.boolean(),
  tracks: z
    .array(
      z.object({
        trackNumber: z.int(),
        samples: count,
        payloadBytes: count,
        beginMediaMs: z.number(),
        endMediaMs: z.number(),
      }),
    )
    .max(limits.tracksMax),
  sha256: base64Text,
});

const ofRun = { streamId: text, runId: text };
const hint = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('begun'),
    ...ofRun,
    path: text,
    offset: count,
    number: fragmentNumber,
    serverTimestampMs: z.number(),
    producerTimestampMs: z.number(),
    mediaTimeMs: z.number(),
  }),
  z.object({ kind: z.literal('committed'), ...ofRun, path: text, fragment }),
  z.object({ kind: z.literal('durable'), ...ofRun, number: fragmentNumber }),
  z.object({ kind: z.literal('aborted'), ...ofRun, number: fragmentNumber }),
  z.object({ kind: z.literal('finished'), ...ofRun, path: text, finishedPath: text }),
  z.object({ kind: z.literal('run-ended'), ...ofRun, reason: text }),
]);

/** JSON has no undefined: an absent member comes back as the undefined that the model has. */
function orUndefined<T extends z.ZodType>(schema: T) {
  return schema.optional().transform((value) => value as z.output<T> | undefined);
}

const gapReason = z.custom<GapReason>((value) => typeof value === 'string' && Object.hasOwn(gapReasons, value));

const state: z.ZodType<SourceState> = z.object({
  streamId: text,
  state: z.enum(['idle', 'connecting', 'live', 'retrying', 'stopped']),
  reason: orUndefined(gapReason),
  message: orUndefined(text),
  hint: orUndefined(text),
  sinceMs: z.number(),
  attempts: count,
  nextAttemptMs: orUndefined(z.number()),
  isRecording: z.boolean(),
  tracks: z.array(z.object({ number: z.int(), codec: text, text })),
  clockOffsetMs: orUndefined(z.number()),
  clockDriftPpm: orUndefined(z.number()),
  mainOffsetMs: orUndefined(z.number()),
  runsLastHour: count,
  warnings: z.array(text),
  recordingFault: z.exactOptional(z.object({ reason: gapReason, message: text })),
});

const openSegment = z.object({
  ...ofRun,
  path: text,
  committedBytes: count,
  openNumber: orUndefined(fragmentNumber),
});

const error = z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.exactOptional(z.string()) });
const serverMessage = z.union([
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('hello'), version: z.int(), role: text }),
    z.object({
      type: z.literal('joined'),
      laneId: id,
      tracks,
      from: z.nullable(
        z.object({
          path: text,
          clusterOffset: count,
          joinOffset: count,
          tail: base64Text,
          serverTimestampMs: z.number(),
          runId: text,
          sessionOffsetUs: z.number(),
        }),
      ),
    }),
    z.object({ type: z.literal('session'), laneId: id, tracks }),
    z.object({ type: z.literal('session-ended'), laneId: id, reason: text }),
    z.object({ type: z.literal('dropped'), laneId: id, units: count }),
    z.object({ type: z.literal('closed'), laneId: id, reason: text }),
    z.object({ type: z.literal('put-event'), putId: id, event: z.unknown() }),
    z.object({ type: z.literal('put-done'), putId: id, result: z.unknown() }),
    z.object({ type: z.literal('put-failed'), putId: id, error }),
    z.object({ type: z.literal('snapshot'), open: z.array(openSegment), states: z.array(state) }),
    z.object({ type: z.literal('hint'), hint }),
    z.object({ type: z.literal('state'), state }),
  ]),
  z.object({ type: z.literal('response'), id, error }),
  z.object({ type: z.literal('response'), id, result: z.unknown() }),
]);

const clientTypes = new Set(['hello', 'request', 'subscribe', 'unsubscribe', 'put', 'put-end', 'watch']);
const serverTypes = new Set([
  'hello',
  'response',
  'joined',
  'session',
  'session-ended',
  'dropped',
  'closed',
  'put-event',
  'put-done',
  'put-failed',
  'snapshot',
  'hint',
  'state',
]);

/** @returns undefined for a type that this version does not know @throws AppError invalid_argument  a known type with bad fields */
export function parseClientMessage(value: unknown): ClientMessage | undefined {
  return isOf(clientTypes, value) ? checked(clientMessage.safeParse(value)) : undefined;
}

/** @returns undefined for a type that this version does not know @throws AppError invalid_argument  a known type with bad fields */
export function parseServerMessage(value: unknown): ServerMessage | undefined {
  return isOf(serverTypes, value) ? checked(serverMessage.safeParse(value)) : undefined;
}

function isOf(types: ReadonlySet<string>, value: unknown): boolean {
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  if (typeof type !== 'string') throw appError('invalid_argument', 'control message has no type');
  return types.has(type);
}

function checked<T>(result: z.ZodSafeParseResult<T>): T {
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw appError('invalid_argument', 'control message is not of its form', {
    at: issue?.path.join('.'),
    problem: issue?.message,
  });
}
