/**
 * Who clients of the KVS API are, whichever key they sign with: lasting access keys from the catalog, temporary ones by their
 * session token. Everything is looked up at each use, so that what is revoked, disabled, removed or denied counts at once.
 */

import {
  assumedRoleArn,
  awsError,
  type KeyAnswer,
  type KeyLookup,
  type KvsSite,
  type StsPrincipal,
  userArn,
} from '../../gateway/kvs/index.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Catalog, Device, PolicyStatement } from '../../storage/catalog/index.ts';
import type { SecretBox } from '../secrets/index.ts';
import { accessKeyLookup } from './access-keys.ts';
import type { Authentication } from './authentication.ts';
import { decide, isActionOf, type Subject } from './authoriser.ts';
import { allPoliciesAlias, type Identity, isTemporary, type TemporaryKeys } from './temporary-keys.ts';

/** What devices, and roles assumed by them, are sealed for. */
export const sessionTokenPurpose = 'session-token';

/** A client as it is now. */
export type KvsClient = {
  readonly identity: Identity;
  readonly subject: Subject;
  readonly principal: StsPrincipal;
  /** The lasting access key, or `device/<thing name>`: who answers for it, in quotas and usage. */
  readonly accountable: string;
};

type Credentials = { readonly accessKeyId: string; readonly sessionToken: string | undefined };

export type KvsIdentitiesDeps = {
  readonly log: Log;
  readonly catalog: Catalog;
  readonly authentication: Authentication;
  readonly accessKeySecrets: SecretBox;
  readonly temporaryKeys: TemporaryKeys;
};

export class KvsIdentities {
  readonly #deps: KvsIdentitiesDeps;
  readonly #site: KvsSite;

  constructor(deps: KvsIdentitiesDeps, options: { readonly site: KvsSite }) {
    this.#deps = deps;
    this.#site = options.site;
  }

  /** Secrets by which signatures are verified. */
  keyOf(nowMs: number): KeyLookup {
    const { accessKeySecrets, temporaryKeys } = this.#deps;
    const lasting = accessKeyLookup({ ...this.#deps, secrets: accessKeySecrets }, nowMs);
    return (asked): KeyAnswer => {
      const { accessKeyId, sessionToken } = asked;
      if (!isTemporary(accessKeyId) || sessionToken === undefined) return lasting(asked);
      const opened = temporaryKeys.open(accessKeyId, sessionToken);
      if (opened === undefined || this.clientOf(opened.identity, nowMs) === undefined) return { kind: 'unknown' };
      if (opened.expiresMs <= nowMs) return { kind: 'expired' };
      return { kind: 'secret', secretAccessKey: opened.secretAccessKey };
    };
  }

  /**
   * Whose verified signature it was, and notes that they were here.
   * @throws AppError UnrecognizedClientException  they went in the meantime
   */
  identify({ accessKeyId, sessionToken }: Credentials, nowMs: number): KvsClient {
    const identity: Identity | undefined =
      sessionToken === undefined
        ? { kind: 'access-key', id: accessKeyId }
        : this.#deps.temporaryKeys.open(accessKeyId, sessionToken)?.identity;
    const client = identity === undefined ? undefined : this.clientOf(identity, nowMs);
    if (client === undefined) {
      throw awsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
    }
    this.#touch(client.identity, nowMs);
    return client;
  }

  /**
   * A client as it is now; undefined when it is none any more: its key was disabled, its device revoked, its role may not be
   * assumed by it any longer or has gone.
   */
  clientOf(identity: Identity, nowMs: number): KvsClient | undefined {
    switch (identity.kind) {
      case 'access-key':
        return this.#accessKey(identity, nowMs);
      case 'device':
        return this.#device(identity, nowMs);
      case 'role':
        return this.#role(identity, nowMs);
    }
  }

  /** The role of an ARN, if this client may assume it and there is one. */
  mayAssume(subject: Subject, role: { readonly arn: string; readonly policy: string }): boolean {
    const isAllowed = decide(namingRoles(subject), 'sts:AssumeRole', role.arn);
    return isAllowed && this.#deps.catalog.tables.policies.find(role.policy) !== undefined;
  }

  #accessKey(identity: Identity & { readonly kind: 'access-key' }, nowMs: number): KvsClient | undefined {
    const { catalog, authentication } = this.#deps;
    const key = catalog.tables.accessKeys.findToVerify(identity.id, nowMs);
    if (key === undefined) return undefined;
    const principal = { arn: userArn(this.#site, key.name), userId: key.id };
    return { identity, subject: authentication.accessKeySubject(key), principal, accountable: key.id };
  }

  #device(identity: Identity & { readonly kind: 'device' }, nowMs: number): KvsClient | undefined {
    const { catalog, authentication } = this.#deps;
    const device = catalog.tables.devices.findGood(identity.id, nowMs);
    const policies = device === undefined ? undefined : policiesOfAlias(device, identity.alias);
    if (device === undefined || policies === undefined) return undefined;
    const { id, name } = device;
    const subject = authentication.clientSubject({ kind: 'device', id, name, policies, denying: device.policies });
    const arn = assumedRoleArn(this.#site, { role: identity.alias, session: name });
    return { identity, subject, principal: { arn, userId: `${id}:${name}` }, accountable: `device/${name}` };
  }

  #role(identity: Identity & { readonly kind: 'role' }, nowMs: number): KvsClient | undefined {
    const { policy, session, restriction } = identity;
    const by = this.clientOf(identity.by, nowMs);
    const arn = `arn:aws:iam::${this.#site.accountId}:role/${policy}`;
    if (by === undefined || !this.mayAssume(by.subject, { arn, policy })) return undefined;
    const subject = this.#deps.authentication.clientSubject({
      kind: 'role',
      // Of whoever assumed it, so that the audit list finds everything that a key or device did.
      id: by.subject.id,
      name: `${policy}/${session}`,
      policies: [policy],
      restriction,
    });
    const principal = { arn: assumedRoleArn(this.#site, { role: policy, session }), userId: `${policy}:${session}` };
    return { identity, subject, principal, accountable: by.accountable };
  }

  #touch(identity: Identity, nowMs: number): void {
    const { accessKeys, devices } = this.#deps.catalog.tables;
    if (identity.kind === 'role') {
      this.#touch(identity.by, nowMs);
      return;
    }
    const table = identity.kind === 'device' ? devices : accessKeys;
    const found = table.find(identity.id);
    if (found !== undefined) table.touch(found, nowMs);
  }
}

/**
 * A subject that is denied something, by its policies or by what it was narrowed to, may assume only roles that it is allowed by
 * name: one that has everything but a little by `*` would get that little by a role that nobody meant to give it.
 */
function namingRoles(subject: Subject): Subject {
  const { statements, restriction } = subject;
  return {
    ...subject,
    statements: allowingByName(statements),
    restriction: restriction === undefined ? undefined : allowingByName(restriction),
  };
}

function allowingByName(statements: readonly PolicyStatement[]): readonly PolicyStatement[] {
  if (statements.every(({ effect }) => effect === 'allow')) return statements;
  return statements.map((statement) =>
    statement.effect === 'deny'
      ? statement
      : { ...statement, actions: statement.actions.filter((action) => isActionOf('sts', action)) },
  );
}

/** What a device may do under a role alias; undefined when the alias is none of its policies. */
export function policiesOfAlias(device: Device, alias: string): readonly string[] | undefined {
  if (alias === allPoliciesAlias) return device.policies;
  return device.policies.includes(alias) ? [alias] : undefined;
}
