/**
 * Basic and digest logins (RFC 7617, RFC 7616 and its older form RFC 2069). One `Login` lives as long as a connection's
 * session: it remembers the server's challenge and answers it in every request. The password stays in here.
 */

import { createHash } from 'node:crypto';

export type Credentials = { readonly username: string; readonly password: string };

type Algorithm = { readonly name: string; readonly hash: 'md5' | 'sha256' | 'sha512-256'; readonly isSession: boolean };

type Challenge =
  | { readonly scheme: 'basic'; readonly realm: string }
  | {
      readonly scheme: 'digest';
      readonly realm: string;
      readonly nonce: string;
      readonly opaque: string | undefined;
      readonly algorithm: Algorithm;
      /** As the server wrote it, to be echoed; undefined when it wrote none. */
      readonly algorithmText: string | undefined;
      readonly hasQop: boolean;
      readonly isStale: boolean;
    };

const algorithms: readonly Algorithm[] = [
  { name: 'SHA-512-256', hash: 'sha512-256', isSession: false },
  { name: 'SHA-512-256-SESS', hash: 'sha512-256', isSession: true },
  { name: 'SHA-256', hash: 'sha256', isSession: false },
  { name: 'SHA-256-SESS', hash: 'sha256', isSession: true },
  { name: 'MD5', hash: 'md5', isSession: false },
  { name: 'MD5-SESS', hash: 'md5', isSession: true },
];

export class Login {
  readonly #credentials: Credentials | undefined;
  readonly #random: () => number;
  readonly #isBasicAllowed: boolean;
  #challenge: Challenge | undefined;
  #count = 0;
  #isProven = false;
  /** Schemes that the server refused although we answered: the next challenge of it is passed over. */
  readonly #refused = new Set<string>();

  /** @param options.isBasicAllowed  false where a redirect led to another host, which must not be shown the password */
  constructor(
    deps: { readonly random: () => number },
    options: { readonly credentials: Credentials | undefined; readonly isBasicAllowed: boolean },
  ) {
    this.#credentials = options.credentials;
    this.#random = deps.random;
    this.#isBasicAllowed = options.isBasicAllowed;
  }

  get hasCredentials(): boolean {
    return this.#credentials !== undefined;
  }

  /** The Authorization header's value, or undefined as long as the server did not ask. */
  authorization(method: string, uri: string): string | undefined {
    if (this.#credentials === undefined || this.#challenge === undefined) return undefined;
    const { username, password } = this.#credentials;
    if (this.#challenge.scheme === 'basic') {
      return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
    }
    return this.#digest(method, uri, username, password, this.#challenge);
  }

  /**
   * Takes the challenges of a 401. True when another try makes sense: never asked before, a new nonce that is stale by the
   * server's word, or another algorithm left to try (cameras that offer SHA-256 and then refuse it are known).
   *
   * @param wasAnswered  the refused request carried an Authorization header
   */
  challenged(values: readonly string[], wasAnswered: boolean): boolean {
    if (this.#credentials === undefined) return false;
    const challenges = values.flatMap(parseChallenges);
    const previous = this.#challenge;
    const isStale = challenges.some((challenge) => challenge.scheme === 'digest' && challenge.isStale);
    // Without the word `stale` a new nonce after a long time is still most likely that: it was good before.
    const wasGood = this.#isProven;
    if (wasAnswered && previous !== undefined && !isStale && !wasGood) this.#refused.add(keyOf(previous));
    this.#isProven = false;
    const best = challenges
      .filter(
        (challenge) => !this.#refused.has(keyOf(challenge)) && (this.#isBasicAllowed || challenge.scheme !== 'basic'),
      )
      .sort((a, b) => rank(a) - rank(b))[0];
    if (best === undefined) return false;
    this.#challenge = best;
    this.#count = 0;
    return true;
  }

  /** The server took our answer: a later 401 is about a nonce, not about the password. */
  accepted(): void {
    if (this.#challenge !== undefined) this.#isProven = true;
  }

  #digest(
    method: string,
    uri: string,
    username: string,
    password: string,
    challenge: Challenge & { scheme: 'digest' },
  ): string {
    const { realm, nonce, opaque, algorithm, algorithmText, hasQop } = challenge;
    const hash = (text: string) => createHash(algorithm.hash).update(text, 'utf8').digest('hex');
    const clientNonce = Array.from({ length: 4 }, () =>
      Math.floor(this.#random() * 0x10000)
        .toString(16)
        .padStart(4, '0'),
    ).join('');
    const secret = hash(`${username}:${realm}:${password}`);
    const a1 = algorithm.isSession ? hash(`${secret}:${nonce}:${clientNonce}`) : secret;
    const a2 = hash(`${method}:${uri}`);
    const count = (++this.#count).toString(16).padStart(8, '0');
    const response = hasQop ? hash(`${a1}:${nonce}:${count}:${clientNonce}:auth:${a2}`) : hash(`${a1}:${nonce}:${a2}`);
    return [
      `Digest username=${quoted(username)}`,
      `realm=${quoted(realm)}`,
      `nonce=${quoted(nonce)}`,
      `uri="${uri}"`,
      `response="${response}"`,
      ...(algorithmText === undefined ? [] : [`algorithm=${algorithmText}`]),
      ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
      ...(hasQop ? ['qop=auth', `nc=${count}`] : []),
      ...(hasQop || algorithm.isSession ? [`cnonce="${clientNonce}"`] : []),
    ].join(', ');
  }
}

/** Challenges of one WWW-Authenticate value, which may hold several; those of unknown schemes are left out. */
export function parseChallenges(value: string): readonly Challenge[] {
  const parts = value.split(/(?:^|,)\s*(?=(?:basic|digest|negotiate|bearer|ntlm)\b)/i);
  return parts.map(parseChallenge).filter((challenge) => challenge !== undefined);
}

function parseChallenge(text: string): Challenge | undefined {
  const scheme = /^\s*(\w+)/.exec(text)?.[1]?.toLowerCase();
  const parameter = (name: string) => {
    const match = new RegExp(`(?:^|[\\s,])${name}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,]+))`, 'i').exec(text);
    return match?.[1]?.replace(/\\(.)/g, '$1') ?? match?.[2];
  };
  const realm = parameter('realm') ?? '';
  if (scheme === 'basic') return { scheme, realm };
  if (scheme !== 'digest') return undefined;
  const nonce = parameter('nonce');
  const algorithmText = parameter('algorithm');
  const algorithm = algorithms.find(
    ({ name }) => name === (algorithmText ?? 'MD5').toUpperCase().replace('SHA256', 'SHA-256'),
  );
  if (nonce === undefined || algorithm === undefined) return undefined;
  const qop = parameter('qop')
    ?.toLowerCase()
    .split(/[\s,]+/);
  return {
    scheme,
    realm,
    nonce,
    opaque: parameter('opaque'),
    algorithm,
    algorithmText,
    hasQop: qop?.includes('auth') ?? false,
    isStale: parameter('stale')?.toLowerCase() === 'true',
  };
}

/** Strongest first; basic sends the password and comes last. */
function rank(challenge: Challenge): number {
  return challenge.scheme === 'basic' ? algorithms.length : algorithms.indexOf(challenge.algorithm);
}

function keyOf(challenge: Challenge): string {
  return challenge.scheme === 'basic' ? 'basic' : challenge.algorithm.name;
}

function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}
