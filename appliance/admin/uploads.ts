/**
 * Routes whose body is a file: it may take as long as its sender keeps sending. The server's deadline for a whole request is for
 * all others; a connection on which nothing moves ends by the idle timeout like any.
 */

import type { Socket } from 'node:net';
import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify';

const key = Symbol('upload');

/** Added to a route's `config`. */
export const uploading = { [key]: true } as FastifyContextConfig;

/** Connections on which an upload is under way. */
export class Uploads {
  readonly #sockets = new WeakSet<Socket>();

  /** To be called for each request. */
  note(request: FastifyRequest, reply: FastifyReply): void {
    if ((request.routeOptions.config as { [key]?: true })[key] !== true) return;
    const { socket } = request.raw;
    this.#sockets.add(socket);
    reply.raw.once('close', () => this.#sockets.delete(socket));
  }

  has(socket: Socket): boolean {
    return this.#sockets.has(socket);
  }
}
