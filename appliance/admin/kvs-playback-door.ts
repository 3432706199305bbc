/**
 * What streaming session URLs name, in front of our own routes: plain GET with a token in the query, which is the permission. Any
 * page of any site may read, as no cookie counts here. Queries are never logged: tokens stand in them.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  awsErrorOf,
  corsHeaders,
  findKvsStream,
  type KvsOperations,
  type KvsSite,
  type KvsStream,
  type Meter,
  PlaybackResources,
  preflightHeaders,
  type Quotas,
  type Resource,
  type ResourceDeps,
  type SessionSource,
  SessionTokens,
  SessionWalks,
  streamArn,
  streamingSessionOperations,
  thingOf,
} from '../../gateway/kvs/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Catalog } from '../../storage/catalog/index.ts';
import { decideByNames } from './authoriser.ts';
import { pathBelow, pathOf, uuidOf } from './kvs-http.ts';
import type { KvsIdentities } from './kvs-identities.ts';
import { streamResource } from './resources.ts';
import { identityFromText } from './temporary-keys.ts';
import type { UsageBook } from './usage-book.ts';

export type KvsPlaybackDoorDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly resources: PlaybackResources;
  /** Told of what goes out. */
  readonly note: (answer: Resource & { readonly path: string }) => void;
};

export class KvsPlaybackDoor {
  readonly #deps: KvsPlaybackDoorDeps;
  readonly #publicUrl: string | undefined;

  constructor(deps: KvsPlaybackDoorDeps, options: { readonly publicUrl: string | undefined }) {
    this.#deps = deps;
    this.#publicUrl = options.publicUrl;
  }

  /** Takes a request for what a session URL names and answers it; false, untouched, when it is another one. */
  take(request: IncomingMessage, response: ServerResponse): boolean {
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') return false;
    if (!this.#deps.resources.has(pathBelow(request, this.#publicUrl))) return false;
    if (method === 'OPTIONS') response.writeHead(204, preflightHeaders).end();
    else void this.#answer(request, response);
    return true;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, log, random, resources } = this.#deps;
    const requestId = uuidOf(random(16));
    const startMs = clock.monotonicMs();
    const head = {
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-amzn-RequestId': requestId,
      ...corsHeaders,
    };
    let streamId: string | undefined;
    request.resume();
    try {
      const path = pathBelow(request, this.#publicUrl);
      const query = new URLSearchParams((request.url ?? '').split('?').slice(1).join('?'));
      const answer = await resources.get({ path, query, nowMs: clock.wallMs() });
      streamId = answer.streamId;
      this.#deps.note({ ...answer, path });
      send(request, response, 200, { ...head, 'content-type': answer.contentType }, answer.body);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'internal') log.error('kvs playback failed', { requestId, error: thrown });
      const { name, httpStatus, message } = awsErrorOf(error);
      const errorHead = { ...head, 'content-type': 'application/json', 'x-amzn-ErrorType': name };
      send(request, response, httpStatus, errorHead, JSON.stringify({ Message: message }));
    }
    log.info('kvs playback', {
      ...{ requestId, streamId, method: request.method, path: pathOf(request), status: response.statusCode },
      durationMs: Math.round(clock.monotonicMs() - startMs),
      address: request.socket.remoteAddress,
    });
  }
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  head: Readonly<Record<string, string>>,
  body: string | Uint8Array,
): void {
  const byteLength = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  response.writeHead(status, { ...head, 'content-length': byteLength });
  response.end(request.method === 'HEAD' ? undefined : body);
}

export type KvsPlaybackDeps = Omit<KvsPlaybackDoorDeps, 'resources' | 'note'> & {
  readonly catalog: Catalog;
  readonly identities: KvsIdentities;
  readonly source: SessionSource;
  readonly meter: Meter;
  readonly quotas: Pick<Quotas, 'admit'>;
  readonly usage: Pick<UsageBook, 'note'>;
};

export type KvsPlaybackOptions = {
  readonly site: KvsSite;
  readonly publicUrl: string | undefined;
  /** What session tokens are sealed by, the same after a restart. */
  readonly secret: Uint8Array;
};

/** The operations that give out session URLs, and the door for what these name. */
export function kvsPlayback(
  deps: KvsPlaybackDeps,
  { site, publicUrl, secret }: KvsPlaybackOptions,
): { readonly operations: KvsOperations; readonly door: KvsPlaybackDoor } {
  const { random, source } = deps;
  const sessions = { source, walks: new SessionWalks({ source }), tokens: new SessionTokens({ random }, { secret }) };
  const resources = new PlaybackResources({
    ...{ ...sessions, meter: deps.meter, clock: deps.clock },
    limit: (path, { name, streamName, resultsMax }) =>
      deps.quotas.admit(path, { MaxResults: resultsMax }, `session ${name}`, {
        stream: thingOf({ StreamName: streamName }),
      }),
    admit: (asked) => sessionStream({ ...deps, site }, asked),
  });
  return {
    operations: streamingSessionOperations(sessions),
    door: new KvsPlaybackDoor({ ...deps, resources, note: (answer) => noteUsage(deps, answer) }, { publicUrl }),
  };
}

/** Who asked for the URL answers for what it gives out. */
function noteUsage(
  { clock, identities, usage }: Pick<KvsPlaybackDeps, 'clock' | 'identities' | 'usage'>,
  { streamId, owner, path, body }: Resource & { readonly path: string },
): void {
  const identity = identityFromText(owner);
  const subject = identity === undefined ? undefined : identities.clientOf(identity, clock.wallMs())?.subject;
  usage.note({
    ...{ streamId, direction: 'out', protocol: path.startsWith('/hls/') ? 'hls' : 'dash', bytes: body.length },
    ...(subject === undefined ? {} : { subject: { kind: subject.kind, id: subject.id } }),
  });
}

/**
 * The stream of a session whose owner may still ask for one. A key that was disabled, a device that was revoked and a permission
 * that was taken away end what they opened.
 */
function sessionStream(
  deps: Pick<KvsPlaybackDeps, 'clock' | 'catalog' | 'identities'> & { readonly site: KvsSite },
  { streamId, streamName, owner, action }: Parameters<ResourceDeps['admit']>[0],
): KvsStream | undefined {
  const { clock, catalog, identities, site } = deps;
  const identity = identityFromText(owner);
  const client = identity === undefined ? undefined : identities.clientOf(identity, clock.wallMs());
  const stream = findKvsStream(catalog.tables, streamName);
  if (client === undefined || stream?.id !== streamId) return undefined;
  const names = [streamArn(site, stream), streamResource(catalog, stream.id)];
  return decideByNames(client.subject, action, names) ? stream : undefined;
}
