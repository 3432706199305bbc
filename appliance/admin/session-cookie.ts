/**
 * The session cookie. Over TLS it has the `__Host-` prefix, so that no other host or plain connection can set it. Over plain
 * HTTP (loopback, or allowed by setting) browsers refuse that, so it has another name and neither kind is taken for the other.
 */

import { adminLimits } from './limits.ts';

const encryptedName = '__Host-weir';
const plainName = 'weir-plain';

/** The value of our cookie in a `Cookie` header, or undefined. */
export function sessionCookie(header: string | undefined, isEncrypted: boolean): string | undefined {
  const wanted = isEncrypted ? encryptedName : plainName;
  for (const pair of (header ?? '').split(';', 64)) {
    const equals = pair.indexOf('=');
    const value = pair.slice(equals + 1).trim();
    if (pair.slice(0, Math.max(0, equals)).trim() === wanted && /^[\w-]{43}$/.test(value)) return value;
  }
  return undefined;
}

/** `Set-Cookie` for a session that began. */
export function setSessionCookie(value: string, isEncrypted: boolean): string {
  return cookie(value, Math.floor(adminLimits.sessionMsMax / 1000), isEncrypted);
}

/** `Set-Cookie` that takes it away. */
export function clearSessionCookie(isEncrypted: boolean): string {
  return cookie('', 0, isEncrypted);
}

function cookie(value: string, maxAgeSeconds: number, isEncrypted: boolean): string {
  const name = isEncrypted ? encryptedName : plainName;
  const secure = isEncrypted ? '; Secure' : '';
  return `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure}`;
}
