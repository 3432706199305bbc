/** The login inside an envelope: WS-Security UsernameToken with a digest (WSS UsernameToken Profile 1.0, section 3). Pure. */

import { createHash } from 'node:crypto';
import type { Credentials } from '../rtsp/index.ts';
import { escapeXml } from './xml.ts';

const wss = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss';

/**
 * The header's element.
 *
 * @param facts.deviceMs  what the device's own clock says: it refuses what it takes for old or from the future
 * @param facts.nonce     16 random bytes
 */
export function usernameToken(
  { username, password }: Credentials,
  facts: { readonly deviceMs: number; readonly nonce: Uint8Array },
): string {
  const created = new Date(facts.deviceMs).toISOString();
  const digest = createHash('sha1')
    .update(facts.nonce)
    .update(created, 'utf8')
    .update(password, 'utf8')
    .digest('base64');
  const nonce = Buffer.from(facts.nonce).toString('base64');
  return [
    `<Security s:mustUnderstand="1" xmlns="${wss}-wssecurity-secext-1.0.xsd"><UsernameToken>`,
    `<Username>${escapeXml(username)}</Username>`,
    `<Password Type="${wss}-username-token-profile-1.0#PasswordDigest">${digest}</Password>`,
    `<Nonce EncodingType="${wss}-soap-message-security-1.0#Base64Binary">${nonce}</Nonce>`,
    `<Created xmlns="${wss}-wssecurity-utility-1.0.xsd">${created}</Created>`,
    '</UsernameToken></Security>',
  ].join('');
}
