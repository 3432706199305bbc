/**
 * Routes of WHEP and WHIP, which differ in what is done with an offer: POST of one below `/whep/` or `/whip/` and a stream's or
 * camera's name; PATCH and DELETE of the session below that.
 */

import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { KnownSession, OpenedSession, Patched, PatchRequest, SessionCaller } from '../../gateway/webrtc/index.ts';
import { type AppError, appError, isAppError } from '../../storage/base/errors.ts';
import { asking, publicly } from './access.ts';
import { decide } from './authoriser.ts';
import { type Caller, callerOf } from './caller.ts';
import type { Context } from './context.ts';
import { toldTo } from './conversion-refusal.ts';
import type { App } from './http-app.ts';
import { adminLimits } from './limits.ts';
import type { LiveSessions } from './live-sessions.ts';
import { requestSignal } from './request-signal.ts';
import { streamResource } from './resources.ts';
import { fragmentType, ifMatchOf, linksOf, requireAccepted, requireType, sdpType } from './sdp-http.ts';
import { findStreamByAnyName } from './stream-names.ts';

export type LiveSessionRoutes = {
  /** Ends with a slash. */
  readonly prefix: string;
  readonly action: string;
  readonly summary: { readonly post: string; readonly patch: string; readonly delete: string };
  readonly sessions: (port: LiveSessions) => {
    readonly find: (id: string) => KnownSession | undefined;
    readonly patch: (id: string, request: PatchRequest) => Promise<Patched>;
    readonly end: (id: string) => Promise<void>;
  };
  readonly open: (
    port: LiveSessions,
    request: {
      readonly streamId: string;
      readonly offer: string;
      readonly reachedAt: readonly (string | undefined)[];
      readonly caller: SessionCaller;
      readonly signal: AbortSignal;
    },
    caller: Caller,
  ) => Promise<OpenedSession>;
};

const nameCharactersMax = 300;
const retryMs = 5_000;
const methods = 'POST, PATCH, DELETE, OPTIONS';

export function addLiveSessionRoutes(app: App, context: Context, routes: LiveSessionRoutes): void {
  const { catalog } = context;
  const { prefix, action, summary } = routes;
  const url = `${prefix}*`;
  const port = () => {
    if (context.liveSessions !== undefined) return context.liveSessions;
    throw appError('unavailable', 'WebRTC is switched off here', { hint: 'webrtc.enabled switches it on' });
  };
  const streamOf = (request: FastifyRequest) => {
    const name = nameIn(request, prefix);
    return findStreamByAnyName(catalog, name) ?? catalog.tables.cameras.findStream(name);
  };
  const sessionIn = (request: FastifyRequest) => {
    const { liveSessions } = context;
    return liveSessions && routes.sessions(liveSessions).find(pathIn(request, prefix).split('/').at(-1) ?? '');
  };
  /** Below a session nothing is posted; who may know of it is told that. */
  const onStream = (request: FastifyRequest) =>
    streamResource(catalog, sessionIn(request)?.streamId ?? streamOf(request)?.id ?? '-');
  const onSession = (request: FastifyRequest) => streamResource(catalog, sessionIn(request)?.streamId ?? '-');
  /** A session is its caller's own. */
  const requireSession = (request: FastifyRequest): KnownSession => {
    const session = sessionIn(request);
    if (session !== undefined && session.callerId === callerId(callerOf(request))) return session;
    throw appError('not_found', 'no such session: it is over, or was never here');
  };

  void app.register(async (scope: App) => {
    scope.removeAllContentTypeParsers();
    // Types are looked at by the routes, which know what they take.
    const bodyLimit = adminLimits.sdpBytesMax;
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit }, (_request, body, done) => done(null, body));

    scope.options(
      url,
      { config: publicly, schema: { summary: 'What may be sent, for browsers', hide: true } },
      (_, reply) => {
        reply.headers({
          'access-control-allow-methods': methods,
          'access-control-allow-headers': 'authorization, content-type, if-match, accept',
          'access-control-max-age': 86_400,
          'accept-post': sdpType,
          'accept-patch': fragmentType,
          allow: methods,
        });
        return reply.code(204).send();
      },
    );

    scope.post(url, { config: asking(action, onStream), schema: { summary: summary.post } }, async (request, reply) => {
      if (sessionIn(request) !== undefined) throw wrongMethod(reply, 'PATCH, DELETE, OPTIONS');
      requireType(request.headers, sdpType);
      requireAccepted(request.headers, sdpType);
      const stream = streamOf(request);
      if (stream === undefined) throw appError('not_found', 'no stream or camera has this name');
      const caller = callerOf(request);
      const lasting = sessionCaller(context, { caller, action, streamId: stream.id });
      // An offer may come slowly: since its head was let in, a permission may have ended, or the name be another stream's.
      lasting.reask();
      const opened = await routes
        .open(
          port(),
          {
            streamId: stream.id,
            offer: bodyOf(request),
            reachedAt: [request.raw.socket.localAddress, hostOf(request)],
            caller: lasting,
            signal: requestSignal(reply),
          },
          caller,
        )
        .catch(toldTo(caller, context))
        .catch((error: unknown) => {
          throw asHttp(error);
        });
      const servers = await port()
        .iceServers(relayName(caller))
        .catch((error: unknown) => {
          context.log.warn('a WebRTC peer was told of no TURN server', { error });
          return [];
        });
      reply.headers({
        location: `${prefix}${pathIn(request, prefix)}/${opened.id}`,
        etag: `"${opened.entityTag}"`,
        'accept-patch': fragmentType,
        ...(opened.notes.length === 0 ? {} : { 'weir-notes': encodeURIComponent(opened.notes.join('; ')) }),
      });
      const links = linksOf(servers);
      if (links.length > 0) reply.header('link', links);
      return reply.code(201).type(sdpType).send(opened.answer);
    });

    scope.patch(
      url,
      { config: asking(action, onSession), schema: { summary: summary.patch } },
      async (request, reply) => {
        const { id } = requireSession(request);
        requireType(request.headers, fragmentType);
        const ifMatch = ifMatchOf(request.headers);
        const patched = await routes.sessions(port()).patch(id, { fragment: bodyOf(request), ifMatch });
        if (patched.kind === 'trickled') return reply.code(204).send();
        return reply.code(200).header('etag', `"${patched.entityTag}"`).type(fragmentType).send(patched.fragment);
      },
    );

    scope.delete(
      url,
      { config: asking(action, onSession), schema: { summary: summary.delete } },
      async (request, reply) => {
        const { id } = requireSession(request);
        await routes.sessions(port()).end(id);
        return reply.code(200).send();
      },
    );

    scope.route({
      method: ['GET', 'PUT'],
      url,
      config: asking(action, onStream),
      schema: { summary: 'Nothing: offers are posted', hide: true },
      handler: async (request, reply) => {
        throw wrongMethod(reply, sessionIn(request) === undefined ? 'POST, OPTIONS' : 'PATCH, DELETE, OPTIONS');
      },
    });
  });
}

/** All sessions of a person are theirs, wherever they are logged in. */
function callerId({ subject }: Caller): string {
  return `${subject.kind} ${subject.id}`;
}

/** By it a TURN server counts what one account takes of it; it tells nobody who that is. */
function relayName(caller: Caller): string {
  return createHash('sha256').update(callerId(caller)).digest('hex').slice(0, 12);
}

/** A caller as sessions ask about them again while they last. */
function sessionCaller(
  { catalog, authentication, usage }: Context,
  { caller, action, streamId }: { readonly caller: Caller; readonly action: string; readonly streamId: string },
): SessionCaller {
  const { subject, session } = caller;
  const { kind, id, name } = subject;
  return {
    id: callerId(caller),
    name: kind === 'stream-key' ? `stream key of ${name}` : name || kind,
    reask() {
      if (session !== undefined && catalog.tables.sessions.find(session.id) === undefined) {
        throw appError('unauthenticated', 'the login is over');
      }
      const now = authentication.refreshed(subject);
      if (now.kind === 'anonymous') throw appError('unauthenticated', 'the account, token or stream key is gone');
      const stream = catalog.tables.cameras.findStream(streamId);
      if (stream === undefined || stream.removedMs !== undefined) throw appError('not_found', 'the stream was removed');
      if (!decide(now, action, streamResource(catalog, streamId))) {
        throw appError('permission_denied', `the role does not allow "${action}" here any more`);
      }
    },
    onSent: usage.counter({ streamId, direction: 'out', protocol: 'webrtc', subject: { kind, id } }),
  };
}

/** Errors of sessions with the status that RFC 9725 and WHEP have for them. */
function asHttp(error: unknown): unknown {
  if (!isAppError(error)) return error;
  if (error.context.isUnacceptable === true) return withFacts(error, { httpStatus: 422 });
  // A player tries again when there is something to see.
  if (error.context.isAway === true) return withFacts(error, { httpStatus: 409 });
  // 412 is of a precondition that the request states, and an offer states none: here the camera is one that takes or has none.
  if (error.code === 'failed_precondition') return withFacts(error, { httpStatus: 422 });
  const isSoon = error.code === 'unavailable' && error.context.retryAfterMs === undefined;
  return isSoon ? withFacts(error, { retryAfterMs: retryMs }) : error;
}

function withFacts(error: AppError, facts: Readonly<Record<string, unknown>>): AppError {
  const { hint, cause } = error;
  return appError(error.code, error.message, {
    ...error.context,
    ...facts,
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

function wrongMethod(reply: FastifyReply, allow: string): AppError {
  reply.header('allow', allow);
  return appError('invalid_argument', `this takes ${allow}`, { httpStatus: 405 });
}

function bodyOf({ body }: FastifyRequest): string {
  return typeof body === 'string' ? body : '';
}

/** As it came, without the prefix and the query. */
function pathIn({ url }: FastifyRequest, prefix: string): string {
  return url.slice(prefix.length).split('?', 1)[0]?.replace(/\/+$/, '') ?? '';
}

function nameIn(request: FastifyRequest, prefix: string): string {
  const path = pathIn(request, prefix);
  if (path.length > nameCharactersMax) return '';
  try {
    return decodeURIComponent(path);
  } catch {
    return '';
  }
}

/** The host by which the client knows us, as far as it is an address. */
function hostOf({ hostname }: FastifyRequest): string {
  return hostname.replace(/:\d+$/, '');
}
