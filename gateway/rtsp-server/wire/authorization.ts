/** The Authorization header as a server reads it: basic (RFC 7617) and digest (RFC 7616, and RFC 2069 as players still do). Pure. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { DigestAlgorithm, RtspCredentials } from '../gate.ts';
import { rtspServerLimits } from '../limits.ts';

export type Digest = {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly algorithm: DigestAlgorithm;
  readonly protection: { readonly count: string; readonly clientNonce: string } | undefined;
};

export type Authorization =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'digest'; readonly digest: Digest };

const hashes = { MD5: 'md5', 'SHA-256': 'sha256' } as const;

/** Undefined for other schemes and for what is incomplete. */
export function parseAuthorization(value: string): Authorization | undefined {
  if (value.length > rtspServerLimits.authorizationCharactersMax) return undefined;
  const scheme = /^\s*(basic|digest)\s+/i.exec(value);
  if (scheme === null) return undefined;
  const rest = value.slice(scheme[0].length);
  return scheme[1]?.toLowerCase() === 'basic' ? parseBasic(rest) : parseDigest(rest);
}

/** A digest as the gate takes it: proven by the hash of user, realm and password, without ever seeing a password. */
export function digestCredentials(digest: Digest, method: string): RtspCredentials {
  const { username, algorithm } = digest;
  return { kind: 'digest', username, algorithm, isProvenBy: (secret) => isProven(digest, method, secret) };
}

/** H(user:realm:password), hexadecimal: what a verifier is. */
export function digestSecret(
  algorithm: DigestAlgorithm,
  facts: { readonly username: string; readonly realm: string; readonly password: string },
): string {
  return hashOf(algorithm, `${facts.username}:${facts.realm}:${facts.password}`);
}

/**
 * Challenges in the order of our preference, but for one thing: live555 (VLC) takes the last digest it reads for MD5, whatever
 * it says, and ffmpeg takes the last one of all digests.
 */
export function challenges(facts: {
  readonly realm: string;
  readonly nonce: string;
  readonly isStale: boolean;
  readonly isBasicOffered: boolean;
}): readonly string[] {
  const { realm, nonce, isStale, isBasicOffered } = facts;
  const stale = isStale ? ', stale=TRUE' : '';
  const digest = (algorithm: DigestAlgorithm) =>
    `Digest realm="${realm}", nonce="${nonce}", algorithm=${algorithm}${stale}`;
  return [digest('SHA-256'), digest('MD5'), ...(isBasicOffered ? [`Basic realm="${realm}"`] : [])];
}

function parseBasic(text: string): Authorization | undefined {
  const plain = Buffer.from(text.trim(), 'base64').toString('utf8');
  const colon = plain.indexOf(':');
  return colon < 0 ? undefined : { kind: 'basic', username: plain.slice(0, colon), password: plain.slice(colon + 1) };
}

function parseDigest(text: string): Authorization | undefined {
  const fields = new Map<string, string>();
  for (const match of text.matchAll(/([a-z-]{1,16})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/gi)) {
    const [, name = '', inQuotes, plain = ''] = match;
    fields.set(name.toLowerCase(), inQuotes === undefined ? plain : inQuotes.replace(/\\(.)/g, '$1'));
  }
  const of = (name: string) => fields.get(name);
  const [username, realm, nonce, uri, response] = ['username', 'realm', 'nonce', 'uri', 'response'].map(of);
  const algorithm = (of('algorithm') ?? 'MD5').toUpperCase();
  if (username === undefined || realm === undefined || nonce === undefined) return undefined;
  if (uri === undefined || response === undefined || (algorithm !== 'MD5' && algorithm !== 'SHA-256')) return undefined;
  const qop = of('qop');
  const [count, clientNonce] = [of('nc'), of('cnonce')];
  if (qop !== undefined && (qop.toLowerCase() !== 'auth' || count === undefined || clientNonce === undefined)) {
    return undefined;
  }
  const protection = qop === undefined ? undefined : { count: count ?? '', clientNonce: clientNonce ?? '' };
  return { kind: 'digest', digest: { username, realm, nonce, uri, response, algorithm, protection } };
}

function isProven(digest: Digest, method: string, secret: string): boolean {
  const { algorithm, nonce, uri, response, protection } = digest;
  const request = hashOf(algorithm, `${method}:${uri}`);
  const middle = protection === undefined ? nonce : `${nonce}:${protection.count}:${protection.clientNonce}:auth`;
  const expected = Buffer.from(hashOf(algorithm, `${secret.toLowerCase()}:${middle}:${request}`));
  const shown = Buffer.from(response.toLowerCase());
  return expected.length === shown.length && timingSafeEqual(expected, shown);
}

function hashOf(algorithm: DigestAlgorithm, text: string): string {
  return createHash(hashes[algorithm]).update(text, 'utf8').digest('hex');
}
