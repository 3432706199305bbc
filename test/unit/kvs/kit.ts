/** Requests as clients send them, signed by the AWS SDK's own signer. */

import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import {
  authenticate,
  type BodyFacts,
  type KeyLookup,
  type SignedRequest,
  sha256Hex,
} from '../../../gateway/kvs/index.ts';

export const accessKeyId = 'AKIDEXAMPLE';
export const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
export const signedMs = Date.UTC(2015, 7, 30, 12, 36, 0);

/** Knows one key, and takes any session token. */
export const keyOf: KeyLookup = (asked) =>
  asked.accessKeyId === accessKeyId ? { kind: 'secret', secretAccessKey } : { kind: 'unknown' };

/** What a client is about to send. */
export type Plain = {
  readonly method?: string;
  readonly path?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly sessionToken?: string;
  readonly region?: string;
  /** Header `x-amz-content-sha256` is made. */
  readonly isHashSent?: boolean;
  /** Signed although signers leave them out, and the other way round. */
  readonly alsoSigned?: readonly string[];
  readonly notSigned?: readonly string[];
};

/** Signs in the header. */
export async function signed(plain: Plain = {}): Promise<SignedRequest> {
  const { alsoSigned, notSigned } = plain;
  const request = await signerOf(plain).sign(httpRequest(plain), {
    signingDate: new Date(signedMs),
    ...(alsoSigned === undefined ? {} : { signableHeaders: new Set(alsoSigned) }),
    ...(notSigned === undefined ? {} : { unsignableHeaders: new Set(notSigned) }),
  });
  return wire(request);
}

/** Signs in the query. */
export async function presigned(plain: Plain = {}, expiresIn = 299): Promise<SignedRequest> {
  const request = await signerOf(plain).presign(httpRequest({ method: 'GET', ...plain }), {
    signingDate: new Date(signedMs),
    expiresIn,
  });
  return wire(request);
}

/** The body as a server knows it that has read it. */
export function whole(body = ''): BodyFacts {
  return { kind: 'whole', sha256: sha256Hex(body) };
}

export const streamed: BodyFacts = { kind: 'streamed' };

/** Verifies at the time of signing unless told otherwise. */
export function verified(
  request: SignedRequest,
  given: {
    readonly body?: BodyFacts;
    readonly nowMs?: number;
    readonly regions?: readonly string[];
    readonly services?: readonly string[];
  } = {},
) {
  const { body = whole(), nowMs = signedMs, regions, services } = given;
  return authenticate(request, { keyOf, nowMs }, { body, regions, services });
}

/** How the wire names an expected refusal. */
export function refusal(awsName: string, message: string | RegExp = /./): unknown {
  const said = typeof message === 'string' ? message : expectMatching(message);
  return { context: { awsName }, message: said };
}

function expectMatching(pattern: RegExp) {
  return { asymmetricMatch: (text: unknown) => typeof text === 'string' && pattern.test(text) };
}

function signerOf({ sessionToken, region = 'us-east-1', isHashSent = true }: Plain): SignatureV4 {
  return new SignatureV4({
    service: 'kinesisvideo',
    region,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    sha256: NodeSha256,
    applyChecksum: isHashSent,
  });
}

type Outgoing = Parameters<SignatureV4['sign']>[0];

function httpRequest({
  method = 'POST',
  path = '/describeStream',
  query = {},
  headers = {},
  body,
}: Plain): Outgoing & { headers: Record<string, string> } {
  return {
    method,
    protocol: 'https:',
    hostname: 'kvs.example.org',
    path,
    query: { ...query },
    headers: { host: 'kvs.example.org:8443', ...headers },
    ...(body === undefined ? {} : { body }),
  } as Outgoing & { headers: Record<string, string> };
}

function wire(request: Awaited<ReturnType<SignatureV4['sign']>>): SignedRequest {
  const query = Object.entries(request.query ?? {}).flatMap(([name, value]) =>
    [value].flat().map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(one ?? '')}`),
  );
  return {
    method: request.method,
    target: query.length === 0 ? request.path : `${request.path}?${query.join('&')}`,
    headers: Object.entries(request.headers).map(([name, value]) => [name, Buffer.from(value).toString('latin1')]),
  };
}

/** The hash that the signer asks for, by Node. */
export class NodeSha256 {
  readonly #hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {}
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
