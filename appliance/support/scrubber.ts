/**
 * The last look at every text before it leaves: secrets that we know are taken out in every form that they may have taken, and
 * what has the form of a secret too. What is collected has none to begin with; this is for what a stranger's message echoes.
 */

import { isIP } from 'node:net';
import { withoutCredentials } from '../../storage/base/log.ts';

export type ScrubberOptions = {
  /** Passwords, keys and addresses with one in their path, as they are. Shorter ones than four characters cannot be told from words. */
  readonly secrets: readonly string[];
  /** Names and addresses to be masked, each by the same word everywhere; undefined: they stay. */
  readonly hosts: readonly string[] | undefined;
};

const secretCharactersMin = 4;
const secretMark = '(secret)';

/** Forms of secrets of ours, wherever they stand. */
const forms: readonly RegExp[] = [
  // An API token: 32 random bytes.
  /weir_[A-Za-z0-9_-]{40,}/g,
  // A webhook's signing secret.
  /whsec_[A-Za-z0-9+/_-]{20,}={0,2}/g,
  // A stream key, as publishers send it.
  /(?<![a-z0-9])[a-z2-7]{32}(?![a-z0-9])/g,
  // What opens a streaming session, or signs a request, in a URL or header of the KVS API.
  /\b(?:SessionToken|X-Amz-Security-Token|X-Amz-Signature|Signature)=[A-Za-z0-9%+/=_.~-]{32,}/g,
  // Sealed by the site key, and the key itself.
  /\bv1\.[0-9a-f]{8}\.[A-Za-z0-9_-]{30,}/g,
  /weir-site-key-v1 [0-9a-f]{8} \S+/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b(?:Basic|Bearer|Digest) [A-Za-z0-9+/=_.~-]{8,}/g,
];

/** IPv4 with four numbers; what is no address (a version) is masked with it. */
const ipv4 = /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/g;
/** Two groups at least with a double colon, or eight: times of day have three at most. */
const ipv6 =
  /(?<![\w:])(?:[0-9a-f]{1,4}:){1,7}:(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?(?![\w:])|(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])/gi;
/** Say nothing of a site. */
const commonHosts = new Set(['127.0.0.1', '0.0.0.0', '::1', 'localhost']);

export class Scrubber {
  readonly #needles: readonly string[];
  readonly #hosts: readonly string[] | undefined;
  readonly #masks = new Map<string, string>();

  constructor({ secrets, hosts }: ScrubberOptions) {
    const known = new Set(secrets.filter((secret) => secret.length >= secretCharactersMin).flatMap(encodingsOf));
    this.#needles = [...known].sort((a, b) => b.length - a.length);
    this.#hosts = hosts
      ?.filter((host) => host.length > 1 && isIP(host) === 0 && !commonHosts.has(host))
      .sort((a, b) => b.length - a.length);
  }

  scrub(text: string): string {
    let clean = text;
    for (const needle of this.#needles) if (clean.includes(needle)) clean = clean.replaceAll(needle, secretMark);
    for (const form of forms) clean = clean.replace(form, secretMark);
    clean = withoutCredentials(clean);
    return this.#hosts === undefined ? clean : this.#withoutHosts(clean, this.#hosts);
  }

  #withoutHosts(text: string, hosts: readonly string[]): string {
    let masked = text;
    for (const host of hosts) {
      const word = new RegExp(
        `(?<![A-Za-z0-9.-])${host.replace(/[^A-Za-z0-9]/g, '\\$&')}(?![A-Za-z0-9-]|\\.[A-Za-z0-9])`,
        'gi',
      );
      masked = masked.replace(word, () => this.#maskOf(host.toLowerCase()));
    }
    return masked
      .replace(ipv4, (address) => (isIP(address) === 4 ? this.#maskOf(address) : address))
      .replace(ipv6, (address) => (isIP(address) === 6 ? this.#maskOf(address.toLowerCase()) : address));
  }

  #maskOf(host: string): string {
    if (commonHosts.has(host)) return host;
    const known = this.#masks.get(host);
    if (known !== undefined) return known;
    const mask = `host-${this.#masks.size + 1}`;
    this.#masks.set(host, mask);
    return mask;
  }
}

/** How a secret may stand in a text: as it is, in JSON, in URLs, in hexadecimal, and in base64 at any offset of what was encoded. */
export function encodingsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const percent = encodeURIComponent(secret);
  const strict = percent.replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
  const all = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const base64 = [0, 1, 2].map((offset) => innerBase64(bytes, offset)).filter((text) => text.length >= 5);
  return [
    ...[secret, JSON.stringify(secret).slice(1, -1), encodeURI(secret), percent, percent.toLowerCase(), strict],
    ...[strict.toLowerCase(), percent.replaceAll('%20', '+'), all, all.toUpperCase()],
    ...[bytes.toString('hex'), bytes.toString('hex').toUpperCase()],
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ].filter((text) => text.length >= secretCharactersMin);
}

/** The letters of a base64 text that these bytes alone decide, wherever they begin in what was encoded. */
function innerBase64(bytes: Uint8Array, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const end = (offset + bytes.length) % 3 === 0 ? text.length : text.length - 1;
  return text.slice([0, 2, 3][offset], end);
}
