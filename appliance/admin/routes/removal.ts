/** Removing recordings before their time, because a person asked for it. What is under a hold stays. */

import { z } from 'zod';
import { asking } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { pathPart, streamResource } from '../resources.ts';
import { requireSpan, time } from '../times.ts';
import { requireStream, streamParams } from './streams.ts';

export function addRemovalRoute(app: App, context: Context): void {
  const { catalog, keeper } = context;
  app.delete(
    '/api/streams/:streamId/recordings',
    {
      // Not `streams:*`: whoever runs cameras should not be able to make footage of themselves disappear.
      config: asking('recordings:delete', (request) => streamResource(catalog, pathPart(request, 'streamId'))),
      schema: {
        summary: 'Remove the whole segments inside a range, but for those under a hold',
        params: streamParams,
        querystring: z.strictObject({ begin: time, end: time }),
        response: {
          200: z.object({
            removed: z.number().describe('segments, whose bytes go in 15 minutes'),
            held: z.number().describe('segments that a hold protects'),
          }),
        },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const { id: streamId } = requireStream(context, request.params.streamId);
      const span = requireSpan(request.query.begin, request.query.end, Number.MAX_SAFE_INTEGER);
      const answer = await keeper.removeRange({ streamId, ...span, who: caller.subject.name });
      catalog.change(caller.actor, ({ note }) => {
        const resource = streamResource(catalog, streamId);
        note({ action: 'recordings:delete', resource, detail: { ...span, removed: answer.removed } });
      });
      return answer;
    },
  );
}
