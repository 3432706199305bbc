/**
 * One SOAP request to a device over HTTP: bounded in time and size, to one address that cameras may have, and nowhere else.
 * Redirects are refused, so a device can send us (and a digest of its password) to nobody. Logs nothing, tells no credentials.
 */

import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { AddressPolicy } from '../../storage/base/address-policy.ts';
import { fractionOf } from '../../storage/base/chance.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { type AppError, appError, errnoOf, isAppError } from '../../storage/base/errors.ts';
import { type Credentials, Login } from '../rtsp/index.ts';
import { onvifLimits } from './limits.ts';

export type SoapDeps = {
  readonly clock: Clock;
  readonly random: (bytes: number) => Uint8Array;
  /** Where devices may be. */
  readonly addresses: AddressPolicy;
};

export type SoapRequest = {
  /** http:// or https:// */
  readonly url: string;
  /** The operation's URI, for the content type. */
  readonly action: string;
  /** The envelope. */
  readonly body: string;
  readonly tls: 'verify' | 'any';
  /** For HTTP digest, when the device asks for it; what stands in the envelope is the caller's business. */
  readonly credentials: Credentials | undefined;
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
  readonly signal: AbortSignal;
};

export type SoapAnswer = { readonly status: number; readonly text: string };

type Exchange = SoapAnswer & { readonly challenges: readonly string[] };

/**
 * Sends the request, answering a digest challenge if one comes.
 *
 * @returns status and text; a fault has status 400 or 500 and is an answer too
 * @throws AppError unavailable         the device cannot be reached, or closes the connection
 * @throws AppError deadline_exceeded   no whole answer within `timeoutMs`
 * @throws AppError resource_exhausted  the answer exceeds `answerBytesMax`
 * @throws AppError unauthenticated     it wants another login than it was given
 * @throws AppError failed_precondition it sends us to another address, or its certificate is not trusted
 * @throws AppError permission_denied   no device may be at its address
 */
export async function postSoap(deps: SoapDeps, request: SoapRequest): Promise<SoapAnswer> {
  const login = new Login(
    { random: fractionOf(deps.random) },
    { credentials: request.credentials, isBasicAllowed: request.url.startsWith('https:') },
  );
  const { pathname, search, host } = new URL(request.url);
  const deadlineMs = deps.clock.monotonicMs() + request.timeoutMs;
  for (let tries = 0; tries < onvifLimits.loginTriesMax; tries++) {
    const authorization = login.authorization('POST', `${pathname}${search}`);
    const leftMs = Math.max(1, deadlineMs - deps.clock.monotonicMs());
    const answer = await exchange(deps, { ...request, timeoutMs: leftMs }, authorization);
    if (answer.status >= 300 && answer.status < 400) {
      throw appError('failed_precondition', `the device redirects (${answer.status}), which is not followed`, {
        peer: host,
        hint: 'enter the address it redirects to, often https',
      });
    }
    if (answer.status !== 401) return answer;
    if (!login.challenged(answer.challenges, authorization !== undefined)) break;
  }
  throw refusedLogin(request);
}

/** What a device that refuses a login is told to people as. */
export function refusedLogin(request: { readonly url: string; readonly credentials: unknown }): AppError {
  const has = request.credentials !== undefined;
  return appError(
    'unauthenticated',
    has ? 'the device refuses user or password' : 'the device wants a user and password',
    {
      peer: new URL(request.url).host,
      hint: has
        ? 'ONVIF often has users of its own: look into the settings of the camera; after several tries it may be locked for a while'
        : 'enter those of an ONVIF user of the camera',
    },
  );
}

function exchange(deps: SoapDeps, request: SoapRequest, authorization: string | undefined): Promise<Exchange> {
  const { clock, addresses } = deps;
  const { url, body, action, tls, timeoutMs, answerBytesMax, signal } = request;
  const target = new URL(url);
  const isTls = target.protocol === 'https:';
  const hostname = target.hostname.replace(/^\[|\]$/g, '');
  const refusal = addresses.refusalOf(hostname);
  if (refusal !== undefined) return Promise.reject(refusal);
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(givenUp(signal));
      return;
    }
    const sent = (isTls ? tlsRequest : plainRequest)({
      hostname,
      lookup: addresses.lookup,
      port: target.port === '' ? (isTls ? 443 : 80) : Number(target.port),
      path: `${target.pathname}${target.search}`,
      method: 'POST',
      agent: false,
      maxHeaderSize: onvifLimits.headBytesMax,
      headers: {
        'content-type': `application/soap+xml; charset=utf-8; action="${action}"`,
        'content-length': Buffer.byteLength(body),
        connection: 'close',
        ...(authorization === undefined ? {} : { authorization }),
      },
      ...(isTls ? { rejectUnauthorized: tls === 'verify' } : {}),
    });
    const end = (settle: () => void) => {
      cancel();
      signal.removeEventListener('abort', onAbort);
      settle();
      sent.destroy();
    };
    const fail = (error: AppError) => end(() => reject(error));
    const onAbort = () => fail(givenUp(signal));
    const cancel = clock.after(timeoutMs, () =>
      fail(
        appError('deadline_exceeded', `no answer within ${(timeoutMs / 1000).toFixed(1)} s`, {
          peer: target.host,
          hint: 'check that the address and port are those of its ONVIF service',
        }),
      ),
    );
    signal.addEventListener('abort', onAbort, { once: true });
    sent.on('error', (error) => fail(unreachable(error, target.host)));
    sent.once('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > answerBytesMax) {
          fail(appError('resource_exhausted', 'the answer is too long', { peer: target.host, bytes }));
        } else chunks.push(chunk);
      });
      response.once('error', (error) => fail(unreachable(error, target.host)));
      response.once('end', () => {
        const text = new TextDecoder().decode(Buffer.concat(chunks));
        end(() => resolve({ status: response.statusCode ?? 0, text, challenges: challengesOf(response) }));
      });
    });
    sent.end(body);
  });
}

/** Whoever gave up may say why. */
function givenUp({ reason }: AbortSignal): AppError {
  return isAppError(reason) ? reason : appError('cancelled', 'the request was given up');
}

/** One header each: joined they could not be told apart. */
function challengesOf({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'www-authenticate',
  );
}

function unreachable(error: Error, peer: string): AppError {
  if (isAppError(error)) return error;
  const code = 'code' in error ? String(error.code) : '';
  if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)) {
    return appError('failed_precondition', `its certificate is not trusted (${code})`, {
      peer,
      hint: 'trust the authority of the site, or accept any certificate for this camera',
    });
  }
  const what = { ECONNREFUSED: 'nothing listens there', EHOSTUNREACH: 'no way to the host', ENOTFOUND: 'no such host' }[
    code as 'ECONNREFUSED'
  ];
  return appError(
    'unavailable',
    what ?? `the connection failed (${errnoOf(error) ?? (code === '' ? error.message : code)})`,
    {
      peer,
      cause: error,
    },
  );
}
