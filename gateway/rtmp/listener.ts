/**
 * Where publishers arrive: one port for all, and which stream a key belongs to. It knows keys by their SHA-256 alone, names none in
 * any log, and goes on trying while another program has its port: recording of other cameras never waits for it.
 */

import { createHash } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Clock } from '../../storage/base/clock.ts';
import { errnoOf, toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { Backoff } from '../../storage/base/retry.ts';
import type { SharedReads } from '../rtsp/index.ts';
import { type ConnectionOwner, RtmpConnection } from './connection.ts';
import { ends } from './ends.ts';
import { rtmpLimits } from './limits.ts';

export type RtmpListenerOptions = {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** PEM; with it the port speaks RTMPS alone. */
  readonly tls?: () => { readonly key: string; readonly cert: string };
};

/** A stream that waits for its publisher, or has one. */
export type Claimant = {
  /** Takes the connection: it has the key. */
  claim(connection: RtmpConnection): void;
  /** Since when nothing came from the publisher it has, on `Clock.monotonicMs`; undefined while it waits for one. */
  readonly silentSinceMs: number | undefined;
  /** Its publisher is replaced: ends that session, so that the stream waits again. */
  replace(): void;
};

export class RtmpListener implements ConnectionOwner {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #reads: SharedReads;
  readonly #options: RtmpListenerOptions;
  readonly #lifetime = new Lifetime();
  readonly #connections = new Set<RtmpConnection>();
  readonly #claimants = new Map<string, Claimant>();
  /** Connections that wait to be taken or refused, newest per key. */
  readonly #parked = new Map<string, { readonly connection: RtmpConnection; readonly cancel: () => void }>();
  readonly #retryBackoff: Backoff;
  #server: Server | TlsServer | undefined;
  #fault: string | undefined = 'it was not started yet';
  #refused = 0;

  constructor(
    deps: { readonly clock: Clock; readonly log: Log; readonly random: () => number; readonly reads: SharedReads },
    options: RtmpListenerOptions,
  ) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#reads = deps.reads;
    this.#options = options;
    this.#retryBackoff = new Backoff({ firstDelayMs: 1_000, delayMsMax: 10_000, random: deps.random });
  }

  /** Why nobody can publish at the moment; undefined while the port is open. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** The port that is open, or the one that is wanted. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  get scheme(): 'rtmp' | 'rtmps' {
    return this.#options.tls === undefined ? 'rtmp' : 'rtmps';
  }

  get stats() {
    const publishers = [...this.#connections].filter((connection) => connection.isPublishing).length;
    return { connections: this.#connections.size, publishers, refused: this.#refused };
  }

  /** Opens the port; where that fails it is tried again by itself, and `fault` says why. */
  async start(): Promise<void> {
    this.#lifetime.defer(() => this.#closeAll());
    if (await this.#listen()) return;
    this.#lifetime.loop(async (signal) => {
      do await this.#clock.sleep(this.#retryBackoff.nextDelayMs(), signal);
      while (!(await this.#listen()));
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /**
   * A stream waits for whoever has its key.
   *
   * @param keySha256  hexadecimal, lower case
   * @returns how it stops to wait; to be called when its session is over, too
   */
  expect(keySha256: string, claimant: Claimant): () => void {
    this.#claimants.set(keySha256, claimant);
    const parked = this.#parked.get(keySha256);
    if (parked !== undefined) {
      this.#parked.delete(keySha256);
      parked.cancel();
      claimant.claim(parked.connection);
    }
    return () => {
      if (this.#claimants.get(keySha256) === claimant) this.#claimants.delete(keySha256);
    };
  }

  publishAsked(connection: RtmpConnection, streamName: string): void {
    const keySha256 = createHash('sha256').update(keyOf(streamName)).digest('hex');
    const claimant = this.#claimants.get(keySha256);
    if (claimant !== undefined && claimant.silentSinceMs === undefined) {
      claimant.claim(connection);
      return;
    }
    this.#park(keySha256, connection);
    this.#takeOver(keySha256);
  }

  closed(connection: RtmpConnection, why: string): void {
    this.#connections.delete(connection);
    for (const [key, parked] of this.#parked) {
      if (parked.connection !== connection) continue;
      parked.cancel();
      this.#parked.delete(key);
    }
    this.#log.debug('rtmp connection ended', { peer: connection.peer, why });
  }

  /**
   * Holds a connection that cannot be taken now. Its stream may be between two sessions; an encoder that lost its connection is back
   * before the old one is known to be dead; and whoever guesses keys waits for each.
   */
  #park(keySha256: string, connection: RtmpConnection): void {
    const before = this.#parked.get(keySha256);
    const cancel = this.#clock.after(rtmpLimits.claimWaitMs, () => {
      if (this.#takeOver(keySha256)) return;
      this.#parked.delete(keySha256);
      const isTaken = this.#claimants.has(keySha256);
      this.#refuse(
        connection,
        isTaken ? 'another publisher sends with this stream key' : 'no camera has this stream key',
      );
    });
    this.#parked.set(keySha256, { connection, cancel });
    if (before === undefined) return;
    before.cancel();
    this.#refuse(before.connection, 'another publisher came with the same stream key');
  }

  /** Where the publisher of a stream sends nothing more, the one that is parked is its next: `expect` hands it over. */
  #takeOver(keySha256: string): boolean {
    const claimant = this.#claimants.get(keySha256);
    if (claimant?.silentSinceMs === undefined) return false;
    if (this.#clock.monotonicMs() - claimant.silentSinceMs < rtmpLimits.claimWaitMs) return false;
    claimant.replace();
    return true;
  }

  #refuse(connection: RtmpConnection, description: string): void {
    this.#refused++;
    this.#log.counted('rtmp publisher refused', 1, { peer: connection.peer, why: description });
    connection.refuse('NetStream.Publish.BadName', description);
  }

  async #listen(): Promise<boolean> {
    const { address, port, tls } = this.#options;
    const onConnection = (socket: Socket) => this.#accept(socket);
    try {
      const server =
        tls === undefined ? createServer({ noDelay: true }, onConnection) : createTlsServer(tls(), onConnection);
      // A stranger that begins no TLS is no open connection to us yet: Node ends it after this.
      if ('on' in server) server.on('tlsClientError', () => {});
      server.maxConnections = rtmpLimits.connectionsMax + rtmpLimits.strangersMax;
      await opened(server, address, port);
      server.on('error', (error) => this.#log.warn('rtmp port reports an error', { error: toAppError(error) }));
      this.#server = server;
      this.#fault = undefined;
      this.#log.info('rtmp port is open', { address, port: this.port, scheme: this.scheme });
      return true;
    } catch (error) {
      const text = errnoOf(error) === 'EADDRINUSE' ? 'another program has the port' : toAppError(error).message;
      if (this.#fault !== text)
        this.#log.error('rtmp port cannot be opened', { address, port, error: toAppError(error) });
      this.#fault = text;
      return false;
    }
  }

  #accept(socket: Socket): void {
    const { connections, publishers } = this.stats;
    if (connections >= rtmpLimits.connectionsMax || connections - publishers >= rtmpLimits.strangersMax) {
      this.#refused++;
      this.#log.counted('rtmp connection refused: too many are open', 1, { connections, publishers });
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    const connection = new RtmpConnection({ clock: this.#clock, reads: this.#reads, owner: this }, { socket });
    this.#connections.add(connection);
    connection.start();
  }

  async #closeAll(): Promise<void> {
    const server = this.#server;
    for (const { cancel } of this.#parked.values()) cancel();
    this.#parked.clear();
    for (const connection of [...this.#connections]) connection.end(ends.shutdown);
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** The last part of what the encoder calls the stream's name, without a query: some write the whole path there. */
function keyOf(streamName: string): string {
  const path = streamName.split('?', 1)[0] ?? '';
  return path.slice(path.lastIndexOf('/') + 1);
}

function opened(server: Server | TlsServer, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
