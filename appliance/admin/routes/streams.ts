/** Streams, and what of them is recorded. */

import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  type AbsenceRows,
  type Absences,
  absenceCellMs,
  absencesOf,
  absentMsByText,
  readAbsences,
  timelineOf,
} from '../../../gateway/playback/index.ts';
import { appError, isAppError } from '../../../storage/base/errors.ts';
import type { CatalogStream } from '../../../storage/catalog/index.ts';
import { type Span, type StreamTotals, union } from '../../../storage/index/index.ts';
import { fragmentEndMs } from '../../../storage/model/fragment.ts';
import { limits } from '../../../storage/model/limits.ts';
import { gapReasonText, isPublished } from '../../../storage/model/run.ts';
import { helpPath } from '../../runbook/index.ts';
import { asking, askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { adminLimits } from '../limits.ts';
import { pathPart, streamResource } from '../resources.ts';
import { idParam, sourceRoleShape } from '../shapes.ts';
import { requireSpan, time } from '../times.ts';

export const streamParams = z.strictObject({ streamId: idParam });

const streamShape = z.object({
  id: z.string(),
  name: z.string(),
  role: sourceRoleShape,
  cameraId: z.string(),
  cameraName: z.string().nullable(),
  createdMs: z.number(),
  isRemoved: z.boolean(),
  totals: z
    .object({
      segments: z.number(),
      bytes: z.number(),
      durationMs: z.number(),
      beginMs: z.number().nullable(),
      endMs: z.number().nullable(),
    })
    .nullable()
    .describe('null: the index cannot be asked just now'),
});

const spanShape = z.object({ beginMs: z.number(), endMs: z.number() });

const absenceShape = spanShape.extend({
  reason: z.string(),
  text: z.string().describe('words for a person'),
});
const absenceBounds =
  'cut to the range, and never over what is recorded. Neighbours of one reason are one when they are nearer than the resolution, ' +
  'than a second or than a 6,000th of the range';

const removalShape = absenceShape.extend({ removedMs: z.number().describe('when the last of it was removed') });

const timelineShape = z.object({
  spans: z.array(spanShape),
  gaps: z.array(
    spanShape.extend({
      reason: z.string(),
      text: z.string(),
      detail: z.string().nullable(),
      help: z.string().describe('page of the reason in the runbook'),
      reasons: z.array(z.string()),
      missingMs: z.number(),
    }),
  ),
  removals: z
    .array(removalShape)
    .describe(
      `footage that was removed: ${absenceBounds}. Made of at most ${limits.removalRowsMax} rows, the newest of the range`,
    ),
  pauses: z
    .array(absenceShape)
    .describe(
      `when it was not to be recorded: ${absenceBounds}. Made of at most ${limits.indexRowsMax} rows, the oldest of the range`,
    ),
  recordedMs: z.number(),
  missingMs: z.number(),
  latestMs: z.number().nullable(),
});

const segmentShape = z.object({
  id: z.number(),
  runId: z.string(),
  runReason: z.string(),
  beginMs: z.number(),
  endMs: z.number(),
  beginProducerMs: z.number(),
  endProducerMs: z.number(),
  bytes: z.number(),
  fragments: z.number(),
  firstNumber: z.string(),
  lastNumber: z.string(),
  location: z.enum(['local', 'stored']),
  tracks: z.array(z.object({ number: z.number(), codec: z.string() })),
});

const dayShape = z.object({
  day: z.string(),
  beginMs: z.number(),
  endMs: z.number(),
  recordedMs: z.number(),
  gapMs: z.number(),
  gapMsByReason: z.record(z.string(), z.number()),
  removedMsByText: z
    .record(z.string(), z.number())
    .describe('footage that was removed, by why; as a timeline of all days tells it'),
  pausedMsByText: z.record(z.string(), z.number()).describe('when it was not to be recorded, by why'),
  completeness: z.number().nullable().describe('null: nothing was to be recorded'),
});

const day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'is not a day (2026-01-31)');

export function addStreamRoutes(app: App, context: Context): void {
  const { catalog, index, clock, board, facts } = context;
  const onStream = (request: FastifyRequest) => streamResource(catalog, pathPart(request, 'streamId'));
  const find = (streamId: string) => requireStream(context, streamId);

  app.get(
    '/api/streams',
    {
      config: askingEach('streams:read'),
      schema: {
        summary: 'Streams one may see, those of removed cameras too',
        response: { 200: z.object({ streams: z.array(streamShape) }) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const totals = orUnavailable(() => new Map(index.totalsOfAll().map((row) => [row.streamId, row])));
      const streams = catalog.tables.cameras
        .streams()
        .filter((stream) => caller.may('streams:read', streamResource(catalog, stream.id)));
      return {
        streams: streams.map((stream) => answerOf(context, stream, totals?.get(stream.id), totals !== undefined)),
      };
    },
  );

  app.get(
    '/api/streams/:streamId',
    {
      config: asking('streams:read', onStream),
      schema: { summary: 'One stream', params: streamParams, response: { 200: streamShape } },
    },
    async (request) => {
      const stream = find(request.params.streamId);
      const totals = orUnavailable(() => ({ row: index.totalsOf(stream.id) }));
      return answerOf(context, stream, totals?.row, totals !== undefined);
    },
  );

  app.get(
    '/api/streams/:streamId/timeline',
    {
      config: asking('streams:read', onStream),
      schema: {
        summary: 'What was recorded and what is missing',
        params: streamParams,
        querystring: z.strictObject({
          begin: time,
          end: time,
          resolutionMs: z.coerce.number().int().min(0).max(86_400_000).default(0).describe('merge what is closer'),
        }),
        response: { 200: timelineShape },
      },
    },
    async (request) => {
      const { streamId } = request.params;
      const { cameraId, role } = find(streamId);
      const words = { isPublished: isPublished(catalog.tables.cameras.find(cameraId)?.sources[role]?.source) };
      const { begin, end, resolutionMs } = request.query;
      const span = requireSpan(begin, end, adminLimits.timelineMsMax);
      const cellMs = absenceCellMs(span, resolutionMs);
      const indexed = index.snapshot((queries) => ({
        recorded: [...queries.streams.intervals(streamId, span, limits.segmentDurationMsMax)].map(toSpan),
        gaps: queries.gaps.between(streamId, span, limits.indexRowsMax),
        absences: readAbsences(queries, streamId, span, cellMs),
      }));
      const nowMs = clock.wallMs();
      const gaps = indexed.gaps.map((gap) => ({
        beginMs: gap.beginMs,
        endMs: gap.endMs ?? nowMs,
        reason: gap.reason,
        ...(gap.detail === undefined ? {} : { detail: gap.detail }),
      }));
      const open = await notIndexed(context, streamId, span, indexed.recorded);
      const timeline = timelineOf({ recorded: [...indexed.recorded, ...open], gaps, range: span, resolutionMs });
      const recorded = timeline.spans;
      const absences = absencesOf({ rows: indexed.absences, recorded, range: span, cellMs, nowMs });
      return {
        ...timeline,
        spans: [...timeline.spans],
        removals: absences.removals.map(({ removedMs = 0, ...rest }) => ({ ...rest, removedMs })),
        pauses: [...absences.pauses],
        gaps: timeline.gaps.map((gap) => ({
          ...gap,
          text: gapReasonText(gap.reason, words),
          detail: gap.detail ?? null,
          help: helpPath(gap.reason),
          reasons: [...gap.reasons],
        })),
        latestMs: board.latestMs(streamId) ?? timeline.spans.at(-1)?.endMs ?? null,
      };
    },
  );

  app.get(
    '/api/streams/:streamId/segments',
    {
      config: asking('streams:read', onStream),
      schema: {
        summary: 'Stored segments that overlap a range, by begin',
        params: streamParams,
        querystring: z.strictObject({
          begin: time,
          end: time,
          limit: z.coerce.number().int().min(1).max(adminLimits.pageRowsMax).default(adminLimits.pageRowsDefault),
        }),
        response: {
          200: z.object({
            segments: z.array(segmentShape),
            next: z.number().nullable().describe('ask again with this as begin; null at the end'),
          }),
        },
      },
    },
    async (request) => {
      const { id } = find(request.params.streamId);
      const { begin, end, limit } = request.query;
      const span = requireSpan(begin, end, Number.MAX_SAFE_INTEGER);
      const segments = index.segmentsBetween(id, span, { limit });
      const last = segments.at(-1);
      return {
        segments: segments.map((segment) => ({
          id: segment.segmentId,
          runId: segment.runId,
          runReason: segment.runReason,
          beginMs: segment.beginServerMs,
          endMs: segment.endServerMs,
          beginProducerMs: segment.beginProducerMs,
          endProducerMs: segment.endProducerMs,
          bytes: segment.byteLength,
          fragments: segment.fragmentCount,
          firstNumber: segment.firstNumber,
          lastNumber: segment.lastNumber,
          location: segment.location,
          tracks: segment.tracks.map(({ number, codec }) => ({ number, codec })),
        })),
        next: segments.length < limit || last === undefined ? null : last.endServerMs,
      };
    },
  );

  app.get(
    '/api/streams/:streamId/days',
    {
      config: asking('streams:read', onStream),
      schema: {
        summary: 'How much of each day was recorded, in a time zone',
        params: streamParams,
        querystring: z.strictObject({ from: day, to: day, zone: z.string().min(1).max(64).default(facts.timeZone) }),
        response: { 200: z.object({ zone: z.string(), days: z.array(dayShape) }) },
      },
    },
    async (request) => {
      const { id } = find(request.params.streamId);
      const { from, to, zone } = request.query;
      const days = index.completeness(id, { firstDay: from, lastDay: to, timeZone: zone });
      const { removals, pauses } = absencesOfDays(context, id, days);
      const removed = absentMsByText(removals, days);
      const paused = absentMsByText(pauses, days);
      return {
        zone,
        days: days.map((row, at) => ({
          day: row.day,
          beginMs: row.beginMs,
          endMs: row.endMs,
          recordedMs: row.recordedMs,
          gapMs: row.missingMs,
          gapMsByReason: { ...row.missingMsByReason },
          removedMsByText: { ...removed[at] },
          pausedMsByText: { ...paused[at] },
          completeness: row.completeness ?? null,
        })),
      };
    },
  );
}

/** @throws AppError not_found  the catalog has no such stream */
export function requireStream({ catalog }: Pick<Context, 'catalog'>, streamId: string): CatalogStream {
  const stream = catalog.tables.cameras.findStream(streamId);
  if (stream === undefined) throw appError('not_found', 'no such stream', { streamId });
  return stream;
}

/** @param days  in order */
function absencesOfDays({ index, clock }: Context, streamId: string, days: readonly Span[]): Absences {
  const [first] = days;
  const last = days.at(-1);
  if (first === undefined || last === undefined) return { removals: [], pauses: [] };
  const range = { beginMs: first.beginMs, endMs: last.endMs };
  const cellMs = absenceCellMs(range, 0);
  const nowMs = clock.wallMs();
  return index.snapshot((queries) => {
    const rows = readAbsences(queries, streamId, range, cellMs);
    const absent = hullOf(rows, nowMs);
    if (absent === undefined) return { removals: [], pauses: [] };
    // What is recorded after the last of them covers none: mostly that is all that is there, half a million segments in a year.
    const near = { beginMs: Math.max(range.beginMs, absent.beginMs), endMs: Math.min(range.endMs, absent.endMs) };
    const recorded = union(spansOf(queries.streams.intervals(streamId, near, limits.segmentDurationMsMax)));
    return absencesOf({ rows, recorded, range, cellMs, nowMs });
  });
}

/** From the first to the last of what is absent; undefined: nothing is. */
function hullOf({ removals, pauses }: AbsenceRows, nowMs: number): Span | undefined {
  let hull: Span | undefined;
  for (const { beginMs, endMs = nowMs } of [...removals, ...pauses]) {
    hull = { beginMs: Math.min(hull?.beginMs ?? beginMs, beginMs), endMs: Math.max(hull?.endMs ?? endMs, endMs) };
  }
  return hull;
}

/** Recorded minutes that the keeper has not taken in: the open file and those waiting. */
async function notIndexed(
  { newest }: Context,
  streamId: string,
  span: Span,
  indexed: readonly Span[],
): Promise<readonly Span[]> {
  const beginMs = Math.max(span.beginMs, indexed.at(-1)?.endMs ?? span.beginMs);
  if (beginMs >= span.endMs) return [];
  const fragments = await newest.fragmentsBetween(streamId, { beginMs, endMs: span.endMs });
  return fragments.map(({ fragment }) => ({
    beginMs: fragment.serverTimestampMs,
    endMs: fragmentEndMs(fragment),
  }));
}

function* spansOf(intervals: Iterable<readonly [number, number]>): Generator<Span> {
  for (const interval of intervals) yield toSpan(interval);
}

function toSpan([beginMs, endMs]: readonly [number, number]): Span {
  return { beginMs, endMs };
}

/** Lists are answered while the index is away, without what it would say. */
function orUnavailable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isAppError(error, 'unavailable')) return undefined;
    throw error;
  }
}

function answerOf(
  { catalog }: Context,
  stream: CatalogStream,
  totals: StreamTotals | undefined,
  isKnown: boolean,
): z.infer<typeof streamShape> {
  const { segments = 0, bytes = 0, durationMs = 0, oldestMs = null, newestMs = null } = totals ?? {};
  return {
    id: stream.id,
    name: stream.name,
    role: stream.role,
    cameraId: stream.cameraId,
    cameraName: catalog.tables.cameras.find(stream.cameraId)?.name ?? null,
    createdMs: stream.createdMs,
    isRemoved: stream.removedMs !== undefined,
    totals: isKnown ? { segments, bytes, durationMs, beginMs: oldestMs, endMs: newestMs } : null,
  };
}
