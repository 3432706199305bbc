/**
 * Credentials for a TURN server that shares a secret with us (coturn's `use-auth-secret`, the TURN REST form): whoever shows them
 * was let in by us, until they expire, and the server need not ask. Pure.
 */

import { createHmac } from 'node:crypto';

/** A TURN server, or several that share one secret. */
export type TurnServers = {
  /** `turn:` and `turns:` URIs as clients get them. */
  readonly uris: readonly string[];
  /** How long credentials are good. */
  readonly ttlS: number;
  readonly secret: string;
};

export type IceServer = {
  readonly uris: readonly string[];
  readonly username: string;
  readonly password: string;
  readonly ttlS: number;
};

/** Native clients take so many URIs in an entry. */
const urisPerEntryMax = 4;

/**
 * @param who  tells one client from another in the TURN server's log and quota: letters, digits, dots, dashes
 */
export function iceServers(
  { uris, ttlS, secret }: TurnServers,
  { who, nowMs }: { readonly who: string; readonly nowMs: number },
): IceServer[] {
  const username = `${Math.floor(nowMs / 1_000) + ttlS}:${who}`;
  const password = createHmac('sha1', secret).update(username).digest('base64');
  const groups = Array.from({ length: Math.ceil(uris.length / urisPerEntryMax) }, (_, i) =>
    uris.slice(i * urisPerEntryMax, (i + 1) * urisPerEntryMax),
  );
  return groups.map((group) => ({ uris: group, username, password, ttlS }));
}
