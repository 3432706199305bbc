/**
 * Requests of the KVS API whose body is media: head at once, then the body in and lines out at the same time, for as long as the
 * producer sends. After the last line the connection ends; what a producer still sends by then is read on for a while, since one that
 * writes without reading would lose the answer with a connection that is reset.
 */

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { KvsExchange } from '../../gateway/kvs/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { adminLimits } from './limits.ts';

type Head = Readonly<Record<string, string>>;

export class KvsExchanges {
  readonly #clock: Clock;
  readonly #sockets = new WeakSet<Socket>();
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** True while a body is under way on this connection: the server's deadline for whole requests is for others. */
  has(socket: Socket): boolean {
    return this.#sockets.has(socket);
  }

  /** Lets producers know that they are to try elsewhere, or again. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#running);
  }

  /** Answers with what the exchange says, and ends the connection. */
  run(
    request: IncomingMessage,
    response: ServerResponse,
    options: { readonly head: Head; readonly exchange: KvsExchange; readonly signal: AbortSignal },
  ): Promise<void> {
    const running = this.#run(request, response, options).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /** Reads on after an answer, within bounds, and ends the connection. */
  async linger(request: IncomingMessage): Promise<void> {
    const { socket } = request;
    const { kvsLingerBytesMax } = adminLimits;
    const isClosing = this.#closing.signal.aborted;
    const lingerMs = isClosing ? adminLimits.kvsClosingLingerMs : adminLimits.kvsLingerMs;
    if (!request.complete && !socket.destroyed) {
      const read = Promise.withResolvers<void>();
      let bytes = 0;
      request.on('data', (chunk: Uint8Array) => {
        bytes += chunk.length;
        if (bytes > kvsLingerBytesMax) read.resolve();
      });
      request.on('end', read.resolve).on('close', read.resolve).on('error', read.resolve);
      socket.on('close', read.resolve);
      const onClosing = () => read.resolve();
      if (!isClosing) this.#closing.signal.addEventListener('abort', onClosing, { once: true });
      const cancel = this.#clock.after(lingerMs, read.resolve);
      request.resume();
      await read.promise;
      cancel();
      this.#closing.signal.removeEventListener('abort', onClosing);
    }
    socket.destroySoon();
  }

  async #run(
    request: IncomingMessage,
    response: ServerResponse,
    { head, exchange, signal }: { readonly head: Head; readonly exchange: KvsExchange; readonly signal: AbortSignal },
  ): Promise<void> {
    const { socket } = request;
    this.#sockets.add(socket);
    response.writeHead(200, { 'content-type': exchange.contentType, ...head });
    response.flushHeaders();
    try {
      await exchange.run({
        body: request.iterator({ destroyOnReturn: false }),
        closing: this.#closing.signal,
        send: (line) => sendLine(response, line, signal),
      });
      response.end();
    } finally {
      this.#sockets.delete(socket);
    }
    await this.linger(request);
  }
}

/** One line is one chunk and one write: producers hand what they read to a parser that takes one of them. */
async function sendLine(response: ServerResponse, line: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted || response.destroyed) return;
  const hasRoom = response.write(line);
  // Node writes all of one turn together.
  await new Promise<void>((resolve) => void setImmediate(resolve));
  if (!hasRoom) await once(response, 'drain', { signal }).catch(() => {});
}
