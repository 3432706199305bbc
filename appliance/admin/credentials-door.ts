/**
 * Where devices change their certificate for temporary keys, in the shape of the AWS IoT credentials provider. The only listener
 * that asks for client certificates; open only while there is a device that may come.
 *
 *   mutual TLS -> certificate of our authority of devices -> its row, good today -> thing name -> role alias -> keys for an hour
 *
 * The handshake itself takes any certificate, so that whoever is refused is told so in HTTP: native clients log that and nothing else.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import { secondsText } from '../../gateway/kvs/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { type AppError, appError, toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Catalog, Device } from '../../storage/catalog/index.ts';
import { certificateFingerprint } from '../tls/index.ts';
import { Dispatcher } from './dispatch.ts';
import { pathOf, uuidOf } from './kvs-http.ts';
import { policiesOfAlias } from './kvs-identities.ts';
import { adminLimits } from './limits.ts';
import type { TlsMaterial } from './parts.ts';
import type { TemporaryKey, TemporaryKeys } from './temporary-keys.ts';

export type CredentialsDoorDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly catalog: Catalog;
  readonly temporaryKeys: TemporaryKeys;
  readonly tls: TlsMaterial;
  /** PEM of the one authority whose certificates count; made when there is none. */
  readonly deviceAuthorityPem: () => Promise<string>;
};

export type CredentialsDoorOptions = {
  /** Undefined listens on all addresses. */
  readonly host?: string | undefined;
  /** 0 takes any free port. */
  readonly port: number;
};

/** As AWS IoT by default. Producers ask anew some minutes before. */
const lifetimeMs = 3_600_000;
/** A port that another program holds is tried again so often, and devices that ended by themselves are noticed. */
const lookPeriodMs = 10_000;

export class CredentialsDoor {
  readonly #deps: CredentialsDoorDeps;
  readonly #options: CredentialsDoorOptions;
  readonly #lifetime = new Lifetime();
  #open: { readonly dispatcher: Dispatcher; readonly close: () => Promise<void> } | undefined;
  #settling: Promise<void> = Promise.resolve();
  #isFaultTold = false;

  constructor(deps: CredentialsDoorDeps, options: CredentialsDoorOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The port that devices reach; undefined while it does not listen. */
  get port(): number | undefined {
    return this.#open?.dispatcher.port;
  }

  /** Listens if there is a device. A taken port is an error in the log and tried again. */
  async start(): Promise<void> {
    this.#lifetime.defer(() => this.#close());
    this.#lifetime.loop(async (signal) => {
      for (;;) {
        await this.#deps.clock.sleep(lookPeriodMs, signal);
        await this.changed().catch((error: unknown) => {
          this.#deps.log.warn('whether there are devices could not be read, tried again', { error });
        });
      }
    });
    await this.changed();
  }

  /** Listens, or no longer does, as the devices there are now want it. One after another, whoever asks. */
  changed(): Promise<void> {
    const turn = this.#settling.then(() => this.#settle());
    this.#settling = turn.catch(() => {});
    return turn;
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  async #settle(): Promise<void> {
    const { catalog, clock, log } = this.#deps;
    if (this.#lifetime.signal.aborted) return;
    const isWanted = catalog.tables.devices.hasGood(clock.wallMs());
    if (isWanted === (this.#open !== undefined)) return;
    if (!isWanted) {
      await this.#close();
      log.info('credentials endpoint closed, there is no device');
      return;
    }
    try {
      this.#open = await this.#listen();
      this.#isFaultTold = false;
      log.info('credentials endpoint listens', { port: this.port });
    } catch (thrown) {
      const error = toAppError(thrown);
      if (!this.#isFaultTold) log.error('credentials endpoint does not listen', { error, hint: error.hint });
      this.#isFaultTold = true;
    }
  }

  async #listen() {
    const { clock, log, tls } = this.#deps;
    const http = this.#httpServer();
    const clientAuthorityPem = await this.#deps.deviceAuthorityPem();
    const dispatcher = new Dispatcher(
      { clock, log, http, identity: tls.identity(), clientAuthorityPem },
      { ...this.#options, isPlainAllowed: false },
    );
    await dispatcher.start();
    const forget = tls.onRenewed(() => dispatcher.renew(tls.identity()));
    const close = async () => {
      forget();
      await dispatcher.close();
      http.close();
    };
    return { dispatcher, close };
  }

  async #close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.close();
  }

  #httpServer(): Server {
    const server = createServer(
      {
        maxHeaderSize: adminLimits.headBytesMax,
        headersTimeout: adminLimits.headTimeoutMs,
        requestTimeout: adminLimits.headTimeoutMs,
        keepAliveTimeout: adminLimits.credentialsKeepAliveMs,
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => this.#answer(request, response),
    );
    server.timeout = adminLimits.headTimeoutMs;
    // Node begins to watch for slow requests when its server listens. Ours gets its connections from the dispatcher.
    server.emit('listening');
    return server;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { log, random } = this.#deps;
    const told: Told = { requestId: uuidOf(random(16)) };
    try {
      const { accessKeyId, secretAccessKey, sessionToken, expiresMs } = this.#keysFor(request, told);
      const expiration = secondsText(expiresMs);
      send(request, response, {
        status: 200,
        body: { credentials: { accessKeyId, secretAccessKey, sessionToken, expiration } },
        ...told,
      });
      log.info('credentials given', { ...told, accessKeyId, address: request.socket.remoteAddress });
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'internal') log.error('credentials request failed', { ...told, error: thrown });
      const status = statusOf(error);
      const message = error.code === 'internal' ? 'something went wrong inside' : error.message;
      send(request, response, { status, body: { message }, ...told });
      log.info('credentials refused', { ...told, status, message, address: request.socket.remoteAddress });
    }
  }

  #keysFor(request: IncomingMessage, told: Told): TemporaryKey {
    const { catalog, clock, temporaryKeys } = this.#deps;
    const nowMs = clock.wallMs();
    const device = this.#deviceOf(request, nowMs);
    told.device = device.name;
    // The header is what policies of AWS name things by; here the certificate says it already.
    const thingName = request.headers['x-amzn-iot-thingname'];
    if (thingName !== undefined && thingName !== device.name) {
      throw appError('permission_denied', 'Invalid thing name passed: the certificate is that of another thing');
    }
    const alias = aliasOf(request);
    if (policiesOfAlias(device, alias) === undefined) {
      throw appError('permission_denied', 'Access Denied: the role alias is none of the policies of this thing');
    }
    const made = temporaryKeys.make({ kind: 'device', id: device.id, alias }, { durationMs: lifetimeMs });
    if (made === undefined) throw appError('internal', 'the session token of a device is too long');
    told.alias = alias;
    catalog.tables.devices.touch(device, nowMs);
    return made;
  }

  /** @throws AppError permission_denied  no certificate, another authority's, one that is over, or was revoked: the same for all */
  #deviceOf({ socket }: IncomingMessage, nowMs: number): Device {
    // OpenSSL has seen by now who signed it, whether it is over, and whether it is a client's.
    const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined;
    const device =
      certificate === undefined
        ? undefined
        : this.#deps.catalog.tables.devices.findByCertificate(certificateFingerprint(certificate), nowMs);
    if (device === undefined) {
      throw appError('permission_denied', 'Access Denied: show the certificate of a device that is not revoked');
    }
    return device;
  }
}

/** What is known of a request when it is over. */
type Told = { readonly requestId: string; device?: string; alias?: string };

/** @throws AppError not_found  it is no request for credentials */
function aliasOf(request: IncomingMessage): string {
  const [, alias] = /^\/role-aliases\/([\w=,@-]{1,128})\/credentials$/.exec(pathOf(request)) ?? [];
  if (request.method !== 'GET' || alias === undefined) {
    throw appError('not_found', 'there is nothing but GET /role-aliases/<role alias>/credentials');
  }
  return alias;
}

function statusOf({ code }: AppError): number {
  return code === 'permission_denied' ? 403 : code === 'not_found' ? 404 : 500;
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: { readonly status: number; readonly body: object; readonly requestId: string },
): void {
  // Nobody has a reason to send a body: it is not waited for.
  if (!request.complete && hasBody(request)) response.setHeader('connection', 'close');
  const text = JSON.stringify(answer.body);
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-amzn-RequestId': answer.requestId,
  });
  // Head and body in one write: native clients take nothing else.
  response.end(text);
  request.resume();
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}
