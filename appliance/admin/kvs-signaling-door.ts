/**
 * Where peers of signalling channels connect, in front of our own routes: who they are stands in the query of the URL, signed
 * like any request of the KVS API; what is wrong is told before the upgrade, in AWS's shapes. What goes through a connection is
 * the hub's business. Queries are never logged: signatures and tokens stand in them.
 */

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  type Authenticated,
  authenticate,
  awsError,
  awsErrorOf,
  connectActions,
  corsHeaders,
  headerPairs,
  type KvsMeter,
  type KvsSite,
  type KvsTarget,
  lookAgain,
  readConnectWish,
  requireConnect,
  type SignalingHub,
  type SignalingPeer,
  type SignalingRole,
  type SignedRequest,
  signalingLimits,
  signalingPaths,
} from '../../gateway/kvs/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { isAppError, toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Catalog } from '../../storage/catalog/index.ts';
import { decideByNames, type Subject } from './authoriser.ts';
import { pathBelow, pathOf, uuidOf } from './kvs-http.ts';
import type { KvsIdentities } from './kvs-identities.ts';
import type { UsageBook } from './usage-book.ts';

export type KvsSignalingDoorDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly catalog: Catalog;
  readonly identities: KvsIdentities;
  readonly meter: Pick<KvsMeter, 'addSignaling'>;
  readonly usage: Pick<UsageBook, 'note'>;
  readonly hub: Pick<SignalingHub, 'requirePlace' | 'connect'>;
};

export type KvsSignalingDoorOptions = {
  readonly site: KvsSite;
  readonly acceptedRegion?: string | undefined;
  readonly publicUrl: string | undefined;
};

export class KvsSignalingDoor {
  readonly #deps: KvsSignalingDoorDeps;
  readonly #options: KvsSignalingDoorOptions;
  /**
   * It only upgrades: connections are the hub's. Of the protocols that a client offers it takes the first; native ones name one
   * of their own.
   */
  readonly #upgrader = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: signalingLimits.messageBytesMax,
    maxFragments: signalingLimits.messageFragmentsMax,
  });

  constructor(deps: KvsSignalingDoorDeps, options: KvsSignalingDoorOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#upgrader.on('wsClientError', (error, socket) => {
      const answer = errorAnswer(awsError('InvalidArgumentException', error.message), uuidOf(deps.random(16)));
      refuse(socket, answer, deps.clock.wallMs());
    });
  }

  /** Takes a request to upgrade and answers it; false, untouched, when it is another one. */
  takeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const role = this.#roleOf(request);
    if (role === undefined) return false;
    this.#answer(request, { role, socket, head });
    return true;
  }

  /** Takes a request for one of these paths that is not to be upgraded, as when a proxy lost the wish, and refuses it. */
  take(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#roleOf(request) === undefined) return false;
    const { head, body } = errorAnswer(
      awsError(
        'InvalidArgumentException',
        'This path is for WebSockets: a proxy in between may have removed the upgrade.',
      ),
      uuidOf(this.#deps.random(16)),
    );
    response.writeHead(400, head).end(body);
    request.resume();
    return true;
  }

  #roleOf(request: IncomingMessage): SignalingRole | undefined {
    if (request.method !== 'GET') return undefined;
    const path = pathBelow(request, this.#options.publicUrl);
    return path === signalingPaths.master ? 'master' : path === signalingPaths.viewer ? 'viewer' : undefined;
  }

  #answer(
    request: IncomingMessage,
    { role, socket, head }: { readonly role: SignalingRole; readonly socket: Duplex; readonly head: Buffer },
  ): void {
    const { clock, log, meter, hub } = this.#deps;
    const requestId = uuidOf(this.#deps.random(16));
    const beganMs = clock.monotonicMs();
    const operation = connectActions[role].split(':')[1] ?? '';
    const told: Told = { accessKeyId: '' };
    const count = (metric: string, value: number) => {
      if (told.channel !== undefined) meter.addSignaling(metric, { operation, channel: told.channel }, value);
    };
    const logged = (status: number) => {
      const { accessKeyId, subject, channel } = told;
      log.info('kvs connect', {
        ...{ requestId, accessKeyId, subject, channel, path: pathOf(request), status },
        durationMs: Math.round(clock.monotonicMs() - beganMs),
        address: request.socket.remoteAddress,
      });
    };
    // Node leaves the socket to us, with nobody to hear of its errors.
    const ignore = () => {};
    socket.on('error', ignore);
    try {
      const peer = this.#admit(request, { role, told });
      hub.requirePlace(peer);
      // In the same turn, so the place is still there.
      this.#upgrader.handleUpgrade(request, socket, head, (webSocket) => {
        socket.off('error', ignore);
        this.#connect(webSocket, peer);
        count('Failure', 0);
        count('Latency', clock.monotonicMs() - beganMs);
        logged(101);
      });
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'internal') log.error('kvs connect failed', { requestId, error: thrown });
      count('Failure', 1);
      const answer = errorAnswer(error, requestId);
      refuse(socket, answer, clock.wallMs());
      logged(answer.status);
    }
  }

  /** @throws AppError  as AWS names it: who they are, what they ask for, whether they may */
  #admit(
    request: IncomingMessage,
    { role, told }: { readonly role: SignalingRole; readonly told: Told },
  ): SignalingPeer {
    const { clock, catalog, identities, usage } = this.#deps;
    const { site } = this.#options;
    const { tables } = catalog;
    const nowMs = clock.wallMs();
    const proven = this.#authenticate(request, nowMs);
    told.accessKeyId = proven.accessKeyId;
    const { subject, accountable, identity } = identities.identify(proven, nowMs);
    told.subject = `${subject.kind} ${subject.name}`;
    const wish = readConnectWish(request.url ?? '', role);
    const channel = requireConnect({ site, tables, may: (...asked) => may(subject, ...asked) }, wish);
    told.channel = channel.name;
    return {
      ...{ role, channel, accountable, clientId: wish.clientId, subject: told.subject },
      localAddress: request.socket.localAddress,
      look: () => {
        const client = identities.clientOf(identity, clock.wallMs());
        if (client === undefined) return { kind: 'denied' };
        return lookAgain({ site, tables, may: (...asked) => may(client.subject, ...asked) }, channel, role);
      },
      note: (direction, bytes) => {
        const { kind, id } = subject;
        usage.note({ streamId: channel.id, direction, protocol: 'signaling', subject: { kind, id }, bytes });
      },
    };
  }

  #authenticate(request: IncomingMessage, nowMs: number): Authenticated {
    const { acceptedRegion, publicUrl } = this.#options;
    const headers = headerPairs(request.rawHeaders);
    const wire: SignedRequest = { method: 'GET', target: request.url ?? '', headers };
    const hosts = hostSpellings(request.headers.host ?? '', publicUrl);
    let refusal: unknown;
    for (const host of hosts) {
      try {
        return authenticate(
          { ...wire, headers: headers.map(([name, value]) => [name, name.toLowerCase() === 'host' ? host : value]) },
          { nowMs, keyOf: this.#deps.identities.keyOf(nowMs) },
          { regions: acceptedRegion === undefined ? undefined : [acceptedRegion], body: { kind: 'streamed' } },
        );
      } catch (error) {
        refusal ??= error;
        if (!isAppError(error) || error.context.awsName !== 'InvalidSignatureException') throw error;
      }
    }
    throw refusal;
  }

  #connect(webSocket: WebSocket, peer: SignalingPeer): void {
    const connection = this.#deps.hub.connect(
      {
        get isOpen() {
          return webSocket.readyState === webSocket.OPEN;
        },
        get bufferedAmount() {
          return webSocket.bufferedAmount;
        },
        send: (text) => webSocket.send(text),
        ping: () => webSocket.ping(),
        close: (code, reason) => webSocket.close(code, reason),
        terminate: () => webSocket.terminate(),
      },
      peer,
    );
    webSocket.on('message', (data, isBinary) => {
      if (isBinary) connection.onBinary();
      else connection.onText(String(data));
    });
    webSocket.on('ping', () => connection.onHeard());
    webSocket.on('pong', () => connection.onHeard());
    // What breaks the protocol ends the connection; `close` follows.
    webSocket.on('error', () => webSocket.terminate());
    webSocket.on('close', () => connection.onClosed());
  }
}

/** What is known of a connection when it is logged. */
type Told = { accessKeyId: string; subject?: string; channel?: string };

function may(subject: Subject, action: string, { arn, resource }: KvsTarget): boolean {
  return decideByNames(subject, action, resource === undefined ? [arn] : [arn, resource]);
}

/**
 * What the host was called when it was signed: as it came; without its port, which native clients leave out; as the public URL
 * has it, for proxies that change it.
 */
function hostSpellings(received: string, publicUrl: string | undefined): ReadonlySet<string> {
  const spellings = [received, received.replace(/:\d{1,5}$/, '')];
  return new Set(publicUrl === undefined ? spellings : [...spellings, new URL(publicUrl).host]);
}

type ErrorAnswer = {
  readonly status: number;
  readonly head: Readonly<Record<string, string>>;
  readonly body: string;
};

function errorAnswer(error: ReturnType<typeof toAppError>, requestId: string): ErrorAnswer {
  const { name, httpStatus, message } = awsErrorOf(error);
  const body = JSON.stringify({ Message: message });
  return {
    status: httpStatus,
    body,
    head: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-amzn-RequestId': requestId,
      'x-amzn-ErrorType': name,
      connection: 'close',
      ...corsHeaders,
    },
  };
}

/** Head and body in one write, as native clients want it; then the connection ends. */
function refuse(socket: Duplex, { status, head, body }: ErrorAnswer, nowMs: number): void {
  const lines = Object.entries({ date: new Date(nowMs).toUTCString(), ...head }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('\r\n')}\r\n\r\n${body}`, () =>
    socket.destroy(),
  );
}
