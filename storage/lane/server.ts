/**
 * The server's end of the lane protocol: a Unix socket of one role. Answers requests by method, tells watchers a snapshot and
 * then hints and states, and carries live units in lanes. It knows neither streams nor sources: handlers do.
 */

import { chmod, mkdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { appError, errnoOf, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { SourceState } from '../model/camera.ts';
import type { Hint } from '../model/hint.ts';
import { limits } from '../model/limits.ts';
import { controlFrame } from './frames.ts';
import type { LaneHandlers } from './handlers.ts';
import { LaneBudget } from './lane-queue.ts';
import { ServerPeer } from './server-peer.ts';
import { hintToWire } from './wire.ts';

/** Socket files of one role: nobody but the appliance's own user may connect. */
const directoryMode = 0o700;
const socketMode = 0o600;

export class LaneServer {
  readonly #log: Log;
  readonly #handlers: LaneHandlers;
  readonly #path: string;
  readonly #role: string;
  readonly #budget = new LaneBudget();
  readonly #peers = new Set<ServerPeer>();
  #server: Server | undefined;
  #closed: Promise<void> | undefined;
  #droppedUnitsOfGone = 0;

  constructor(
    dependencies: { readonly log: Log; readonly handlers: LaneHandlers },
    options: { readonly path: string; readonly role: string },
  ) {
    this.#log = dependencies.log;
    this.#handlers = dependencies.handlers;
    this.#path = options.path;
    this.#role = options.role;
  }

  /** Bytes waiting in lanes, units that full lanes dropped since the start, and open lanes. */
  get stats(): { readonly lanes: number; readonly queuedBytes: number; readonly droppedUnits: number } {
    let lanes = 0;
    let droppedUnits = this.#droppedUnitsOfGone;
    for (const peer of this.#peers) {
      lanes += peer.lanes;
      droppedUnits += peer.droppedUnits;
    }
    return { lanes, queuedBytes: this.#budget.used, droppedUnits };
  }

  /**
   * Listens. A socket file that nobody serves any more is replaced.
   *
   * @throws AppError already_exists  another process serves this socket
   */
  async start(): Promise<void> {
    const directory = dirname(this.#path);
    await mkdir(directory, { recursive: true, mode: directoryMode });
    await chmod(directory, directoryMode);
    await this.#removeDeadSocket();
    const server = createServer({ noDelay: true }, (socket) => this.#onConnection(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(toAppError(error)));
      server.listen(this.#path, () => resolve());
    });
    server.removeAllListeners('error');
    server.on('error', (error) => this.#log.error('lane socket failed', { path: this.#path, error }));
    await chmod(this.#path, socketMode);
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      for (const peer of this.#peers) peer.close();
      if (this.#server === undefined) resolve();
      else this.#server.close(() => resolve());
    });
    return this.#closed;
  }

  /** Tells every watcher. */
  hint(hint: Hint): void {
    this.#tellWatchers(() => controlFrame({ type: 'hint', hint: hintToWire(hint) }));
  }

  /** Tells every watcher. */
  state(state: SourceState): void {
    this.#tellWatchers(() => controlFrame({ type: 'state', state }));
  }

  #tellWatchers(encode: () => Uint8Array): void {
    let frame: Uint8Array | undefined;
    for (const peer of this.#peers) {
      if (!peer.isWatching) continue;
      frame ??= encode();
      peer.news(frame);
    }
  }

  #onConnection(socket: Socket): void {
    if (this.#peers.size >= limits.laneConnectionsMax) {
      this.#log.counted('lane connection refused: too many peers');
      socket.destroy();
      return;
    }
    const peer = new ServerPeer(
      { log: this.#log, socket, handlers: this.#handlers, budget: this.#budget },
      { role: this.#role },
    );
    this.#peers.add(peer);
    socket.once('close', () => {
      this.#peers.delete(peer);
      this.#droppedUnitsOfGone += peer.droppedUnits;
    });
    peer.start();
  }

  async #removeDeadSocket(): Promise<void> {
    const isServed = await new Promise<boolean>((resolve) => {
      const probe = connect(this.#path);
      probe.once('connect', () => {
        probe.destroy();
        resolve(true);
      });
      probe.once('error', () => resolve(false));
    });
    if (isServed) {
      throw appError('already_exists', 'another process serves this socket', {
        path: this.#path,
        hint: 'stop the other appliance that uses this data directory',
      });
    }
    try {
      await unlink(this.#path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw toAppError(error);
    }
  }
}
