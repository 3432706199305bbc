/**
 * The HTTP server: what every request goes through before and after its route. Request id, headers, who is asking, the
 * authoriser, one error envelope, one access log line.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { fastifySwagger } from '@fastify/swagger';
import { fastifyWebsocket } from '@fastify/websocket';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  type RawServerDefault,
} from 'fastify';
import { jsonSchemaTransform, serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { assert } from '../../storage/base/assert.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import { type Access, accessOf } from './access.ts';
import { decideAny } from './authoriser.ts';
import { callerDecoration, callerOf, setCaller } from './caller.ts';
import { envelopeOf, requestError, sendError } from './http-errors.ts';
import { type IdentifyDeps, identify, playbackPrefix, whepPrefix, whipPrefix } from './identify.ts';
import { adminLimits } from './limits.ts';
import { Uploads } from './uploads.ts';
import { validatorCompiler } from './validation.ts';

/** Our Fastify: routes are typed by their zod schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export type HttpAppDeps = IdentifyDeps & {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  /** Asked about every request before Fastify: what it takes is its own from head to end. */
  readonly kvs?:
    | {
        readonly take: (request: IncomingMessage, response: ServerResponse) => boolean;
        /** A body comes for as long as its sender likes. */
        readonly isUploading: (socket: Socket) => boolean;
        /** The same for requests to upgrade. */
        readonly takeUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;
      }
    | undefined;
  /** Told about every route as it is made. */
  readonly onRoute: (route: { readonly method: string; readonly url: string; readonly access: Access }) => void;
};

/** An app without routes, and the HTTP server that gets its connections from elsewhere and never listens. */
export async function createHttpApp(deps: HttpAppDeps): Promise<{ readonly app: App; readonly server: Server }> {
  const server = createServer({
    maxHeaderSize: adminLimits.headBytesMax,
    headersTimeout: adminLimits.headTimeoutMs,
    requestTimeout: adminLimits.requestTimeoutMs,
    keepAliveTimeout: adminLimits.keepAliveTimeoutMs,
    connectionsCheckingInterval: 1_000,
  });
  server.timeout = adminLimits.idleTimeoutMs;
  server.on('connection', readAsStream);
  // Node begins to watch for slow requests when its server listens. Ours gets its connections from the dispatcher.
  server.emit('listening');
  const uploads = new Uploads();
  const app = fastify({
    serverFactory: (handler) =>
      server.on('request', (request, response) => {
        if (deps.kvs?.take(request, response) !== true) handler(request, response);
      }),
    // A proxy on this machine, and no other, may say who its client is.
    trustProxy: deps.publicOrigin === undefined ? false : 'loopback',
    bodyLimit: adminLimits.bodyBytesMax,
    routerOptions: { maxParamLength: 256 },
    genReqId: () => Buffer.from(deps.random(9)).toString('base64url'),
    clientErrorHandler: (error, socket) => {
      const isUploading = uploads.has(socket) || deps.kvs?.isUploading(socket) === true;
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && isUploading) return;
      refuseGarbage(error, socket);
    },
    frameworkErrors: (error, _request, reply) => void sendError(reply, requestError(error)),
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeContentTypeParser('text/plain');
  addAccessHooks(app, deps);
  // After the caller was admitted: nobody else's connection gets time.
  app.addHook('onRequest', async (request, reply) => uploads.note(request, reply));
  addErrorHandlers(app, deps);
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Weir', version: '1', description: 'Cameras, streams and recordings of one appliance.' },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
    },
    transform: jsonSchemaTransform,
  });
  // Never listens: it hears of upgrades that are not the KVS API's.
  const upgrades = createServer();
  server.on('upgrade', (request, socket, head) => {
    if (deps.kvs?.takeUpgrade(request, socket, head) !== true) upgrades.emit('upgrade', request, socket, head);
  });
  await app.register(fastifyWebsocket, {
    options: { maxPayload: adminLimits.eventMessageBytesMax, server: upgrades },
  });
  return { app, server };
}

function addAccessHooks(app: App, deps: HttpAppDeps): void {
  app.decorateRequest(callerDecoration, undefined);
  app.addHook('onRoute', (route) => {
    const access = accessOf(route.config);
    assert(access !== undefined, `${String(route.method)} ${route.url} declares what it asks the authoriser`);
    for (const method of [route.method].flat()) deps.onRoute({ method, url: route.url, access });
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.raw.once('close', () => logAccess(deps.log, request, reply));
    addHeaders(request, reply);
    const access = accessOf(request.routeOptions.config);
    const caller = identify(deps, request);
    setCaller(request, caller);
    if (access === undefined || access.kind === 'public') return;
    // First of all, so that nothing is looked up for strangers: to find out what a name means may take milliseconds.
    if (!decideAny(caller.subject, access.action)) throw caller.refusal(access.action);
    if (access.kind === 'one') caller.require(access.action, access.resource(request));
  });
  app.addHook('onResponse', async (request, reply) => {
    // Node takes its parser from a connection that asks to upgrade: after a refusal nobody would read it, or close it.
    if (request.headers.upgrade !== undefined && reply.raw.writableFinished) request.raw.socket.destroySoon();
  });
}

function addErrorHandlers(app: App, { log }: HttpAppDeps): void {
  app.setErrorHandler((thrown, request, reply) => {
    const error = requestError(thrown);
    if (error.code === 'internal') log.error('request failed', { requestId: request.id, error: error.cause ?? error });
    return sendError(reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    // Nobody learns which paths there are without logging in.
    const isKnown = callerOf(request).subject.kind !== 'anonymous';
    return sendError(
      reply,
      isKnown ? appError('not_found', 'there is nothing at this path', {}) : callerOf(request).refusal(''),
    );
  });
}

const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  // The page sets widths of its timeline as style attributes.
  "style-src-attr 'unsafe-inline'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "font-src 'self'",
  // hls.js makes its worker from a blob.
  "worker-src 'self' blob:",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Players and publishers of any site may come with a token. Their browsers send no cookie along, and would read no answer to one. */
const anyOriginWithToken = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'location, etag, link, accept-patch, accept-post, retry-after, weir-notes',
  'cross-origin-resource-policy': 'cross-origin',
};

/** No HSTS: with a certificate of our own authority it would lock people out who have not yet installed that. */
function addHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers({
    'x-request-id': request.id,
    'content-security-policy': contentSecurityPolicy,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
  });
  if (request.url.startsWith(playbackPrefix)) {
    // The token in the URL is the permission, and no cookie counts here: any player of any site may read.
    reply.headers({ 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' });
  }
  if (request.url.startsWith(whepPrefix) || request.url.startsWith(whipPrefix)) reply.headers(anyOriginWithToken);
}

/** Without the query: it may have a token in it. */
function logAccess(log: Log, request: FastifyRequest, reply: FastifyReply): void {
  const { subject } = request.getDecorator<{ subject: { kind: string; name: string } } | undefined>(
    callerDecoration,
  ) ?? {
    subject: { kind: 'anonymous', name: '' },
  };
  log.info('request', {
    requestId: request.id,
    method: request.method,
    path: loggedPath(request.url),
    status: statusOf(request, reply),
    durationMs: Math.round(reply.elapsedTime),
    address: request.ip,
    subject: subject.name === '' ? subject.kind : `${subject.kind} ${subject.name}`,
  });
}

/** Of a WebRTC session's id as much as its own lines have: the rest is its owner's. */
function loggedPath(url: string): string {
  const path = url.split('?', 1)[0] ?? '';
  return path.replace(/^(\/wh[ei]p\/.*\/[\w-]{6})[\w-]{18}$/, '$1');
}

/** Clients that left are told apart as nginx does. */
function statusOf(request: FastifyRequest, reply: FastifyReply): number {
  if (request.ws) return 101;
  return reply.raw.writableFinished ? reply.statusCode : 499;
}

/**
 * Has Node read a connection as a stream instead of in its parser. There Node 24 pauses at the head of a request while an answer counts as
 * not taken, reads on all the same where the body came in a TLS record of its own, and gives the connection up (HPE_PAUSED): a client that
 * keeps its connection and sends heads and bodies apart, as Python's do, lost a request behind every fourth large answer.
 */
function readAsStream(socket: Socket): void {
  const nobody = () => {};
  socket.on('data', nobody);
  socket.off('data', nobody);
}

/** What Node's parser refuses never becomes a request. */
function refuseGarbage(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!socket.writable || socket.writableLength > 0) {
    socket.destroy();
    return;
  }
  const [status, refusal] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', appError('invalid_argument', 'the request head is too long')]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', appError('deadline_exceeded', 'the request did not come in time')]
        : ['400 Bad Request', appError('invalid_argument', 'this is not HTTP')];
  const body = JSON.stringify(envelopeOf(refusal, ''));
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
