/** Verifies what `readSignature` read: the canonical request is made anew in each form that clients sign, and compared in constant time. */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { awsError } from '../errors.ts';
import { canonicalPaths, canonicalQuery, canonicalValue, queryParameters } from './canonical.ts';
import { headerValues, type SignedRequest } from './request.ts';
import { type CredentialScope, readSignature, type Signature, type SigV4Options } from './signature.ts';

/** What is known of the body when the signature is verified: its hash, or that it comes afterwards, as media does. */
export type BodyFacts = { readonly kind: 'whole'; readonly sha256: string } | { readonly kind: 'streamed' };

/**
 * What of the body the signature covers. `body`: the bytes that came. `declared`: a hash, to be compared when the stream has
 * ended. `unsigned` and `streaming`: nothing, by AWS's literals. `empty`: a body without bytes, although one may follow.
 */
export type PayloadCover =
  | { readonly kind: 'body' }
  | { readonly kind: 'declared'; readonly sha256: string }
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'streaming' }
  | { readonly kind: 'empty' };

/** What is known of an access key. */
export type KeyAnswer =
  | { readonly kind: 'secret'; readonly secretAccessKey: string }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'expired' };

/** Whose secret it is; of temporary credentials it also judges the token. */
export type KeyLookup = (asked: {
  readonly accessKeyId: string;
  readonly sessionToken: string | undefined;
}) => KeyAnswer;

export type Authenticated = {
  readonly accessKeyId: string;
  readonly sessionToken: string | undefined;
  readonly scope: CredentialScope;
  readonly signedHeaders: readonly string[];
  readonly payload: PayloadCover;
};

/** SHA-256 of no bytes, in hexadecimal. */
export const emptySha256 = sha256Hex('');

/** SHA-256 of a body, in hexadecimal. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Who sent this request.
 *
 * @throws AppError UnrecognizedClientException  there is no such key, or its token is not its own
 * @throws AppError ExpiredTokenException        it is over
 * @throws AppError InvalidSignatureException    the signature is not that of this request
 * @throws AppError                              as `readSignature`
 */
export function authenticate(
  request: SignedRequest,
  deps: { readonly keyOf: KeyLookup; readonly nowMs: number },
  options: SigV4Options & { readonly body: BodyFacts },
): Authenticated {
  const signature = readSignature(request, { ...options, nowMs: deps.nowMs });
  return verifySignature(request, signature, { keyOf: deps.keyOf, body: options.body });
}

/** The second half of `authenticate`, for who reads the body in between. Throws as that. */
export function verifySignature(
  request: SignedRequest,
  signature: Signature,
  { keyOf, body }: { readonly keyOf: KeyLookup; readonly body: BodyFacts },
): Authenticated {
  const { accessKeyId, sessionToken, scope, signedHeaders } = signature;
  const key = keyOf({ accessKeyId, sessionToken });
  if (key.kind === 'unknown') {
    throw awsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
  }
  if (key.kind === 'expired') {
    throw awsError('ExpiredTokenException', 'The security token included in the request is expired');
  }
  const signingKey = signingKeyOf(key.secretAccessKey, scope);
  const headers = canonicalHeaders(request, signedHeaders);
  const query = canonicalQuery(queryParameters(request.target));
  let payload: PayloadCover | undefined;
  for (const { hash, cover } of payloadsOf(signature, body)) {
    for (const path of canonicalPaths(request.target)) {
      const canonical = [request.method, path, query, headers, signedHeaders.join(';'), hash].join('\n');
      if (timingSafeEqual(signatureOf(signingKey, signature, canonical), signature.bytes)) payload ??= cover;
    }
  }
  if (payload === undefined) throw mismatch();
  return { accessKeyId, sessionToken, scope, signedHeaders, payload };
}

/** What may stand in the last line of the canonical request, and what it would mean. */
function payloadsOf(
  { payloadHash }: Signature,
  body: BodyFacts,
): readonly { readonly hash: string; readonly cover: PayloadCover }[] {
  if (body.kind === 'whole') {
    // Whoever reads the whole body first is owed a signature that covers it: no literal stands for it.
    return payloadHash === undefined || payloadHash === body.sha256
      ? [{ hash: body.sha256, cover: { kind: 'body' } }]
      : [];
  }
  if (payloadHash === undefined) {
    return [
      { hash: emptySha256, cover: { kind: 'empty' } },
      { hash: 'UNSIGNED-PAYLOAD', cover: { kind: 'unsigned' } },
    ];
  }
  if (payloadHash === 'UNSIGNED-PAYLOAD') return [{ hash: payloadHash, cover: { kind: 'unsigned' } }];
  if (/^STREAMING-[A-Z0-9-]{1,64}$/.test(payloadHash)) return [{ hash: payloadHash, cover: { kind: 'streaming' } }];
  if (payloadHash === emptySha256) return [{ hash: payloadHash, cover: { kind: 'empty' } }];
  if (!/^[0-9a-f]{64}$/.test(payloadHash)) return [];
  return [{ hash: payloadHash, cover: { kind: 'declared', sha256: payloadHash } }];
}

/** Each with its line end, as the standard has it. @throws AppError InvalidSignatureException  a signed header did not come */
function canonicalHeaders(request: SignedRequest, signedHeaders: readonly string[]): string {
  return signedHeaders
    .map((name) => {
      const values = headerValues(request, name);
      if (values.length === 0) throw mismatch();
      return `${name}:${canonicalValue(values)}\n`;
    })
    .join('');
}

function signatureOf(signingKey: Uint8Array, { signedAt, scope }: Signature, canonical: string): Uint8Array {
  const { date, region, service } = scope;
  const toSign = [
    'AWS4-HMAC-SHA256',
    signedAt,
    `${date}/${region}/${service}/aws4_request`,
    sha256Hex(Buffer.from(canonical, 'latin1')),
  ].join('\n');
  return hmac(signingKey, toSign);
}

function signingKeyOf(secretAccessKey: string, { date, region, service }: CredentialScope): Uint8Array {
  return [date, region, service, 'aws4_request'].reduce<Uint8Array>(hmac, Buffer.from(`AWS4${secretAccessKey}`));
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return createHmac('sha256', key).update(text).digest();
}

function mismatch() {
  return awsError(
    'InvalidSignatureException',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  );
}
