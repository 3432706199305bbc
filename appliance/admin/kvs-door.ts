/**
 * The door of the KVS API, in front of our own routes: its requests are told by method and path, signed by access keys, decided by
 * the one authoriser, and answered in AWS's shapes. Nothing of a request is believed before its signature is verified.
 */

import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  authenticate,
  awsError,
  awsErrorOf,
  controlOperations,
  headerPairs,
  type KvsOperation,
  type KvsSite,
  type KvsStream,
  readSignature,
  sha256Hex,
} from '../../gateway/kvs/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Camera, Catalog } from '../../storage/catalog/index.ts';
import type { SecretBox } from '../secrets/index.ts';
import { accessKeyLookup } from './access-keys.ts';
import type { Authentication } from './authentication.ts';
import { decideAny, decideByNames, type Subject } from './authoriser.ts';
import { adminLimits } from './limits.ts';
import { streamResource } from './resources.ts';

export type KvsDoorDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly catalog: Catalog;
  readonly authentication: Authentication;
  readonly accessKeySecrets: SecretBox;
};

export type KvsDoorOptions = {
  readonly site: KvsSite;
  readonly publicUrl: string | undefined;
  /** The port that clients reach, known when we listen. */
  readonly portOf: () => number;
};

/** What ARNs have where nobody set it: a region that every client knows, and an account that is none of AWS's. */
export const kvsSiteDefault: KvsSite = { region: 'us-east-1', accountId: '000000000000' };

export class KvsDoor {
  readonly #deps: KvsDoorDeps;
  readonly #options: KvsDoorOptions;

  constructor(deps: KvsDoorDeps, options: KvsDoorOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Takes a request of the KVS API and answers it; false, untouched, when it is another one. */
  take(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'POST') return false;
    const isSigned = request.headers.authorization?.startsWith('AWS4-') === true;
    if (!isSigned && this.#operationOf(request) === undefined) return false;
    void this.#answer(request, response);
    return true;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = uuidOf(this.#deps.random(16));
    const startMs = this.#deps.clock.monotonicMs();
    const send = (status: number, body: object, headers: Readonly<Record<string, string>> = {}) => {
      // Not read to its end: the next request of this connection could not be found.
      if (!request.complete) response.setHeader('connection', 'close');
      const text = JSON.stringify(body);
      response.writeHead(status, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-amzn-RequestId': requestId,
        ...headers,
      });
      // Head and body in one write: native clients take nothing else.
      response.end(text);
      request.resume();
    };
    let keyId = '';
    try {
      const body = await this.#run(request, (accessKeyId) => {
        keyId = accessKeyId;
      });
      send(200, body);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'internal') this.#deps.log.error('kvs request failed', { requestId, error: thrown });
      const { name, httpStatus, message } = awsErrorOf(error);
      if (!response.headersSent) send(httpStatus, { Message: message }, { 'x-amzn-ErrorType': name });
    }
    this.#deps.log.info('kvs request', {
      requestId,
      path: pathOf(request),
      status: response.statusCode,
      durationMs: Math.round(this.#deps.clock.monotonicMs() - startMs),
      address: request.socket.remoteAddress,
      accessKeyId: keyId,
    });
  }

  async #run(request: IncomingMessage, onKey: (accessKeyId: string) => void): Promise<object> {
    const { authentication, catalog, clock } = this.#deps;
    const nowMs = clock.wallMs();
    const wire = {
      method: request.method ?? '',
      target: request.url ?? '',
      headers: headerPairs(request.rawHeaders),
    };
    // What could not be a signature gets no body read.
    readSignature(wire, { nowMs });
    const bytes = await bodyOf(request);
    const { accessKeyId } = authenticate(
      wire,
      { nowMs, keyOf: accessKeyLookup({ ...this.#deps, secrets: this.#deps.accessKeySecrets }, nowMs) },
      { body: { kind: 'whole', sha256: sha256Hex(bytes) } },
    );
    onKey(accessKeyId);
    const key = catalog.tables.accessKeys.find(accessKeyId);
    if (key === undefined)
      throw awsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
    catalog.tables.accessKeys.touch(key, nowMs);
    const operation = this.#operationOf(request);
    if (operation === undefined) throw awsError('UnknownOperationException', 'this operation is not known here');
    const subject = authentication.accessKeySubject(key);
    return operation.run({
      input: inputOf(bytes),
      site: this.#options.site,
      streams: kvsStreams(catalog),
      endpoint: this.#endpointOf(request),
      may: (action, { arn, streamId }) => this.#may(subject, action, arn, streamId),
      mayAny: (action) => decideAny(subject, action),
    });
  }

  /** By the path as received. A prefix of the public URL belongs to what clients sign, so it arrives with it. */
  #operationOf(request: IncomingMessage): KvsOperation | undefined {
    const { publicUrl } = this.#options;
    const prefix = publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/+$/, '');
    const path = pathOf(request);
    return controlOperations.get(path.startsWith(prefix) ? path.slice(prefix.length) : path);
  }

  /** A stream goes by two names: its ARN, and what our own policies call it. */
  #may(subject: Subject, action: string, arn: string, streamId: string | undefined): boolean {
    const own = streamId === undefined ? [] : [streamResource(this.#deps.catalog, streamId)];
    return decideByNames(subject, action, [arn, ...own]);
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

/** Streams that cameras feed. Those of removed cameras are gone for clients, as after DeleteStream. */
function kvsStreams(catalog: Catalog): KvsStream[] {
  return catalog.tables.cameras.list().flatMap((camera) =>
    camera.streams.map(({ id, name, role, createdMs }) => {
      const recording = camera.sources[role]?.recording;
      const retentionHours = recording === undefined || recording.mode === 'live' ? 0 : recording.retentionHours;
      return { id, name, createdMs, retentionHours, version: versionOf(camera, id) };
    }),
  );
}

/** Follows the camera's revision, and tells nobody how often it changed. */
function versionOf({ revision }: Camera, streamId: string): string {
  return createHash('sha256').update(`${streamId} ${revision}`).digest('hex').slice(0, 20);
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > adminLimits.bodyBytesMax) throw awsError('InvalidArgumentException', 'the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
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

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

function uuidOf(random: Uint8Array): string {
  const hex = Buffer.from(random).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20)].join('-');
}
