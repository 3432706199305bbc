/** What RTSP readers may watch: people by password, programs by token, all of them asked about at the one authoriser. */

import type { RtspGate, RtspOrigin, RtspReader } from '../../gateway/rtsp-server/index.ts';
import { appError } from '../../storage/base/errors.ts';
import type { Catalog } from '../../storage/catalog/index.ts';
import type { SecretBox } from '../secrets/index.ts';
import type { Authentication, LoginOrigin } from './authentication.ts';
import { decide, type Subject } from './authoriser.ts';
import { streamResource } from './resources.ts';
import { findStreamByAnyName } from './stream-names.ts';
import { openDigest, rtspRealm } from './token-digests.ts';
import type { UsageBook } from './usage-book.ts';

export type RtspGateDeps = {
  readonly catalog: Catalog;
  readonly authentication: Authentication;
  readonly digests: SecretBox;
  readonly usage: Pick<UsageBook, 'counter'>;
};

/** @param options.arePlainPasswordsAllowed  also where they cross a network without TLS */
export function rtspGate(deps: RtspGateDeps, options: { readonly arePlainPasswordsAllowed: boolean }): RtspGate {
  const { authentication, digests } = deps;
  return {
    realm: rtspRealm,
    isBasicOffered: ({ isEncrypted, address }) =>
      isEncrypted || options.arePlainPasswordsAllowed || isLoopback(address),
    async identify(credentials, origin) {
      const { username } = credentials;
      if (credentials.kind === 'basic') {
        return readerOf(deps, await authentication.byPassword(username, credentials.password, loginOrigin(origin)));
      }
      const { algorithm, isProvenBy } = credentials;
      const isProven = (sealed: string) => {
        const secret = openDigest(digests, sealed, { username, algorithm });
        return secret !== undefined && isProvenBy(secret);
      };
      return readerOf(deps, authentication.byDigest(username, isProven, loginOrigin(origin)));
    },
  };
}

function readerOf({ catalog, authentication, usage }: RtspGateDeps, subject: Subject): RtspReader {
  /** A reader is asked about again and again while it plays. */
  const idsOfNames = new Map<string, string>();
  const counters = new Map<string, (bytes: number) => void>();
  const shownHash = passwordHashOf(catalog, subject);
  return {
    name: subject.name,
    view(name) {
      const now = authentication.refreshed(subject);
      if (now.kind === 'anonymous') throw appError('unauthenticated', 'the account or token is gone');
      if (passwordHashOf(catalog, subject) !== shownHash) {
        throw appError('unauthenticated', 'the password was changed');
      }
      const known = idsOfNames.get(name);
      const stream =
        known === undefined ? findStreamByAnyName(catalog, name) : catalog.tables.cameras.findStream(known);
      if (!decide(now, 'streams:view', streamResource(catalog, stream?.id ?? '-'))) {
        throw appError('permission_denied', 'your role does not allow "streams:view" here');
      }
      if (stream === undefined) throw appError('not_found', 'no stream or camera has this name');
      idsOfNames.set(name, stream.id);
      return { streamId: stream.id, name: stream.name };
    },
    onSent: (streamId, bytes) => {
      const { kind, id } = subject;
      const count =
        counters.get(streamId) ??
        usage.counter({ streamId, direction: 'out', protocol: 'rtsp', subject: { kind, id } });
      counters.set(streamId, count);
      count(bytes);
    },
  };
}

/** Whoever was let in by a password is let in by that one: a new one ends connections as it ends sessions of the page. */
function passwordHashOf(catalog: Catalog, { kind, id }: Subject): string | undefined {
  return kind === 'user' ? catalog.tables.users.find(id)?.passwordHash : undefined;
}

function loginOrigin({ address, requestId }: RtspOrigin): LoginOrigin {
  return { address, requestId, userAgent: 'rtsp' };
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
