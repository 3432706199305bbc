/** Counts what our own routes send of streams: media and pictures, by what the connection has written meanwhile. */

import { callerOf } from './caller.ts';
import type { App } from './http-app.ts';
import type { UsageBook } from './usage-book.ts';

/** Last part of a route's path, and how its bytes are called. */
const protocols: readonly (readonly [part: RegExp, protocol: string])[] = [
  [/^(?:\/api\/streams\/:streamId\/hls|\/hls\/v1\/:streamId)\//, 'hls'],
  [/\/image\.jpg$/, 'image'],
  [/\/clip/, 'clip'],
];

export function addUsageHook(app: App, book: Pick<UsageBook, 'note'>): void {
  app.addHook('onRequest', async (request, reply) => {
    const { streamId } = request.params as { readonly streamId?: string };
    const url = request.routeOptions.url ?? '';
    const protocol = protocols.find(([part]) => part.test(url))?.[1];
    if (streamId === undefined || protocol === undefined) return;
    const { socket } = request.raw;
    const before = socket.bytesWritten;
    reply.raw.once('close', () => {
      // A stream that is not there is answered too, and is nobody's.
      if (reply.statusCode >= 400) return;
      const { kind, id } = callerOf(request).subject;
      book.note({
        ...{ streamId, direction: 'out', protocol, subject: { kind, id } },
        bytes: socket.bytesWritten - before,
      });
    });
  });
}
