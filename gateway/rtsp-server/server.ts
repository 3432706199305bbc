/**
 * RTSP out: any stream, live and recorded, for players and other recorders. One port for plain connections and TLS, told apart
 * by their first byte. Never decides who may watch: the gate does.
 */

import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { Arrivals } from '../../storage/base/arrivals.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, errnoOf, toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { placeToGiveUp } from '../../storage/base/places.ts';
import type { FragmentSource } from '../playback/index.ts';
import { LiveFeeds, type LiveFeedsDeps } from '../rtp/index.ts';
import { RtspServerConnection } from './connection.ts';
import type { RtspGate } from './gate.ts';
import { rtspServerLimits } from './limits.ts';
import type { RecordedBytes } from './play/recorded-player.ts';
import { UdpPorts } from './udp-ports.ts';

export type RtspServerDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** Cryptographically random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly gate: RtspGate;
  readonly laneOf: LiveFeedsDeps['laneOf'];
  readonly source: FragmentSource;
  /** Undefined: no RTSPS. */
  readonly tls: undefined | RtspTls;
  /** What an address counts as: itself, or the network that one customer has. */
  readonly groupOf: (address: string) => string;
};

export type RtspTls = {
  readonly identity: () => { readonly key: string; readonly cert: string };
  readonly onRenewed: (callback: () => void) => () => void;
};

export type RtspServerOptions = {
  /** Undefined listens on all addresses. */
  readonly host: string | undefined;
  /** 0 takes any free port. */
  readonly port: number;
  /** RTP's UDP port, even; RTCP has the next. Undefined takes any free pair. */
  readonly udpPort: number | undefined;
};

type Peer = {
  readonly socket: Socket;
  /** What its address counts as. */
  readonly group: string;
  /** Undefined until its first byte told what it speaks. */
  connection: RtspServerConnection | undefined;
};

/** Content type of a TLS record that carries a handshake (RFC 8446, 5.1). */
const tlsHandshake = 0x16;
const tickMs = 1_000;

export class RtspServer {
  readonly #deps: RtspServerDeps;
  readonly #options: RtspServerOptions;
  readonly #lifetime = new Lifetime();
  readonly #feeds: LiveFeeds;
  readonly #udp: UdpPorts;
  readonly #recordedBytes: RecordedBytes = { used: 0 };
  readonly #arrivals: Arrivals;
  /** By peer, since a TLS socket is another object than the connection it came in by. */
  readonly #peers = new Map<string, Peer>();
  #tls: TlsServer | undefined;
  #port = 0;
  #accepted = 0;
  #refused = 0;
  #droppedUnits = 0;

  constructor(deps: RtspServerDeps, options: RtspServerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#arrivals = new Arrivals(deps, rtspServerLimits.arrivals);
    this.#feeds = new LiveFeeds(deps, { limits: rtspServerLimits.feeds });
    this.#udp = new UdpPorts(deps, { port: options.udpPort, host: options.host });
  }

  /** The port that it listens on. */
  get port(): number {
    return this.#port;
  }

  /** Now: connections, readers that play and watched streams; since the start: connections let in and refused, units dropped. */
  get stats() {
    const connections = this.#connections();
    return {
      connections: this.#peers.size,
      readers: connections.filter((connection) => connection.isPlaying).length,
      feeds: this.#feeds.size,
      accepted: this.#accepted,
      refused: this.#refused,
      droppedUnits: this.#droppedUnits,
      queuedBytes: connections.reduce((sum, connection) => sum + connection.queuedBytes, 0),
    };
  }

  /** @throws AppError unavailable  the port is taken */
  async start(): Promise<void> {
    const { clock, tls } = this.#deps;
    if (tls !== undefined) {
      const server = createTlsServer({
        ...tls.identity(),
        minVersion: 'TLSv1.2',
        handshakeTimeout: rtspServerLimits.firstRequestMs,
      });
      server.on('secureConnection', (socket) => this.#begin(socket, { isEncrypted: true }));
      server.on('tlsClientError', (_error, socket) => socket.destroy());
      this.#tls = server;
      this.#lifetime.defer(tls.onRenewed(() => server.setSecureContext({ ...tls.identity(), minVersion: 'TLSv1.2' })));
    }
    const server = createServer({ noDelay: true }, (socket) => this.#onSocket(socket));
    this.#port = await listen(server, this.#options);
    this.#lifetime.own(this.#udp);
    this.#lifetime.own(this.#feeds);
    this.#lifetime.defer(() => this.#closeServer(server));
    this.#lifetime.defer(clock.every(tickMs, () => this.#tick()));
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  #onSocket(socket: Socket): void {
    socket.on('error', () => {});
    const address = plainAddress(socket);
    const group = this.#deps.groupOf(address);
    if (!this.#arrivals.takes(group) || !this.#isWelcome(address, group)) {
      this.#refused++;
      this.#deps.log.counted('rtsp connections refused: too many', 1, { address });
      socket.destroy();
      return;
    }
    this.#accepted++;
    const peer = peerOf(socket);
    const entry: Peer = { socket, group, connection: undefined };
    this.#peers.set(peer, entry);
    const cancel = this.#deps.clock.after(rtspServerLimits.firstRequestMs, () => socket.destroy());
    socket.once('close', () => {
      cancel();
      if (this.#peers.get(peer) === entry) this.#peers.delete(peer);
    });
    socket.once('data', (chunk: Uint8Array) => {
      cancel();
      socket.pause();
      socket.unshift(chunk);
      if (chunk[0] === tlsHandshake && this.#tls !== undefined) this.#tls.emit('connection', socket);
      else this.#begin(socket, { isEncrypted: false });
    });
  }

  #begin(socket: Socket, { isEncrypted }: { readonly isEncrypted: boolean }): void {
    const entry = this.#peers.get(peerOf(socket));
    if (entry === undefined) {
      socket.destroy();
      return;
    }
    const { clock, log, random, gate, source } = this.#deps;
    const address = plainAddress(socket);
    const requestId = Buffer.from(random(6)).toString('hex');
    entry.connection = new RtspServerConnection(
      {
        ...{ clock, log, random, gate, source, socket },
        feeds: this.#feeds,
        udp: this.#udp,
        recordedBytes: this.#recordedBytes,
        recordedSessions: () => this.#connections().filter((other) => other.isPlayingRecorded).length,
        onDropped: () => {
          this.#droppedUnits++;
        },
        onClosed: (why) => log.debug('rtsp connection closed', { requestId, address, why }),
      },
      { origin: { address, requestId, isEncrypted } },
    );
    entry.connection.start();
    socket.resume();
  }

  #isWelcome(address: string, group: string): boolean {
    let [strangers, ofGroup, strangersOfGroup] = [0, 0, 0];
    for (const peer of this.#peers.values()) {
      if (isStranger(peer)) strangers++;
      if (peer.group !== group) continue;
      ofGroup++;
      if (isStranger(peer)) strangersOfGroup++;
    }
    const { connectionsMax, connectionsPerAddressMax, strangersMax, strangersPerAddressMax } = rtspServerLimits;
    if (this.#peers.size >= connectionsMax) return false;
    // This machine itself may be a proxy, or a program that shows all cameras.
    const isAddressFull = ofGroup >= connectionsPerAddressMax || strangersOfGroup >= strangersPerAddressMax;
    if (isAddressFull && !isLoopback(address)) return false;
    return strangers < strangersMax || this.#makeRoom(strangersOfGroup);
  }

  /** Ends a stranger of an address that has more of them than the newcomer's. */
  #makeRoom(strangersOfGroup: number): boolean {
    const strangers = [...this.#peers].filter(([, peer]) => isStranger(peer));
    const leaver = placeToGiveUp(strangers, ([, { group }]) => group, { newcomerHas: strangersOfGroup });
    if (leaver === undefined) return false;
    const [name, { socket, connection }] = leaver;
    // At once: the next one that comes asks for another place.
    this.#peers.delete(name);
    if (connection === undefined) socket.destroy();
    else void connection.close('it made room for others');
    return true;
  }

  #tick(): void {
    const connections = this.#connections();
    for (const connection of connections) connection.tick();
    let queued = connections.reduce((sum, connection) => sum + connection.queuedBytes, 0);
    if (queued <= rtspServerLimits.readersBytesMax) return;
    for (const connection of connections.sort((a, b) => b.queuedBytes - a.queuedBytes)) {
      if (queued <= rtspServerLimits.readersBytesMax) return;
      queued -= connection.queuedBytes;
      void connection.close('too much waits for all readers, and most for it');
    }
  }

  #connections(): RtspServerConnection[] {
    return [...this.#peers.values()].flatMap(({ connection }) => (connection === undefined ? [] : [connection]));
  }

  async #closeServer(server: Server): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const connections = this.#connections();
    for (const { socket } of this.#peers.values()) socket.destroy();
    await Promise.all(connections.map((connection) => connection.close('the server ends')));
    await closed;
  }
}

function listen(
  server: Server,
  { host, port }: { readonly host: string | undefined; readonly port: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const isTaken = errnoOf(error) === 'EADDRINUSE';
      const hint = 'another program listens there: set rtsp.port to another one, or rtsp.enabled to false';
      reject(isTaken ? appError('unavailable', `port ${port} is taken`, { cause: error, hint }) : toAppError(error));
    });
    server.listen({ host, port }, () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function isStranger({ connection }: Peer): boolean {
  return connection?.isStranger ?? true;
}

function plainAddress(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
