/**
 * The door of the KVS API, in front of our own routes: its requests are told by method and path, signed by access keys, decided by
 * the one authoriser, and answered in AWS's shapes. Nothing of a request is believed before its signature is verified.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  type Authenticated,
  authenticate,
  awsError,
  awsErrorOf,
  corsHeaders,
  headerPairs,
  isBytes,
  isExchange,
  type KvsAnswer,
  type KvsCall,
  type KvsInput,
  type KvsMeter,
  type KvsOperation,
  type KvsOperations,
  type KvsSite,
  type KvsStream,
  type KvsTarget,
  preflightHeaders,
  type Quotas,
  readSignature,
  sha256Hex,
  thingOf,
} from '../../gateway/kvs/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Catalog, StorageTier } from '../../storage/catalog/index.ts';
import { decideAny, decideByNames, type Subject } from './authoriser.ts';
import { sendBytes } from './kvs-bytes.ts';
import { KvsExchanges } from './kvs-exchange.ts';
import { bodyOf, pathBelow, pathOf, uuidOf } from './kvs-http.ts';
import type { KvsIdentities } from './kvs-identities.ts';
import { type KvsAsked, KvsRequestCount } from './kvs-request-count.ts';
import { adminLimits } from './limits.ts';
import { streamResource } from './resources.ts';
import { identityToText } from './temporary-keys.ts';
import type { UsageBook } from './usage-book.ts';

export type KvsDoorDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly catalog: Catalog;
  readonly identities: KvsIdentities;
  readonly operations: KvsOperations;
  readonly quotas: Quotas;
  readonly meter: KvsMeter;
  readonly usage: Pick<UsageBook, 'open'>;
  /** Called when an operation changed the catalog: recording and the page are to hear of it before the client does. */
  readonly onChanged: () => Promise<void>;
};

/** What is decided of the KVS API for the whole appliance. */
export type KvsSettings = {
  readonly site: KvsSite;
  /** Tiers that there are stores for. */
  readonly storageTiers: readonly StorageTier[];
  /** The one region that signatures may be for; any when absent. */
  readonly acceptedRegion?: string | undefined;
};

export type KvsDoorOptions = KvsSettings & {
  readonly publicUrl: string | undefined;
  /** The port that clients reach, known when we listen. */
  readonly portOf: () => number;
};

/** What ARNs have where nobody set it: a region that every client knows, and an account that is none of AWS's. */
export const kvsSettingsDefault: KvsSettings = {
  site: { region: 'us-east-1', accountId: '000000000000' },
  storageTiers: ['HOT'],
};

/** A client in a loop is stopped before it holds up others; an honest one never notices. */
export const kvsQuotaFactorDefault = 20;

export class KvsDoor {
  readonly #deps: KvsDoorDeps;
  readonly #options: KvsDoorOptions;
  /** Requests that go on, by whoever answers for them. */
  readonly #openOfKey = new Map<string, number>();
  readonly #exchanges: KvsExchanges;

  constructor(deps: KvsDoorDeps, options: KvsDoorOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#exchanges = new KvsExchanges(deps);
  }

  /** True while media come on this connection. */
  isUploading(socket: Socket): boolean {
    return this.#exchanges.has(socket);
  }

  /** Ends uploads: what is whole is stored and told, and producers are to try again. */
  close(): Promise<void> {
    return this.#exchanges.close();
  }

  /** Takes a request of the KVS API and answers it; false, untouched, when it is another one. */
  take(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method === 'OPTIONS' && this.#operationOf(request) !== undefined) {
      response.writeHead(204, preflightHeaders).end();
      return true;
    }
    if (request.method !== 'POST') return false;
    const isSigned = request.headers.authorization?.startsWith('AWS4-') === true;
    if (!isSigned && this.#operationOf(request) === undefined) return false;
    void this.#answer(request, response);
    return true;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = uuidOf(this.#deps.random(16));
    const startMs = this.#deps.clock.monotonicMs();
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const told: Told = { requestId, accessKeyId: '', leave: () => {} };
    const { socket } = request;
    const count = new KvsRequestCount(this.#deps, socket);
    const head = {
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-amzn-RequestId': requestId,
      ...corsHeaders,
    };
    try {
      const answer = await this.#run(request, told, gone.signal);
      if (isBytes(answer) || isExchange(answer)) count.accepted(this.#askedOf(request, told));
      if (isBytes(answer)) {
        const stallMs = adminLimits.kvsStallMs;
        await sendBytes(request, response, { head, answer, signal: gone.signal, stallMs });
      } else if (isExchange(answer)) {
        await this.#exchanges.run(request, response, { head, exchange: answer, signal: gone.signal });
      } else sendJson(request, response, { status: 200, body: answer, head });
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'internal') this.#deps.log.error('kvs request failed', { requestId, error: thrown });
      // A client is told little of it, and can do nothing about it.
      if (error.code === 'unavailable') this.#deps.log.warn('kvs request could not be served', { requestId, error });
      const { name, httpStatus, message } = awsErrorOf(error);
      // Of an answer that has begun only its end can be told: it does not come.
      if (response.headersSent) response.destroy();
      else {
        const body = { Message: message };
        // Who sends media may read nothing before all of it is written.
        const lingers = this.#operationOf(request)?.inputOfHeaders !== undefined;
        const errorHead = { ...head, 'x-amzn-ErrorType': name };
        sendJson(request, response, { status: httpStatus, body, head: errorHead, lingers });
        if (lingers) await this.#exchanges.linger(request);
      }
    } finally {
      told.leave();
    }
    const { accessKeyId, subject, stream } = told;
    this.#deps.log.info('kvs request', {
      ...{ requestId, accessKeyId, stream: stream?.name },
      subject: subject === undefined ? undefined : `${subject.kind} ${subject.name}`,
      path: pathOf(request),
      status: response.statusCode,
      durationMs: Math.round(this.#deps.clock.monotonicMs() - startMs),
      address: socket.remoteAddress,
    });
    count.over(this.#askedOf(request, told), { isSuccess: response.statusCode === 200 });
  }

  #askedOf(request: IncomingMessage, { stream, subject }: Told): KvsAsked {
    return { operation: this.#operationOf(request)?.action.split(':')[1] ?? '', stream, subject };
  }

  /**
   * Counts a request that goes on.
   *
   * @returns to be called when it is over
   * @throws AppError ConnectionLimitExceededException  one key has so many open that others would find no place
   */
  #enter(accountable: string): () => void {
    const open = this.#openOfKey.get(accountable) ?? 0;
    if (open >= adminLimits.kvsRequestsOfKeyMax) {
      throw awsError('ConnectionLimitExceededException', 'The access key has as many open requests as it may have.');
    }
    this.#openOfKey.set(accountable, open + 1);
    return () => {
      const left = (this.#openOfKey.get(accountable) ?? 1) - 1;
      if (left === 0) this.#openOfKey.delete(accountable);
      else this.#openOfKey.set(accountable, left);
    };
  }

  async #run(request: IncomingMessage, told: Told, signal: AbortSignal): Promise<KvsAnswer> {
    const { identities, catalog, clock } = this.#deps;
    const nowMs = clock.wallMs();
    const wire = {
      method: request.method ?? '',
      target: request.url ?? '',
      headers: headerPairs(request.rawHeaders),
    };
    // What could not be a signature gets no body read.
    const { acceptedRegion } = this.#options;
    const regions = acceptedRegion === undefined ? undefined : [acceptedRegion];
    readSignature(wire, { nowMs, regions });
    const operation = this.#operationOf(request);
    // Media is nobody's to sign: it comes when the answer has begun.
    const bytes = operation?.inputOfHeaders === undefined ? await bodyOf(request) : undefined;
    const proven = authenticate(
      wire,
      { nowMs, keyOf: identities.keyOf(nowMs) },
      { regions, body: bytes === undefined ? { kind: 'streamed' } : { kind: 'whole', sha256: sha256Hex(bytes) } },
    );
    told.accessKeyId = proven.accessKeyId;
    const { subject, accountable, identity } = identities.identify(proven, nowMs);
    told.subject = subject;
    told.leave = this.#enter(accountable);
    if (operation === undefined) throw awsError('UnknownOperationException', 'this operation is not known here');
    const { kind, id, name } = subject;
    const actor = { kind, id, name, address: request.socket.remoteAddress ?? '', requestId: told.requestId };
    const input = bytes === undefined ? mediaInput(request, operation, proven) : inputOf(bytes);
    const admission = this.#deps.quotas.admit(this.#pathOf(request), input, thingOf(input));
    let isChanged = false;
    let isAllowed = false;
    const noted = (isDecided: boolean) => {
      isAllowed ||= isDecided;
      return isDecided;
    };
    const call: KvsCall = {
      ...{ requestId: told.requestId, accessKeyId: accountable, nowMs, signal, input },
      owner: identityToText(identity),
      ...{ site: this.#options.site, tables: catalog.tables },
      endpoint: this.#endpointOf(request),
      storageTiers: this.#options.storageTiers,
      change: (body) => {
        const result = catalog.change(actor, body);
        isChanged = true;
        return result;
      },
      may: (action, target) => noted(this.#may(subject, action, target)),
      mayNow: (action, target) => {
        const client = identities.clientOf(identity, clock.wallMs());
        return client !== undefined && this.#may(client.subject, action, target);
      },
      mayAny: (action) => noted(decideAny(subject, action)),
      onStream: (stream) => {
        told.stream = stream;
      },
    };
    try {
      const answer = await operation.run(call);
      if (isChanged) await this.#deps.onChanged();
      return answer;
    } catch (error) {
      // Who may do nothing with a stream uses up nothing of what those may who do.
      if (!isAllowed) admission.giveBack();
      throw error;
    }
  }

  /** By the path as received. */
  #operationOf(request: IncomingMessage): KvsOperation | undefined {
    return this.#deps.operations.get(this.#pathOf(request));
  }

  /** Without the prefix of the public URL, which belongs to what clients sign, so it arrives with it. */
  #pathOf(request: IncomingMessage): string {
    return pathBelow(request, this.#options.publicUrl);
  }

  /** A thing goes by two names: its ARN, and what our own policies call it. */
  #may(subject: Subject, action: string, { arn, streamId, resource }: KvsTarget): boolean {
    const stream = streamId === undefined ? [] : [streamResource(this.#deps.catalog, streamId)];
    return decideByNames(subject, action, [arn, ...stream, ...(resource === undefined ? [] : [resource])]);
  }

  /** The public URL where there is one, else the host that the client signed, with our port: native clients leave that out. */
  #endpointOf(request: IncomingMessage): string {
    const { publicUrl, portOf } = this.#options;
    if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, '');
    const isEncrypted = 'encrypted' in request.socket;
    const host = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i.exec(request.headers.host ?? '')?.[1];
    if (host === undefined) throw awsError('InvalidArgumentException', 'the Host header names no host');
    const port = portOf() === (isEncrypted ? 443 : 80) ? '' : `:${portOf()}`;
    return `${isEncrypted ? 'https' : 'http'}://${host}${port}`;
  }
}

/** What names the stream of an upload. */
const streamHeaders: ReadonlySet<string> = new Set(['x-amzn-stream-name', 'x-amzn-stream-arn']);

/** What is known of a request when it is over. */
type Told = {
  readonly requestId: string;
  accessKeyId: string;
  leave: () => void;
  subject?: Subject;
  stream?: KvsStream;
};

type Head = Readonly<Record<string, string>>;

function sendJson(
  request: IncomingMessage,
  response: ServerResponse,
  options: { readonly status: number; readonly body: object; readonly head: Head; readonly lingers?: boolean },
): void {
  const { status, body, head, lingers = false } = options;
  // Not read to its end: the next request of this connection could not be found.
  if (!request.complete && !lingers) response.setHeader('connection', 'close');
  const text = JSON.stringify(body);
  const contentLength = Buffer.byteLength(text);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': contentLength, ...head });
  // Head and body in one write: native clients take nothing else.
  response.end(text);
  request.resume();
}

/**
 * A stream that is named by a header which the signature does not cover is not named at all: whoever saw such a head could send media
 * elsewhere with it. Presigned URLs cover no header, and are made for one use.
 */
function mediaInput(
  { headers }: IncomingMessage,
  { inputOfHeaders }: KvsOperation,
  { signedHeaders }: Authenticated,
): KvsInput {
  const isPresigned = headers.authorization === undefined;
  const header = (name: string) => {
    const value = headers[name];
    const isCovered = isPresigned || !streamHeaders.has(name) || signedHeaders.includes(name);
    return typeof value === 'string' && isCovered ? value : undefined;
  };
  return inputOfHeaders?.(header) ?? {};
}

/** No body counts as `{}`, as with AWS. */
function inputOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length === 0) return {};
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed };
  } catch {}
  throw awsError('SerializationException', 'the body is not a JSON object');
}
