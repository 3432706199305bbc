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

export function addUsageHook(app: App, book: Pick<UsageBook, 'open'>): void {
  app.addHook('onRequest', async (request, reply) => {
    const { streamId } = request.params as { readonly streamId?: string };
    const url = request.routeOptions.url ?? '';
    const protocol = protocols.find(([part]) => part.test(url))?.[1];
    if (streamId === undefined || protocol === undefined) return;
    const { socket } = request.raw;
    const before = socket.bytesWritten;
    // A stream that is not there is answered too, and is nobody's. A clip of a day takes its time.
    const totalBytes = () => (reply.raw.headersSent && reply.raw.statusCode < 400 ? socket.bytesWritten - before : 0);
    const { kind, id } = callerOf(request).subject;
    const over = book.open({ streamId, direction: 'out', protocol, subject: { kind, id }, totalBytes });
    reply.raw.once('close', over);
  });
}
