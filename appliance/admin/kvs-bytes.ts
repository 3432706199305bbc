/**
 * Answers of the KVS API that are no JSON: the head at once, before there is a byte of the body, and the body as fast as the client
 * takes it. One that takes nothing is cut; one to whom there is nothing to send stays for as long as it likes.
 */

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KvsBytes } from '../../gateway/kvs/index.ts';

/** Writes in pieces of this size, so that a slow client shows that it takes something. */
const writeBytes = 64 * 1024;
/** TCP asks so often whether a client to whom nothing is sent is still there. */
const keepAliveProbeMs = 30_000;

/**
 * @param options.stallMs  a client that takes nothing for so long is cut
 * @param options.signal   aborted when the client is gone
 */
export async function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  options: {
    readonly head: Readonly<Record<string, string>>;
    readonly answer: KvsBytes;
    readonly signal: AbortSignal;
    readonly stallMs: number;
  },
): Promise<void> {
  const { head, answer, signal, stallMs } = options;
  const { contentType, byteLength, body } = answer;
  const length = byteLength === undefined ? {} : { 'content-length': byteLength };
  response.writeHead(200, { 'content-type': contentType, ...length, ...head });
  response.flushHeaders();
  request.resume();
  const { socket } = request;
  socket.setKeepAlive(true, keepAliveProbeMs);
  // The server's own timeout is for connections on which nothing happens. It is back with the next request of this one.
  socket.setTimeout(0);
  for await (const bytes of body) {
    for (let at = 0; at < bytes.length; at += writeBytes) {
      if (signal.aborted) return;
      if (response.write(bytes.subarray(at, at + writeBytes))) continue;
      // Counts from the last byte that moved, and ends the connection.
      socket.setTimeout(stallMs);
      await once(response, 'drain', { signal }).catch(() => {});
      socket.setTimeout(0);
    }
  }
  if (signal.aborted) return;
  // What is still to be taken.
  socket.setTimeout(stallMs);
  response.end();
}
