/** Publishing by WebRTC: WHIP (RFC 9725). */

import type { Context } from '../context.ts';
import type { App } from '../http-app.ts';
import { whipPrefix } from '../identify.ts';
import { addLiveSessionRoutes } from '../live-session-routes.ts';

export function addWhipRoutes(app: App, context: Context): void {
  addLiveSessionRoutes(app, context, {
    prefix: whipPrefix,
    action: 'streams:publish',
    summary: {
      post: 'WHIP: an offer of a publisher (application/sdp) of H.264 and Opus to a camera of the source kind "whip" is answered; Location is the session. Bearer: the stream key, or a token',
      patch: 'WHIP session: trickled candidates, or an ICE restart (application/trickle-ice-sdpfrag, If-Match)',
      delete: 'WHIP session: stop',
    },
    sessions: ({ whip }) => whip.sessions,
    open: ({ whip }, request, { subject }) =>
      whip.open({ ...request, ...(subject.kind === 'stream-key' ? { keySha256: subject.id } : {}) }),
  });
}
