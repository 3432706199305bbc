/**
 * Signatures of what we send, as https://www.standardwebhooks.com has them, so that receivers find a library:
 *
 *   webhook-id: <delivery, the same for every attempt>
 *   webhook-timestamp: <seconds since 1970, of this attempt>
 *   webhook-signature: v1,<base64 of HMAC-SHA256(secret, "<id>.<timestamp>.<body>")>
 *
 * A receiver compares the signature, refuses a timestamp more than five minutes from its own, and takes an id it knows as told.
 */

import { createHmac } from 'node:crypto';
import { appError } from '../../storage/base/errors.ts';

/** 256 bits, as long as the hash. */
const secretBytes = 32;
const prefix = 'whsec_';

/** A new secret as people copy it: `whsec_` and 32 bytes in base64. */
export function newSecret(random: (bytes: number) => Uint8Array): string {
  return `${prefix}${Buffer.from(random(secretBytes)).toString('base64')}`;
}

/** The headers of one attempt. @throws AppError data_loss  the secret is none of ours */
export function signedHeaders(
  message: { readonly id: string; readonly body: string },
  options: { readonly secret: string; readonly nowMs: number },
): Record<string, string> {
  const timestamp = String(Math.floor(options.nowMs / 1_000));
  const signature = createHmac('sha256', keyOf(options.secret))
    .update(`${message.id}.${timestamp}.${message.body}`)
    .digest('base64');
  return { 'webhook-id': message.id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

function keyOf(secret: string): Uint8Array {
  const key = Buffer.from(secret.slice(prefix.length), 'base64');
  if (!secret.startsWith(prefix) || key.length !== secretBytes)
    throw appError('data_loss', 'the signing secret is damaged');
  return key;
}
