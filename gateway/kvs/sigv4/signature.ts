/**
 * Reads a signature from a request, in its header or its query form, and refuses everything that could not be one. Needs no
 * secret and no body: what is refused here costs nobody a look-up.
 */

import { awsError } from '../errors.ts';
import { kvsLimits } from '../limits.ts';
import { queryParameters } from './canonical.ts';
import { headerValues, requireBounded, type SignedRequest } from './request.ts';
import { basicTime, readTime, requireCurrent } from './times.ts';

/** What a signature is good for: `20150830/eu-central-1/kinesisvideo`. */
export type CredentialScope = { readonly date: string; readonly region: string; readonly service: string };

export type Signature = {
  readonly form: 'header' | 'query';
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  /** In lower case, in the order in which they were signed. */
  readonly signedHeaders: readonly string[];
  /** 32 bytes. */
  readonly bytes: Uint8Array;
  /** `20150830T123600Z`. */
  readonly signedAt: string;
  /** Of temporary credentials. Whether it is signed too differs between clients. */
  readonly sessionToken: string | undefined;
  /** The payload hash or literal that the signature covers in so many words; undefined where it is to be found out. */
  readonly payloadHash: string | undefined;
};

export type SigV4Options = {
  /** Services that a scope may name; default `kinesisvideo` alone. */
  readonly services?: readonly string[] | undefined;
  /** Regions that it may name; undefined takes any, since clients without a configured one fall back to their own. */
  readonly regions?: readonly string[] | undefined;
};

const algorithm = 'AWS4-HMAC-SHA256';

/**
 * @throws AppError MissingAuthenticationTokenException  nothing is signed
 * @throws AppError IncompleteSignatureException         a part of the signature is missing or misspelt
 * @throws AppError InvalidSignatureException            it is too old, from the future, or for another service or region
 * @throws AppError InvalidArgumentException             the head is longer than any client sends
 */
export function readSignature(
  request: SignedRequest,
  { nowMs, services = ['kinesisvideo'], regions }: SigV4Options & { readonly nowMs: number },
): Signature {
  requireBounded(request);
  const query = queryParameters(request.target);
  if (query.length > kvsLimits.queryParametersMax) {
    throw awsError('InvalidArgumentException', 'the query has too many parameters');
  }
  const parameters = query.filter(([name]) => /^x-amz-/i.test(name));
  const isPresigned = parameters.some(([name]) => name === 'X-Amz-Signature' || name === 'X-Amz-Algorithm');
  const authorizations = headerValues(request, 'authorization');
  const isInHeader = authorizations.some((value) => value.startsWith('AWS4-'));
  if (isPresigned && isInHeader) throw incomplete('a request is signed in its header or in its query, not in both.');
  if (!isPresigned && !isInHeader) {
    throw awsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  const parts = isPresigned ? inQuery(parameters) : inHeader(request, authorizations);
  const { accessKeyId, scope } = credentialOf(parts.credential);
  requireScope(scope, { date: parts.signedAt.slice(0, 8), services, regions });
  requireCurrent({ signedMs: parts.signedMs, nowMs, expiresS: parts.expiresS });
  const signedHeaders = signedHeadersOf(parts.signedHeaders);
  if (!/^[0-9a-f]{64}$/i.test(parts.signature)) throw incomplete("'Signature' is not 64 hexadecimal digits.");
  if ((parts.sessionToken?.length ?? 0) > kvsLimits.sessionTokenCharactersMax)
    throw incomplete('the session token is too long.');
  return {
    form: isPresigned ? 'query' : 'header',
    accessKeyId,
    scope,
    signedHeaders,
    bytes: Buffer.from(parts.signature, 'hex'),
    signedAt: parts.signedAt,
    sessionToken: parts.sessionToken,
    payloadHash: parts.payloadHash ?? signedPayloadHash(request, signedHeaders),
  };
}

type Parts = {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly signedAt: string;
  readonly signedMs: number;
  readonly expiresS: number | undefined;
  readonly sessionToken: string | undefined;
  readonly payloadHash: string | undefined;
};

function inHeader(request: SignedRequest, authorizations: readonly string[]): Parts {
  const [authorization = '', second] = authorizations;
  if (second !== undefined) throw incomplete('there are several Authorization headers.');
  if (authorization.length > kvsLimits.authorizationBytesMax) throw incomplete('the Authorization header is too long.');
  const space = authorization.indexOf(' ');
  if (space < 0 || authorization.slice(0, space) !== algorithm)
    throw incomplete(`Unsupported AWS 'algorithm', ${algorithm} is taken.`);
  const fields = new Map<string, string>();
  for (const field of authorization.slice(space + 1).split(',')) {
    const equals = field.indexOf('=');
    const name = field.slice(0, Math.max(0, equals)).trim();
    if (fields.has(name)) throw incomplete(`the Authorization header names '${name.slice(0, 32)}' twice.`);
    fields.set(name, field.slice(equals + 1).trim());
  }
  const required = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined || value === '') throw incomplete(`Authorization header requires '${name}' parameter.`);
    return value;
  };
  const text = one(request, 'x-amz-date') ?? one(request, 'date');
  if (text === undefined) {
    throw incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  return {
    credential: required('Credential'),
    signedHeaders: required('SignedHeaders'),
    signature: required('Signature'),
    ...timeOf(text),
    expiresS: undefined,
    sessionToken: one(request, 'x-amz-security-token'),
    payloadHash: undefined,
  };
}

function inQuery(parameters: readonly (readonly [string, string])[]): Parts {
  const fields = new Map<string, string>();
  for (const [name, value] of parameters) {
    if (fields.has(name)) throw incomplete(`the query names '${name.slice(0, 32)}' twice.`);
    fields.set(name, value);
  }
  const required = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined || value === '') throw incomplete(`AWS query-string parameters must include '${name}'.`);
    return value;
  };
  if (required('X-Amz-Algorithm') !== algorithm)
    throw incomplete(`Unsupported AWS 'algorithm', ${algorithm} is taken.`);
  return {
    credential: required('X-Amz-Credential'),
    signedHeaders: required('X-Amz-SignedHeaders'),
    signature: required('X-Amz-Signature'),
    ...timeOf(required('X-Amz-Date')),
    expiresS: expiresOf(fields.get('X-Amz-Expires')),
    sessionToken: fields.get('X-Amz-Security-Token'),
    payloadHash: fields.get('X-Amz-Content-Sha256'),
  };
}

function timeOf(text: string): { readonly signedAt: string; readonly signedMs: number } {
  const signedMs = readTime(text);
  if (signedMs === undefined) throw incomplete("the date of the signature is not in ISO-8601 'basic format'.");
  return { signedAt: basicTime(signedMs), signedMs };
}

function expiresOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > kvsLimits.presignExpiresSMax) {
    throw incomplete(`X-Amz-Expires must be 1 to ${kvsLimits.presignExpiresSMax} seconds.`);
  }
  return seconds;
}

/** `AKID/20150830/eu-central-1/kinesisvideo/aws4_request`. */
function credentialOf(credential: string): { readonly accessKeyId: string; readonly scope: CredentialScope } {
  const [accessKeyId = '', date = '', region = '', service = '', terminator = '', ...rest] = credential.split('/');
  const isKey = /^\w{1,128}$/.test(accessKeyId) && accessKeyId.length <= kvsLimits.accessKeyIdCharactersMax;
  if (rest.length > 0 || terminator !== 'aws4_request' || !isKey || !/^\d{8}$/.test(date)) {
    throw incomplete(
      "Credential must have exactly 5 slash-delimited elements, 'keyid/date/region/service/aws4_request'.",
    );
  }
  return { accessKeyId, scope: { date, region, service } };
}

function requireScope(
  scope: CredentialScope,
  wanted: {
    readonly date: string;
    readonly services: readonly string[];
    readonly regions: readonly string[] | undefined;
  },
): void {
  const isRegion = /^[a-z0-9-]{1,64}$/.test(scope.region) && (wanted.regions?.includes(scope.region) ?? true);
  if (!isRegion) throw awsError('InvalidSignatureException', 'Credential should be scoped to a valid region.');
  if (!wanted.services.includes(scope.service)) {
    throw awsError(
      'InvalidSignatureException',
      `Credential should be scoped to correct service: '${wanted.services.join("' or '")}'.`,
    );
  }
  if (scope.date !== wanted.date) {
    throw awsError(
      'InvalidSignatureException',
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${scope.date}' != '${wanted.date}'.`,
    );
  }
}

function signedHeadersOf(text: string): string[] {
  const names = text.split(';');
  const areNames = names.every((name) => /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(name));
  if (!areNames || names.length > kvsLimits.signedHeadersMax || new Set(names).size !== names.length) {
    throw incomplete("'SignedHeaders' must be distinct header names in lower case, separated by semicolons.");
  }
  if (!names.includes('host')) {
    throw incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization header.");
  }
  return names;
}

/** The header counts only where it is signed: added later, it says nothing about what the signer did. */
function signedPayloadHash(request: SignedRequest, signedHeaders: readonly string[]): string | undefined {
  return signedHeaders.includes('x-amz-content-sha256') ? one(request, 'x-amz-content-sha256') : undefined;
}

function one(request: SignedRequest, name: string): string | undefined {
  const [value, second] = headerValues(request, name);
  if (second !== undefined) throw incomplete(`there are several ${name} headers.`);
  return value?.trim();
}

function incomplete(message: string) {
  return awsError('IncompleteSignatureException', message);
}
