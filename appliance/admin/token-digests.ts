/**
 * What digests of API tokens are verified by: made when the token is, since of its secret nothing else is kept that would do.
 * Whoever reads them could log in to RTSP with them, so they lie sealed under the site key.
 */

import { z } from 'zod';
import { type DigestAlgorithm, digestSecret } from '../../gateway/rtsp-server/index.ts';
import type { SecretBox } from '../secrets/index.ts';

/** Part of every digest: a change would end them all. */
export const rtspRealm = 'weir';

/** What the digests are sealed for. */
export const digestPurpose = 'rtsp-digest';

const algorithms: readonly DigestAlgorithm[] = ['MD5', 'SHA-256'];
const stored = z.record(z.string(), z.string());

/** Verifiers of a token by its id and by its name, sealed. */
export function sealDigests(
  box: SecretBox,
  token: { readonly id: string; readonly name: string; readonly secret: string },
): string {
  const entries = [token.id, token.name].flatMap((username) =>
    algorithms.map((algorithm): readonly [string, string] => {
      const facts = { username, realm: rtspRealm, password: token.secret };
      return [keyOf(algorithm, username), digestSecret(algorithm, facts)];
    }),
  );
  return box.seal(JSON.stringify(Object.fromEntries(entries)));
}

/** The verifier for what a reader calls itself, or undefined. @throws AppError  the sealed text does not open */
export function openDigest(
  box: SecretBox,
  sealed: string,
  asked: { readonly username: string; readonly algorithm: DigestAlgorithm },
): string | undefined {
  const digests = stored.parse(JSON.parse(box.unseal(sealed)));
  const key = keyOf(asked.algorithm, asked.username);
  return Object.hasOwn(digests, key) ? digests[key] : undefined;
}

function keyOf(algorithm: DigestAlgorithm, username: string): string {
  return `${algorithm} ${username}`;
}
