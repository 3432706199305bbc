/**
 * The one port: bytes come in, connections of an HTTP server go out. The first byte tells TLS from plain HTTP; the first
 * request head is read, within a deadline and a bound, before any HTTP server sees the connection, so that a raw route may
 * take it over byte for byte. Nothing of a request is decided here but who gets its connection.
 */

import type { Server as HttpServer } from 'node:http';
import { createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { addressGroup } from '../../storage/base/address-group.ts';
import { Arrivals } from '../../storage/base/arrivals.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, errnoOf } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { placeToGiveUp } from '../../storage/base/places.ts';
import { endWith, readFirst, refuseConnection } from './first-bytes.ts';
import { adminLimits } from './limits.ts';
import { parseRequestHead, type RequestHead, redirectTarget } from './request-head.ts';

/** Takes connections by their first request head: for protocols that no HTTP server should parse. */
export type RawRoute = {
  readonly matches: (head: RequestHead) => boolean;
  /** Owns the socket from here on; everything that was read has been put back. */
  readonly take: (socket: Socket, head: RequestHead) => void;
};

/** The certificate chain and key that clients see. */
export type ServerIdentity = { readonly key: string; readonly cert: string };

/** Content type of a TLS record that carries a handshake (RFC 8446, 5.1). */
const tlsHandshake = 0x16;

export type DispatcherDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** Gets connections by `emit('connection')`; never listens itself. */
  readonly http: HttpServer;
  /** Undefined: no TLS, for a server behind a proxy or on loopback. */
  readonly identity: ServerIdentity | undefined;
  readonly rawRoutes?: readonly RawRoute[];
  /**
   * PEM of an authority whose certificates clients are asked for. Any other one, or none, ends no handshake: whoever answers looks
   * at `authorized` of the socket.
   */
  readonly clientAuthorityPem?: string | undefined;
};

export type DispatcherOptions = {
  /** Undefined listens on all addresses. */
  readonly host?: string | undefined;
  /** 0 takes any free port. */
  readonly port: number;
  /** Plain HTTP from elsewhere than this machine; otherwise it is sent to https. */
  readonly isPlainAllowed: boolean;
};

export class Dispatcher {
  readonly #deps: DispatcherDeps;
  readonly #options: DispatcherOptions;
  readonly #lifetime = new Lifetime();
  readonly #sockets = new Set<Socket>();
  /** Connections that have not said what they want, by peer, with what their address counts as; oldest first. */
  readonly #undecided = new Map<string, { readonly socket: Socket; readonly group: string }>();
  /** How many connections each address has. */
  readonly #perAddress = new Map<string, number>();
  readonly #handshakes: Arrivals;
  readonly #tls: TlsServer | undefined;
  #port = 0;

  constructor(deps: DispatcherDeps, options: DispatcherOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#handshakes = new Arrivals(deps, adminLimits.handshakes);
    this.#tls =
      deps.identity &&
      createTlsServer({
        ...deps.identity,
        ...askingClients(deps.clientAuthorityPem),
        // KVS clients over HTTP/2 sign headers that they do not send.
        ALPNProtocols: ['http/1.1'],
        minVersion: 'TLSv1.2',
        handshakeTimeout: adminLimits.headTimeoutMs,
      });
  }

  /** The port that clients reach. */
  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    this.#tls?.on('secureConnection', (socket) => {
      socket.on('error', ignore);
      void this.#onHead(socket, { isRedirected: false });
    });
    // The client gave up or speaks something else: its own matter, and it knows.
    this.#tls?.on('tlsClientError', (error, socket) => {
      this.#deps.log.debug('tls handshake failed', { address: socket.remoteAddress, error });
      socket.destroy();
    });
    const server = createNetServer({ noDelay: true }, (socket) => void this.#onConnection(socket));
    server.maxConnections = adminLimits.connectionsMax;
    server.on('drop', () => this.#deps.log.counted('connections refused, too many are open'));
    this.#port = await listen(server, { host: this.#options.host, port: this.#options.port });
    this.#lifetime.defer(() => this.#closeServer(server));
  }

  /** New connections see the new certificate; open ones go on. */
  renew(identity: ServerIdentity): void {
    const { clientAuthorityPem: ca } = this.#deps;
    this.#tls?.setSecureContext({ ...identity, ...(ca === undefined ? {} : { ca }), minVersion: 'TLSv1.2' });
  }

  /** Stops listening, lets answers on their way end, then ends every connection. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  async #onConnection(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on('error', ignore);
    if (!this.#admit(socket)) return;
    const { clock } = this.#deps;
    const deadlineMs = clock.monotonicMs() + adminLimits.headTimeoutMs;
    try {
      const first = await readFirst(socket, (bytes) => bytes[0], { clock, deadlineMs, bytesMax: 1 });
      if (first === tlsHandshake && this.#tls !== undefined) this.#secure(socket, this.#tls);
      else await this.#onHead(socket, { isRedirected: this.#isPlainRefused(socket) });
    } catch (error) {
      refuseConnection(socket, error, clock);
    }
  }

  /** Begins TLS, unless its address began too much of it just now. This machine itself, where a proxy may be, is not counted. */
  #secure(socket: Socket, tls: TlsServer): void {
    const group = addressGroup(socket.remoteAddress ?? '');
    if (isLoopback(socket) || this.#handshakes.takes(group)) {
      tls.emit('connection', socket);
      return;
    }
    this.#deps.log.counted('connections refused, too many begin tls', 1, { address: group });
    socket.destroy();
  }

  async #onHead(socket: Socket, { isRedirected }: { readonly isRedirected: boolean }): Promise<void> {
    const { clock, http, rawRoutes = [] } = this.#deps;
    const deadlineMs = clock.monotonicMs() + adminLimits.headTimeoutMs;
    try {
      const head = await readFirst(socket, parseRequestHead, {
        clock,
        deadlineMs,
        bytesMax: adminLimits.headBytesMax,
      });
      this.#decided(socket);
      if (isRedirected) {
        redirect(socket, redirectTarget(head, this.#port), clock);
        return;
      }
      const raw = rawRoutes.find((route) => route.matches(head));
      if (raw === undefined) http.emit('connection', socket);
      else raw.take(socket, head);
      socket.resume();
    } catch (error) {
      refuseConnection(socket, error, clock);
    }
  }

  #isPlainRefused(socket: Socket): boolean {
    return this.#tls !== undefined && !this.#options.isPlainAllowed && !isLoopback(socket);
  }

  /** Counts a connection, or ends it when there are too many. This machine itself, where a proxy may be, has no bound of its own. */
  #admit(socket: Socket): boolean {
    const key = addressGroup(socket.remoteAddress ?? '');
    const peer = peerOf(socket);
    const ofAddress = this.#perAddress.get(key) ?? 0;
    let undecidedOfAddress = 0;
    for (const { group } of this.#undecided.values()) if (group === key) undecidedOfAddress++;
    this.#perAddress.set(key, ofAddress + 1);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#undecided.delete(peer);
      const left = (this.#perAddress.get(key) ?? 1) - 1;
      if (left === 0) this.#perAddress.delete(key);
      else this.#perAddress.set(key, left);
    });
    const isAddressFull =
      ofAddress >= adminLimits.connectionsPerAddressMax || undecidedOfAddress >= adminLimits.undecidedPerAddressMax;
    const isRefused = isAddressFull && !isLoopback(socket);
    if (isRefused || (this.#undecided.size >= adminLimits.undecidedMax && !this.#makeRoom(undecidedOfAddress))) {
      this.#deps.log.counted('connections refused, too many of one address or undecided', 1, { address: key });
      socket.destroy();
      return false;
    }
    this.#undecided.set(peer, { socket, group: key });
    return true;
  }

  /** Ends an undecided connection of an address that has more of them than the newcomer's. */
  #makeRoom(undecidedOfAddress: number): boolean {
    const options = { newcomerHas: undecidedOfAddress };
    const leaver = placeToGiveUp(this.#undecided, ([, { group }]) => group, options);
    if (leaver === undefined) return false;
    const [peer, { socket }] = leaver;
    this.#undecided.delete(peer);
    socket.destroy();
    return true;
  }

  #decided(socket: Socket): void {
    this.#undecided.delete(peerOf(socket));
  }

  async #closeServer(server: NetServer): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.#deps.http.closeIdleConnections();
    const cancel = this.#deps.clock.after(adminLimits.closeTimeoutMs, () => this.#destroyAll());
    for (const socket of this.#sockets) if (this.#undecided.has(peerOf(socket))) socket.destroy();
    await closed;
    cancel();
  }

  #destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function askingClients(authorityPem: string | undefined) {
  return authorityPem === undefined ? {} : { ca: authorityPem, requestCert: true, rejectUnauthorized: false };
}

function listen(
  server: NetServer,
  options: { readonly host?: string | undefined; readonly port: number },
): Promise<number> {
  const { host, port } = options;
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, options)));
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function listenError(error: Error, options: { readonly host?: string | undefined; readonly port: number }): Error {
  const hints: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program has the port: stop it, or choose another port in the configuration',
    EACCES: 'ports below 1024 need root or CAP_NET_BIND_SERVICE',
    EADDRNOTAVAIL: 'this machine does not have that address',
  };
  const hint = hints[errnoOf(error) ?? ''];
  return appError('unavailable', `cannot listen on port ${options.port}`, {
    ...options,
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The same for a connection and for the TLS that it carries. */
function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function isLoopback(socket: Socket): boolean {
  // A socket that is gone already has no address and gets no privilege.
  const address = socket.remoteAddress ?? '';
  return address === '::1' || addressGroup(address).startsWith('127.');
}

function redirect(socket: Socket, target: string | undefined, clock: Clock): void {
  const head =
    target === undefined
      ? 'HTTP/1.1 400 Bad Request\r\n'
      : `HTTP/1.1 308 Permanent Redirect\r\nlocation: ${target}\r\ncache-control: no-store\r\n`;
  endWith(socket, head, clock);
}

/** Peers that reset are their own matter: whoever owns the socket then hears of it as `close`. */
function ignore(): void {}
