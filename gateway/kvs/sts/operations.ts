/** STS as far as clients of the KVS API need it: who am I, and credentials of another role for an hour. Values in, XML out. */

import type { PolicyStatement } from '../../../storage/catalog/index.ts';
import type { KvsSite } from '../arns.ts';
import { stsError } from './errors.ts';
import { readSessionPolicy } from './session-policy.ts';
import { type XmlMembers, xmlMembers, xmlText } from './xml.ts';

/** Whom STS sees: names by which AWS tools show a caller. */
export type StsPrincipal = { readonly arn: string; readonly userId: string };

/** What a role is assumed with. */
export type RoleWish = {
  /** The policy that is the role. */
  readonly policy: string;
  readonly sessionName: string;
  readonly durationMs: number;
  readonly restriction: readonly PolicyStatement[] | undefined;
};

export type StsCall = {
  readonly form: ReadonlyMap<string, string>;
  readonly site: KvsSite;
  readonly requestId: string;
  readonly principal: StsPrincipal;
  /** Their own credentials are temporary: a role then lasts an hour at most. */
  readonly isTemporary: boolean;
  /** May the caller assume the role of this ARN, and is there one? */
  readonly mayAssume: (role: { readonly arn: string; readonly policy: string }) => boolean;
  /** Undefined: the token would be longer than clients send. */
  readonly assume: (wish: RoleWish) =>
    | {
        readonly accessKeyId: string;
        readonly secretAccessKey: string;
        readonly sessionToken: string;
        readonly expiresMs: number;
      }
    | undefined;
};

const version = '2011-06-15';
const secondsMin = 900;
const secondsMax = 43_200;
const secondsDefault = 3_600;
/** As AWS bounds chained roles. */
const secondsOfChainedMax = 3_600;

/** Each would narrow a session, or bind it to something, in a way that is not kept here. */
const refusedParameters =
  /^(PolicyArns|Tags|TransitiveTagKeys|ProvidedContexts|SerialNumber|TokenCode|SourceIdentity)\b/;

/** The body of a 200. @throws AppError  as `stsErrorAnswer` tells them */
export function answerSts(call: StsCall): string {
  const action = call.form.get('Action');
  if (action === undefined) throw stsError('MissingAction', 'The request has no Action.');
  if (call.form.get('Version') !== version) {
    throw stsError('InvalidAction', `Version must be ${version}.`);
  }
  if (action === 'GetCallerIdentity') return resultOf(call, 'GetCallerIdentity', callerIdentity(call));
  if (action === 'AssumeRole') return resultOf(call, 'AssumeRole', assumeRole(call));
  throw stsError('InvalidAction', 'There are GetCallerIdentity and AssumeRole here.');
}

function callerIdentity({ principal, site }: StsCall): XmlMembers {
  return { Arn: principal.arn, UserId: principal.userId, Account: site.accountId };
}

function assumeRole(call: StsCall): XmlMembers {
  const { form, site, principal } = call;
  const refused = [...form.keys()].find((name) => refusedParameters.test(name));
  if (refused !== undefined) throw stsError('ValidationError', `${refused} is not supported here.`);
  const role = roleOf(required(form, 'RoleArn', /^[\x21-\x7e]{20,2048}$/));
  const sessionName = required(form, 'RoleSessionName', /^[\w+=,.@-]{2,64}$/);
  const seconds = secondsOf(call);
  const policyText = form.get('Policy');
  const restriction = policyText === undefined ? undefined : readSessionPolicy(policyText);
  // Whoever may not assume a role does not learn whether there is one.
  if (role.accountId !== site.accountId || !call.mayAssume(role)) {
    throw stsError(
      'AccessDenied',
      `User: ${principal.arn} is not authorized to perform: sts:AssumeRole on resource: ${role.arn}`,
    );
  }
  const { policy } = role;
  const made = call.assume({ policy, sessionName, durationMs: seconds * 1_000, restriction });
  if (made === undefined) {
    throw stsError('PackedPolicyTooLarge', 'The session policy makes a session token that is too long.');
  }
  return {
    Credentials: {
      AccessKeyId: made.accessKeyId,
      SecretAccessKey: made.secretAccessKey,
      SessionToken: made.sessionToken,
      Expiration: secondsText(made.expiresMs),
    },
    AssumedRoleUser: {
      AssumedRoleId: `${policy}:${sessionName}`,
      Arn: assumedRoleArn(site, { role: policy, session: sessionName }),
    },
  };
}

/** `arn:aws:sts::000000000000:assumed-role/uploader/session`. */
export function assumedRoleArn(
  { accountId }: KvsSite,
  { role, session }: { readonly role: string; readonly session: string },
): string {
  return `arn:aws:sts::${accountId}:assumed-role/${role}/${session}`;
}

/** `arn:aws:iam::000000000000:user/gate-encoder`: characters that IAM's names do not have become dashes. */
export function userArn({ accountId }: KvsSite, name: string): string {
  return `arn:aws:iam::${accountId}:user/${name.replace(/[^\w+=,.@-]/g, '-')}`;
}

/** `2026-01-01T00:00:00Z`: clients of devices parse exactly this form. */
export function secondsText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function roleOf(arn: string): { readonly arn: string; readonly accountId: string; readonly policy: string } {
  const [, accountId, policy] = /^arn:[a-z\d-]{1,32}:iam::(\d{1,32}):role\/([a-z0-9][a-z0-9-]{0,63})$/.exec(arn) ?? [];
  if (accountId === undefined || policy === undefined) {
    throw stsError('ValidationError', 'RoleArn must be arn:aws:iam::<account>:role/<name of a policy>.');
  }
  return { arn: `arn:aws:iam::${accountId}:role/${policy}`, accountId, policy };
}

function secondsOf({ form, isTemporary }: StsCall): number {
  const text = form.get('DurationSeconds') ?? String(secondsDefault);
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (seconds < secondsMin || seconds > secondsMax) {
    throw stsError('ValidationError', `DurationSeconds must be a whole number from ${secondsMin} to ${secondsMax}.`);
  }
  if (isTemporary && seconds > secondsOfChainedMax) {
    throw stsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    );
  }
  return seconds;
}

function required(form: ReadonlyMap<string, string>, name: string, pattern: RegExp): string {
  const value = form.get(name);
  if (value === undefined) throw stsError('ValidationError', `${name} must be given.`);
  if (!pattern.test(value)) throw stsError('ValidationError', `${name} is not of the form ${pattern.source}`);
  return value;
}

function resultOf({ requestId }: StsCall, action: string, members: XmlMembers): string {
  return (
    `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>${xmlMembers(members)}` +
    `</${action}Result><ResponseMetadata><RequestId>${xmlText(requestId)}</RequestId></ResponseMetadata></${action}Response>`
  );
}
