/**
 * Where publishers arrive: one port for all, and which stream a key belongs to. It knows keys by their SHA-256 alone, names none in
 * any log, and goes on trying while another program has its port: recording of other cameras never waits for it.
 */

import { createHash } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { addressGroup } from '../../storage/base/address-group.ts';
import { Arrivals } from '../../storage/base/arrivals.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, errnoOf, toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { placeToGiveUp } from '../../storage/base/places.ts';
import { Backoff } from '../../storage/base/retry.ts';
import type { SharedReads } from '../rtsp/index.ts';
import { type ConnectionOwner, RtmpConnection } from './connection.ts';
import { ends } from './ends.ts';
import { rtmpLimits } from './limits.ts';

export type RtmpListenerOptions = {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** PEM, asked for at each RTMPS connection, so that a renewed certificate is taken at once. Without it there is no RTMPS. */
  readonly identity?: (() => Promise<{ readonly key: string; readonly cert: string }>) | undefined;
};

/** A connection that waits for its turn reads one piece into its queue and no more: the kernel holds the rest, and wakes nobody. */
const queueBytes = 1;

/** Content type of a TLS record that carries a handshake (RFC 8446, 5.1): no RTMP version. */
const tlsHandshake = 0x16;

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
  /** Of which no byte has come yet, or which agree on TLS. */
  readonly #arriving = new Set<Socket>();
  readonly #connections = new Set<RtmpConnection>();
  /** Told why not, and still open: for as long as they are they count as strangers. */
  readonly #leaving = new Set<RtmpConnection>();
  readonly #arrivals: Arrivals;
  readonly #claimants = new Map<string, Claimant>();
  /** Connections that wait to be taken or refused, newest per key. */
  readonly #parked = new Map<string, { readonly connection: RtmpConnection; readonly cancel: () => void }>();
  readonly #retryBackoff: Backoff;
  #server: Server | undefined;
  #fault: string | undefined = 'it was not started yet';
  #refused = 0;
  /** Made once of a certificate: parsing its key costs more than the handshake. */
  #secureContext: { readonly key: string; readonly cert: string; readonly context: SecureContext } | undefined;

  constructor(
    deps: { readonly clock: Clock; readonly log: Log; readonly random: () => number; readonly reads: SharedReads },
    options: RtmpListenerOptions,
  ) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#reads = deps.reads;
    this.#options = options;
    this.#arrivals = new Arrivals(deps, rtmpLimits.arrivals);
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

  get stats() {
    const publishers = [...this.#connections].filter((connection) => connection.isPublishing).length;
    return {
      connections: this.#arriving.size + this.#connections.size + this.#leaving.size,
      publishers,
      refused: this.#refused,
    };
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
    if (connection.isOpen) this.#leaving.add(connection);
    for (const [key, parked] of this.#parked) {
      if (parked.connection !== connection) continue;
      parked.cancel();
      this.#parked.delete(key);
    }
    this.#log.debug('rtmp connection ended', { peer: connection.peer, why });
  }

  gone(connection: RtmpConnection): void {
    this.#leaving.delete(connection);
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
    const { address, port } = this.#options;
    try {
      const server = createServer({ noDelay: true, highWaterMark: queueBytes }, (socket) => this.#accept(socket));
      server.maxConnections = rtmpLimits.connectionsMax + rtmpLimits.strangersMax;
      await opened(server, address, port);
      server.on('error', (error) => this.#log.warn('rtmp port reports an error', { error: toAppError(error) }));
      this.#server = server;
      this.#fault = undefined;
      this.#log.info('rtmp port is open', { address, port: this.port });
      return true;
    } catch (error) {
      const text = errnoOf(error) === 'EADDRINUSE' ? 'another program has the port' : toAppError(error).message;
      if (this.#fault !== text)
        this.#log.error('rtmp port cannot be opened', { address, port, error: toAppError(error) });
      this.#fault = text;
      return false;
    }
  }

  /** The first byte tells RTMP and RTMPS apart. */
  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (!this.#isWelcome(socket)) {
      this.#refused++;
      this.#log.counted('rtmp connection refused: too many are open', 1, { address: socket.remoteAddress });
      socket.destroy();
      return;
    }
    this.#arriving.add(socket);
    const cancel = this.#clock.after(rtmpLimits.handshakeTimeoutMs, () => socket.destroy());
    const arrived = () => {
      cancel();
      this.#arriving.delete(socket);
    };
    socket.once('close', arrived);
    socket.once('data', (bytes) => {
      socket.pause();
      socket.unshift(bytes);
      if (bytes[0] === tlsHandshake) this.#secure(socket, arrived);
      else this.#begin(socket, arrived);
    });
  }

  #secure(socket: Socket, arrived: () => void): void {
    const identity = this.#options.identity?.() ?? Promise.reject(appError('unimplemented', 'there is no RTMPS here'));
    identity
      .then((pem) => {
        const secured = new TLSSocket(socket, { isServer: true, secureContext: this.#contextOf(pem) });
        secured.on('error', () => secured.destroy());
        secured.once('secure', () => this.#begin(secured, arrived));
      })
      .catch((error: unknown) => {
        this.#log.counted('rtmps connection refused: no certificate', 1, { error: toAppError(error) });
        socket.destroy();
      });
  }

  #contextOf({ key, cert }: { readonly key: string; readonly cert: string }): SecureContext {
    if (this.#secureContext?.key !== key || this.#secureContext.cert !== cert) {
      this.#secureContext = { key, cert, context: createSecureContext({ key, cert }) };
    }
    return this.#secureContext.context;
  }

  #begin(socket: Socket, arrived: () => void): void {
    arrived();
    if (socket.destroyed || this.#lifetime.signal.aborted) return;
    const connection = new RtmpConnection({ clock: this.#clock, reads: this.#reads, owner: this }, { socket });
    this.#connections.add(connection);
    connection.start();
  }

  /** Those that have shown no key are few in all and from one address, so that they cannot keep publishers out. */
  #isWelcome(socket: Socket): boolean {
    const group = groupOf(socket);
    if (!this.#arrivals.takes(group) || this.stats.connections >= rtmpLimits.connectionsMax) return false;
    const strangers = [...this.#arriving, ...this.#connections, ...this.#leaving].filter(
      (one) => !(one instanceof RtmpConnection && one.isPublishing),
    );
    const ofGroup = strangers.filter((one) => groupOf(one) === group).length;
    if (ofGroup >= rtmpLimits.strangersOfAddressMax) return false;
    return strangers.length < rtmpLimits.strangersMax || this.#makeRoom(ofGroup);
  }

  /** Ends a stranger of an address that has more of them than the newcomer's. */
  #makeRoom(ofGroup: number): boolean {
    const strangers = [...this.#connections, ...this.#arriving].filter(
      (one) => !(one instanceof RtmpConnection && one.isPublishing),
    );
    const leaver = placeToGiveUp(strangers, groupOf, { newcomerHas: ofGroup });
    if (leaver instanceof RtmpConnection) leaver.end(ends.lost('it made room for others'));
    else leaver?.destroy();
    return leaver !== undefined;
  }

  async #closeAll(): Promise<void> {
    const server = this.#server;
    for (const { cancel } of this.#parked.values()) cancel();
    this.#parked.clear();
    for (const socket of this.#arriving) socket.destroy();
    for (const connection of [...this.#connections]) connection.end(ends.shutdown);
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

function groupOf({ remoteAddress = '' }: { readonly remoteAddress?: string | undefined }): string {
  return addressGroup(remoteAddress);
}

/** The last part of what the encoder calls the stream's name, without a query: some write the whole path there. */
function keyOf(streamName: string): string {
  const path = streamName.split('?', 1)[0] ?? '';
  return path.slice(path.lastIndexOf('/') + 1);
}

function opened(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
