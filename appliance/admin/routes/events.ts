/** `/api/events`: the page's live news. */

import { askingEach } from '../access.ts';
import { callerOf } from '../caller.ts';
import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';

export function addEventRoute(app: App, { feed }: Context): void {
  app.get(
    '/api/events',
    { websocket: true, config: askingEach('events:read'), schema: { hide: true } },
    (socket, request) => feed.add(socket, callerOf(request)),
  );
}
