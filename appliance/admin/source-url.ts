/**
 * Addresses of cameras as people paste them: user and password are taken out, and what a maker put into path or query is
 * hidden wherever the address is shown. Pure.
 */

import { appError } from '../../storage/base/errors.ts';

export type PlainCredentials = { readonly username: string; readonly password: string };

export type ParsedUrl = { readonly url: string; readonly credentials?: PlainCredentials };

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
export function parseSourceUrl(text: string, field = 'source.url'): ParsedUrl {
  return parseUrl(text, { field, schemes: ['rtsp', 'rtsps'], example: 'rtsp://camera.example/path' });
}

/**
 * The same of an ONVIF device service.
 * @throws AppError invalid_argument  it is no http or https address
 */
export function parseDeviceUrl(text: string): ParsedUrl {
  const example = 'http://camera.example/onvif/device_service';
  const parsed = parseUrl(text, { field: 'onvif.url', schemes: ['http', 'https'], example });
  const { pathname } = new URL(parsed.url);
  return pathname === '/' ? { ...parsed, url: new URL('/onvif/device_service', parsed.url).href } : parsed;
}

function parseUrl(
  text: string,
  {
    field,
    schemes,
    example,
  }: { readonly field: string; readonly schemes: readonly string[]; readonly example: string },
): ParsedUrl {
  const refuse = (message: string, hint: string) => appError('invalid_argument', message, { field, hint });
  const match = /^([a-z]+):\/\/(?:([^/?#]*)@)?([^/?#@]+)([/?#].*)?$/i.exec(text.trim());
  if (match === null || /[\s\p{C}]/u.test(text.trim()) || !schemes.includes((match[1] ?? '').toLowerCase())) {
    throw refuse(`this is not an ${schemes[0]} address`, `write it as ${example}`);
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
  return `${hostOf(url)}:${port === '' ? defaultPorts[protocol] : port}`;
}

const defaultPorts: Readonly<Record<string, number>> = { 'rtsp:': 554, 'rtsps:': 322, 'http:': 80, 'https:': 443 };
const securedSchemes = ['rtsps:', 'https:'];

/** What protects a connection: less of it is given up only knowingly. */
type Protection = { readonly url: string; readonly tls: 'verify' | 'any' };

/** True when encryption, or the proof of who is at the other end, is given up. */
export function isLessSecret(source: Protection, before: Protection): boolean {
  const isSecured = ({ url }: Protection) => securedSchemes.includes(new URL(url).protocol);
  return isSecured(before) && (!isSecured(source) || (before.tls === 'verify' && source.tls === 'any'));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoded after all: taken as it stands.
    return text;
  }
}

/** An address with what protects it. */
export type Address = Protection;

type Whose = { readonly field: string; readonly whose: "the camera's" | 'the stored' };

/**
 * Credentials go to the device they were entered for, and as well protected: who may edit cameras may not learn their passwords
 * by sending them to a machine of their own, or in the clear.
 *
 * @param home  where the credentials were entered for; undefined when there is no such place any more
 * @throws AppError invalid_argument  the address leads elsewhere, or TLS is given up
 */
export function requireSameDevice(target: Address, home: Address | undefined, { field, whose }: Whose): void {
  const isElsewhere = home === undefined || deviceOf(target.url) !== deviceOf(home.url);
  if (!isElsewhere && !isLessSecret(target, home)) return;
  const what = isElsewhere ? 'leads to another host or port than' : 'is less protected than the one that';
  throw appError('invalid_argument', `the address ${what} ${whose} user and password are for`, {
    field,
    hint:
      field === 'credentials'
        ? 'enter user and password again, or null for none'
        : 'enter the user and password of this address, empty ones if it asks for none',
  });
}

/** The same where another port is another service of the device. @throws AppError invalid_argument  the host is another */
export function requireSameHost(url: string, home: Address | undefined, { field, whose }: Whose): void {
  if (home !== undefined && hostOf(url) === hostOf(home.url)) return;
  throw appError('invalid_argument', `the address leads to another host than ${whose} user and password are for`, {
    field,
    hint: 'enter the user and password of this address, empty ones if it asks for none',
  });
}
