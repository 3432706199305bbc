/**
 * The door for whoever is on the machine: HTTP over a Unix socket that only we and root may open. Its connections act as
 * admin without a password, which is what the command line uses; the operating system has asked them already.
 */

import { chmod, mkdir, unlink } from 'node:fs/promises';
import type { Server as HttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { appError, errnoOf } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';

/** A command line opens one each; a script that leaks them must not take the descriptors of viewers. */
const connectionsMax = 50;

export class LocalDoor {
  readonly #http: HttpServer;
  readonly #path: string;
  readonly #lifetime = new Lifetime();
  readonly #sockets = new Set<object>();

  constructor({ http }: { readonly http: HttpServer }, options: { readonly path: string }) {
    this.#http = http;
    this.#path = options.path;
  }

  /** True for connections that came through this door. */
  readonly isLocal = (socket: object): boolean => this.#sockets.has(socket);

  async start(): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    // What a killed process left; two `serve` of one data directory are the supervisor's to prevent.
    await unlink(this.#path).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    const server = createServer((socket) => this.#onConnection(socket));
    server.maxConnections = connectionsMax;
    const before = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', (error) =>
          reject(appError('unavailable', 'cannot listen on the local socket', { path: this.#path, cause: error })),
        );
        server.listen(this.#path, resolve);
      });
    } finally {
      process.umask(before);
    }
    await chmod(this.#path, 0o600);
    this.#lifetime.defer(
      () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          for (const socket of this.#sockets) (socket as Socket).destroy();
        }),
    );
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  #onConnection(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    this.#http.emit('connection', socket);
  }
}
