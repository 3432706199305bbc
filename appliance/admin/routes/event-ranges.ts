/** Event ranges: what happened in front of a camera and when, so that its footage is kept longer. The keeper keeps them. */

import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import type { StoredEventRange } from '../../../storage/index/index.ts';
import { eventDetail, eventRangeId, eventWord } from '../../../storage/model/event-range.ts';
import { limits } from '../../../storage/model/limits.ts';
import { asking } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { cameraResource, pathPart } from '../resources.ts';
import { idParam } from '../shapes.ts';
import { requireSpan, time } from '../times.ts';

const rangeShape = z.object({
  id: z.string(),
  kind: z.string(),
  source: z.string().describe('who says so: api, onvif, ...'),
  beginMs: z.number(),
  endMs: z.number().nullable().describe('null: it goes on'),
  isCut: z.boolean().describe('nobody ended it within a day, so it was ended then'),
  detail: z.record(z.string(), z.string()),
});

const rangeInput = z.strictObject({
  id: eventRangeId.optional().describe('of your own, so that a repeated request marks once; made when absent'),
  kind: eventWord.default('manual'),
  begin: time,
  end: time.nullable().default(null).describe('null: it goes on, for a day at most'),
  detail: eventDetail.default({}),
});

const cameraParams = z.strictObject({ cameraId: idParam });
const rangeParams = cameraParams.extend({ rangeId: eventRangeId });
const rangeQuery = z.strictObject({ begin: time, end: time });

const dayMs = 86_400_000;

type AuditDetail = Readonly<Record<string, string | number | null>>;

export function addEventRangeRoutes(app: App, context: Context): void {
  const { catalog, feed, index, keeper } = context;
  const resource = (request: FastifyRequest) => cameraResource(pathPart(request, 'cameraId'));
  const streamIdsOf = (cameraId: string): readonly string[] => {
    const camera = catalog.tables.cameras.find(cameraId);
    if (camera === undefined) throw appError('not_found', 'no such camera', { cameraId });
    return camera.streams.map((stream) => stream.id);
  };
  const requireRange = (cameraId: string, rangeId: string): StoredEventRange => {
    const range = index.eventRange(rangeId);
    if (range !== undefined && streamIdsOf(cameraId).includes(range.streamId)) return range;
    throw appError('not_found', 'no such event', { rangeId });
  };

  app.get(
    '/api/cameras/:cameraId/event-ranges',
    {
      config: asking('event-ranges:read', resource),
      schema: {
        summary: 'Events that touch a span, by begin',
        params: cameraParams,
        querystring: rangeQuery,
        response: { 200: z.object({ ranges: z.array(rangeShape) }) },
      },
    },
    async (request) => {
      const { begin, end } = request.query;
      const span = requireSpan(begin, end, limits.completenessDaysMax * dayMs);
      const ranges = streamIdsOf(request.params.cameraId).flatMap((streamId) => index.eventsBetween(streamId, span));
      return { ranges: ranges.sort((a, b) => a.beginMs - b.beginMs).map(answerOf) };
    },
  );

  app.post(
    '/api/cameras/:cameraId/event-ranges',
    {
      config: asking('event-ranges:create', resource),
      schema: {
        summary: 'Mark that something happened: footage around it is kept as that of an event, also of the past',
        params: cameraParams,
        body: rangeInput,
        response: { 201: z.object({ id: z.string() }) },
      },
    },
    async (request, reply) => {
      const { cameraId } = request.params;
      const { id = randomUUID(), kind, begin, end, detail } = request.body;
      const camera = catalog.tables.cameras.find(cameraId);
      const streamId = camera?.streams.find((stream) => stream.role === 'main')?.id;
      if (streamId === undefined) throw appError('not_found', 'no such camera', { cameraId });
      const range = { rangeId: id, streamId, kind, source: 'api', beginMs: begin, endMs: end, detail };
      await keeper.markEvent(range);
      note(request, cameraId, 'event-ranges:create', { rangeId: id, kind, begin, end });
      return reply.code(201).send({ id });
    },
  );

  app.patch(
    '/api/cameras/:cameraId/event-ranges/:rangeId',
    {
      config: asking('event-ranges:update', resource),
      schema: {
        summary: 'End an event, or end it at another time',
        params: rangeParams,
        body: z.strictObject({ end: time }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { cameraId, rangeId } = request.params;
      requireRange(cameraId, rangeId);
      await keeper.endEvent(rangeId, request.body.end);
      note(request, cameraId, 'event-ranges:update', { rangeId, end: request.body.end });
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/api/cameras/:cameraId/event-ranges/:rangeId',
    {
      config: asking('event-ranges:delete', resource),
      schema: {
        summary: 'Take an event back: what only it marked goes as if nothing had happened',
        params: rangeParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { cameraId, rangeId } = request.params;
      requireRange(cameraId, rangeId);
      await keeper.removeEvent(rangeId);
      note(request, cameraId, 'event-ranges:delete', { rangeId });
      return reply.code(204).send(null);
    },
  );

  function note(request: FastifyRequest, cameraId: string, action: string, detail: AuditDetail): void {
    catalog.change(callerOf(request).actor, ({ note: write }) =>
      write({ action, resource: cameraResource(cameraId), detail }),
    );
    feed.changed('event-ranges');
  }
}

function answerOf({ rangeId, kind, source, beginMs, endMs, isCut, detail }: StoredEventRange) {
  return { id: rangeId, kind, source, beginMs, endMs: endMs ?? null, isCut, detail };
}
