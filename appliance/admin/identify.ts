/** Finds out who sent a request. Never decides what they may do, and never fails for a stranger: that is `anonymous`. */

import type { FastifyRequest } from 'fastify';
import { appError } from '../../storage/base/errors.ts';
import { streamKeySha256 } from '../../storage/model/stream-key.ts';
import type { Authentication } from './authentication.ts';
import { anonymous } from './authoriser.ts';
import { Caller } from './caller.ts';
import type { PlaybackTokens } from './playback-token.ts';
import { isSameOrigin } from './same-origin.ts';
import { sessionCookie } from './session-cookie.ts';

export type IdentifyDeps = {
  readonly authentication: Authentication;
  readonly playbackTokens: PlaybackTokens;
  /** True for connections of the socket in our own directory. */
  readonly isLocal: (socket: object) => boolean;
  /** `https://cameras.example.org` where a proxy makes us known by that; undefined otherwise. */
  readonly publicOrigin: string | undefined;
};

/** Where players without cookies or headers show their token. */
export const playbackPrefix = '/hls/v1/';
/** Where publishers may show a stream key instead of a token, as their programs have one field for either. */
export const whipPrefix = '/whip/';
/** Where viewers by WebRTC post their offers. */
export const whepPrefix = '/whep/';

const safeMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

/**
 * @throws AppError unauthenticated    a token was shown and opens nothing
 * @throws AppError permission_denied  another site's page caused the request, or a playback token is over
 */
export function identify(deps: IdentifyDeps, request: FastifyRequest): Caller {
  const { authentication, isLocal } = deps;
  const facts = { address: request.ip ?? '', requestId: request.id };
  if (isLocal(request.raw.socket)) {
    return new Caller({ ...facts, address: 'local', subject: authentication.localSubject() });
  }
  const bearer = bearerToken(request);
  if (bearer !== undefined) {
    const subject =
      authentication.byToken(bearer) ??
      (request.url.startsWith(whipPrefix) ? authentication.streamKeySubject(streamKeySha256(bearer)) : undefined);
    if (subject === undefined) throw appError('unauthenticated', 'the API token is not valid', {});
    return new Caller({ ...facts, subject });
  }
  if (request.url.startsWith(playbackPrefix)) return playbackCaller(deps, request, facts);
  const isEncrypted = isEncryptedFor(request);
  const isRead = safeMethods.includes(request.method) && request.headers.upgrade === undefined;
  if (!isRead && !isSameOrigin(request.headers, { isEncrypted, publicOrigin: deps.publicOrigin })) {
    throw appError('permission_denied', 'another site caused this request', {
      hint: 'open the page under the same name and port that it sends its requests to',
    });
  }
  const cookie = sessionCookie(request.headers.cookie, isEncrypted);
  const found = cookie === undefined ? undefined : authentication.byCookie(cookie);
  return new Caller({ ...facts, subject: found?.subject ?? anonymous, session: found?.session });
}

/** True when the client's side of the connection is encrypted, here or by a proxy that we trust. */
export function isEncryptedFor(request: FastifyRequest): boolean {
  return request.protocol === 'https';
}

function bearerToken(request: FastifyRequest): string | undefined {
  return /^bearer ([\x21-\x7e]{1,256})$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** The token counts for the stream that it was made for and for nothing else. */
function playbackCaller(
  { authentication, playbackTokens }: IdentifyDeps,
  request: FastifyRequest,
  facts: { readonly address: string; readonly requestId: string },
): Caller {
  const query = request.query as Readonly<Record<string, unknown>>;
  const token = query.SessionToken;
  if (typeof token !== 'string') throw appError('unauthenticated', 'the playback URL has no session token', {});
  const grant = playbackTokens.open(token);
  const isItsStream = request.url.startsWith(`${playbackPrefix}${grant.streamId}/`);
  const maker = { ...anonymous, ...grant.subject };
  return new Caller({ ...facts, subject: isItsStream ? authentication.refreshed(maker) : anonymous });
}
