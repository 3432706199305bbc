/** Live view by WebRTC: WHEP. */

import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { whepPrefix } from '../identify.ts';
import { addLiveSessionRoutes } from '../live-session-routes.ts';

export function addWhepRoutes(app: App, context: Context): void {
  addLiveSessionRoutes(app, context, {
    prefix: whepPrefix,
    action: 'streams:view',
    summary: {
      post: 'WHEP: an offer of a viewer (application/sdp) to <stream>, <camera> or <camera>/sub is answered; Location is the session',
      patch: 'WHEP session: trickled candidates, or an ICE restart (application/trickle-ice-sdpfrag, If-Match)',
      delete: 'WHEP session: leave',
    },
    sessions: ({ whep }) => whep.sessions,
    open: ({ whep }, request) => whep.open(request),
  });
}
