/** One HTTP request outwards: bounded in time and bytes, without redirects, to allowed addresses alone. */

import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Clock } from '../../storage/base/clock.ts';
import { appError, errnoOf, isAppError } from '../../storage/base/errors.ts';
import { withoutCredentials } from '../../storage/base/log.ts';
import type { Attempt } from '../../storage/catalog/index.ts';
import { type AddressPolicy, guardedLookup, refuseLiteral } from './address-policy.ts';
import { webhookLimits } from './limits.ts';

export type Outgoing = {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** Of a POST. */
  readonly body?: string | undefined;
  readonly tls: 'verify' | 'any';
  readonly addresses: AddressPolicy;
};

/**
 * What becomes of it, which is never a rejection: any 2xx is success.
 * @param options.signal  gives up at once
 */
export async function send(
  { clock }: { readonly clock: Clock },
  outgoing: Outgoing,
  options: { readonly signal: AbortSignal },
): Promise<Attempt> {
  const beginMs = clock.monotonicMs();
  const timeout = new AbortController();
  const cancel = clock.after(webhookLimits.timeoutMs, () => timeout.abort(lateError));
  let status: number | null = null;
  let error: string | null = null;
  try {
    status = await exchange(outgoing, AbortSignal.any([timeout.signal, options.signal]));
    error = faultOfStatus(status);
  } catch (thrown) {
    error = timeout.signal.aborted ? lateError.message : faultText(thrown);
  } finally {
    cancel();
  }
  const durationMs = Math.round(clock.monotonicMs() - beginMs);
  return { status, durationMs, error: error?.slice(0, webhookLimits.errorCharactersMax) ?? null };
}

const lateError = appError('deadline_exceeded', `no answer within ${webhookLimits.timeoutMs / 1_000} s`);

function exchange(
  { url: text, method, headers, body, tls, addresses }: Outgoing,
  signal: AbortSignal,
): Promise<number> {
  const url = parseTarget(text);
  refuseLiteral(url, addresses);
  const options = {
    ...{ method, signal, agent: false, lookup: guardedLookup(addresses) },
    headers: {
      'user-agent': 'weir',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
    },
  };
  return new Promise((resolve, reject) => {
    const request: ClientRequest =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...options, rejectUnauthorized: tls === 'verify' })
        : httpRequest(url, options);
    let isAnswered = false;
    request.on('error', reject);
    request.on('response', (response) => {
      isAnswered = true;
      drain(response).then(resolve, reject);
    });
    // Another protocol is none that was asked for; without a listener Node says nothing more of the request.
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    request.on('close', () => {
      if (!isAnswered) reject(appError('unavailable', 'the connection ended without an answer'));
    });
    request.end(body);
  });
}

/** Reads a little of the answer, so that its sender is not cut off, and no more. */
async function drain(response: IncomingMessage): Promise<number> {
  const status = response.statusCode ?? 0;
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > webhookLimits.answerBytesMax) break;
  }
  response.destroy();
  return status;
}

/** An address that can be sent to. @throws AppError invalid_argument  it is none, or has a user in it */
export function parseTarget(text: string): URL {
  const url = URL.canParse(text) && text.length <= webhookLimits.urlCharactersMax ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw appError('invalid_argument', 'the address is no http or https URL', { field: 'url' });
  }
  if (url.username !== '' || url.password !== '') {
    throw appError('invalid_argument', 'the address has a user or password in it', {
      field: 'url',
      hint: 'deliveries are signed; a token belongs into the path or query, which are kept sealed',
    });
  }
  return url;
}

function faultOfStatus(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return `answered ${status}: redirects are not followed`;
  return `answered ${status}`;
}

function faultText(thrown: unknown): string {
  if (isAppError(thrown)) return thrown.message;
  const errno = errnoOf(thrown);
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  // Several addresses that all failed are an AggregateError without words.
  return withoutCredentials(text === '' ? `cannot be connected to (${errno ?? 'unknown'})` : text);
}
