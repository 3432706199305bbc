/** The HTTP of WHEP and WHIP (RFC 9725) that is not about sessions: what clients may send, accept and expect, and what headers say. Pure. */

import type { IncomingHttpHeaders } from 'node:http';
import type { IceServer } from '../../gateway/kvs/index.ts';
import { appError } from '../../storage/base/errors.ts';

export const sdpType = 'application/sdp';
export const fragmentType = 'application/trickle-ice-sdpfrag';

/** @throws AppError invalid_argument  415: the body is of another type */
export function requireType(headers: IncomingHttpHeaders, type: string): void {
  const given = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (given === type) return;
  throw appError('invalid_argument', 'the body has a content type that is not taken', {
    httpStatus: 415,
    hint: `send ${type}`,
  });
}

/** @throws AppError invalid_argument  406: the client takes no answer of that type */
export function requireAccepted({ accept }: IncomingHttpHeaders, type: string): void {
  if (accept === undefined || accept.trim() === '') return;
  const [kind] = type.split('/', 1);
  const wanted = new Set([type, `${kind}/*`, '*/*']);
  for (const range of accept.split(',')) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const isRefused = parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
    if (wanted.has(name) && !isRefused) return;
  }
  throw appError('invalid_argument', `an answer can only be ${type}`, { httpStatus: 406, hint: `accept ${type}` });
}

/**
 * Entity tags of If-Match, without their quotes. Weak ones match nothing: RFC 9110, 13.1.1.
 * @throws AppError failed_precondition  428: there is none
 */
export function ifMatchOf(headers: IncomingHttpHeaders): 'any' | string[] {
  const given = headers['if-match'];
  if (given === undefined) {
    throw appError('failed_precondition', 'say which ICE session is meant', {
      httpStatus: 428,
      hint: 'send If-Match with the ETag of the answer, or * for a restart',
    });
  }
  if (given.trim() === '*') return 'any';
  return given.split(',').flatMap((part) => /^"([^"]*)"$/.exec(part.trim())?.[1] ?? []);
}

/** As RFC 9725, 4.6 has TURN servers; one entry for each URI. */
export function linksOf(servers: readonly IceServer[]): string[] {
  return servers.flatMap(({ uris, username, password }) =>
    uris.map((uri) => {
      const login = `username="${username}"; credential="${password}"; credential-type="password"`;
      return `<${uri}>; rel="ice-server"${uri.startsWith('stun') ? '' : `; ${login}`}`;
    }),
  );
}
