/** A live stream over a WebSocket: fMP4 parts for media source extensions. */

import { z } from 'zod';
import { asking } from '../access.ts';
import { type Caller, callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { pathPart, streamResource } from '../resources.ts';
import { requireStream, streamParams } from './streams.ts';

export function addLiveRoute(app: App, context: Context): void {
  const { catalog, liveViews, refresh, usage } = context;
  const permissionOf = (caller: Caller, streamId: string) => {
    const now = refresh(caller);
    if (now === undefined) return 'logged-out' as const;
    return now.may('streams:view', streamResource(catalog, streamId)) ? ('granted' as const) : ('denied' as const);
  };
  app.get(
    '/api/streams/:streamId/live',
    {
      websocket: true,
      config: asking('streams:view', (request) => streamResource(catalog, pathPart(request, 'streamId'))),
      schema: {
        summary:
          'WebSocket: what follows as JSON text, an fMP4 initialization, then parts as they arrive; with ?video=h264 H.265 is refused',
        params: streamParams,
        querystring: z.strictObject({ video: z.enum(['original', 'h264']).default('original') }),
      },
      // Before the upgrade: afterwards there are no answers.
      preHandler: async (request) => {
        requireStream(context, request.params.streamId);
      },
    },
    (socket, request) => {
      const { streamId } = request.params;
      const caller = callerOf(request);
      const { kind, id } = caller.subject;
      liveViews.add(socket, {
        streamId,
        account: `${kind} ${id}`,
        canPlayH265: request.query.video === 'original',
        permission: () => permissionOf(caller, streamId),
        onSent: usage.counter({ streamId, direction: 'out', protocol: 'live', subject: { kind, id } }),
      });
    },
  );
}
