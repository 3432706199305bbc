/** Legal holds: footage that retention must pass by, who ordered it and why. The keeper keeps them. */

import { z } from 'zod';
import { appError } from '../../../storage/base/errors.ts';
import { isHoldActive } from '../../../storage/index/index.ts';
import { asking, askingEach } from '../access.ts';
import type { Resource } from '../authoriser.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { streamResource } from '../resources.ts';
import { idParam } from '../shapes.ts';
import { time } from '../times.ts';
import { requireStream } from './streams.ts';

const holdShape = z.object({
  id: z.string(),
  streamId: z.string().nullable().describe('null: all streams'),
  beginMs: z.number(),
  endMs: z.number().nullable().describe('null: also all that is still to come'),
  who: z.string(),
  reason: z.string(),
  untilMs: z.number().nullable(),
  createdMs: z.number(),
  releasedMs: z.number().nullable(),
  releasedBy: z.string().nullable(),
  isActive: z.boolean(),
});

const holdInput = z.strictObject({
  streamId: idParam.nullable(),
  begin: time,
  end: time.nullable().default(null),
  reason: z.string().min(3).max(500),
  until: time.nullable().default(null),
});

/** What a hold is to the authoriser: its stream's resource, or all cameras. */
export function holdResource({ catalog }: Pick<Context, 'catalog'>, streamId: string | null | undefined): Resource {
  return streamId == null ? 'camera' : streamResource(catalog, streamId);
}

export function addHoldRoutes(app: App, context: Context): void {
  const { catalog, clock, feed, index, keeper } = context;
  const resourceOf = (streamId: string | null | undefined) => holdResource(context, streamId);

  app.get(
    '/api/holds',
    {
      config: askingEach('holds:read'),
      schema: { summary: 'Legal holds, released ones too', response: { 200: z.object({ holds: z.array(holdShape) }) } },
    },
    async (request) => {
      const caller = callerOf(request);
      const nowMs = clock.wallMs();
      const holds = index.holdsOf(undefined).filter((hold) => caller.may('holds:read', resourceOf(hold.streamId)));
      return {
        holds: holds.map((hold) => ({
          id: hold.holdId,
          streamId: hold.streamId ?? null,
          beginMs: hold.beginMs,
          endMs: hold.endMs ?? null,
          who: hold.who,
          reason: hold.why,
          untilMs: hold.untilMs ?? null,
          createdMs: hold.createdMs,
          releasedMs: hold.releasedMs ?? null,
          releasedBy: hold.releasedBy ?? null,
          isActive: isHoldActive(hold, nowMs),
        })),
      };
    },
  );

  app.post(
    '/api/holds',
    {
      config: askingEach('holds:create'),
      schema: {
        summary: 'Keep footage whatever its age, and however full the disk',
        body: holdInput,
        response: { 201: z.object({ id: z.string() }) },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { streamId, begin, end, reason, until } = request.body;
      if (streamId !== null) requireStream(context, streamId);
      caller.require('holds:create', resourceOf(streamId));
      if (end !== null && end <= begin) {
        throw appError('invalid_argument', 'the range ends before it begins', { field: 'end' });
      }
      const holdId = await keeper.hold({
        streamId: streamId ?? undefined,
        beginMs: begin,
        endMs: end ?? undefined,
        who: caller.subject.name,
        why: reason,
        untilMs: until ?? undefined,
      });
      catalog.change(caller.actor, ({ note }) =>
        note({ action: 'holds:create', resource: resourceOf(streamId), detail: { holdId, reason, begin, end } }),
      );
      feed.changed('holds');
      return reply.code(201).send({ id: holdId });
    },
  );

  app.delete(
    '/api/holds/:holdId',
    {
      config: asking('holds:delete', 'hold'),
      schema: {
        summary: 'Release a hold: its footage falls under retention again',
        params: z.strictObject({ holdId: z.string().regex(/^[\w-]{1,64}$/) }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { holdId } = request.params;
      await keeper.release(holdId, caller.subject.name);
      catalog.change(caller.actor, ({ note }) =>
        note({ action: 'holds:delete', resource: 'hold', detail: { holdId } }),
      );
      feed.changed('holds');
      return reply.code(204).send(null);
    },
  );
}
