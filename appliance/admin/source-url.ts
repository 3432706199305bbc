/**
 * Addresses of cameras as people paste them: user and password are taken out, and what a maker put into path or query is
 * hidden wherever the address is shown. Pure.
 */

import { appError } from '../../storage/base/errors.ts';

export type PlainCredentials = { readonly username: string; readonly password: string };

/** Stands for a hidden value. */
const hidden = '***';

/** `rtsp://10.0.0.9/user=admin&password=x&channel=1` and the like. */
const secretParameter = /([?&;/](?:pass(?:word|wd)?|pwd|psw|passwort|token|auth|secret|key)=)([^&;/?#]*)/gi;

/**
 * Takes an address apart.
 *
 * @returns the address without user and password, and those if it had them
 * @throws AppError invalid_argument  it is no rtsp or rtsps address
 */
export function parseSourceUrl(text: string): { readonly url: string; readonly credentials?: PlainCredentials } {
  const refuse = (message: string, hint: string) =>
    appError('invalid_argument', message, { field: 'source.url', hint });
  const match = /^(rtsps?):\/\/(?:([^/?#]*)@)?([^/?#@]+)([/?#].*)?$/i.exec(text.trim());
  if (match === null || /[\s\p{C}]/u.test(text.trim())) {
    throw refuse('this is not an rtsp address', 'write it as rtsp://camera.example/path');
  }
  const [, scheme = '', userInfo, authority = '', rest = ''] = match;
  const url = `${scheme.toLowerCase()}://${authority}${rest}`;
  if (!URL.canParse(url) || hostOf(url) === '') throw refuse('this address has no usable host', 'check host and port');
  if (text.includes(`=${hidden}`)) throw refuse('the address has *** where a secret was hidden', 'enter it whole');
  if (userInfo === undefined || userInfo === '') return { url };
  // The first colon ends the user name: passwords may have more of them.
  const colon = userInfo.indexOf(':');
  const username = decoded(colon < 0 ? userInfo : userInfo.slice(0, colon));
  return { url, credentials: { username, password: colon < 0 ? '' : decoded(userInfo.slice(colon + 1)) } };
}

/** The address as it is shown: values of parameters that look like secrets are hidden. */
export function shownUrl(url: string): string {
  return url.replace(secretParameter, `$1${hidden}`);
}

/** The host an address leads to, in lower case. */
export function hostOf(url: string): string {
  return new URL(url).hostname.toLowerCase();
}

/** Host and port, as `host:port`: behind one address another port is often another device. */
export function deviceOf(url: string): string {
  const { protocol, port } = new URL(url);
  return `${hostOf(url)}:${port === '' ? (protocol === 'rtsps:' ? 322 : 554) : port}`;
}

/** What protects a connection: less of it is given up only knowingly. */
type Protection = { readonly url: string; readonly tls: 'verify' | 'any' };

/** True when encryption, or the proof of who is at the other end, is given up. */
export function isLessSecret(source: Protection, before: Protection): boolean {
  if (new URL(before.url).protocol !== 'rtsps:') return false;
  return new URL(source.url).protocol !== 'rtsps:' || (before.tls === 'verify' && source.tls === 'any');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoded after all: taken as it stands.
    return text;
  }
}
