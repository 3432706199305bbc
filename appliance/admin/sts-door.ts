/**
 * The door of STS: form bodies that are posted to the root, where the page is to people who GET it. Signed for the service `sts`
 * by any key of a KVS client, answered in XML.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  answerSts,
  authenticate,
  headerPairs,
  type KvsSite,
  type RoleWish,
  readForm,
  readSignature,
  sha256Hex,
  stsErrorAnswer,
} from '../../gateway/kvs/index.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { toAppError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import { bodyOf, pathBelow, uuidOf } from './kvs-http.ts';
import type { KvsClient, KvsIdentities } from './kvs-identities.ts';
import { rolesDeep, rolesDeepMax, type TemporaryKeys } from './temporary-keys.ts';

export type StsDoorDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Uint8Array;
  readonly identities: KvsIdentities;
  readonly temporaryKeys: TemporaryKeys;
};

export type StsDoorOptions = {
  readonly site: KvsSite;
  readonly publicUrl: string | undefined;
  /** The one region that signatures may be for; any when absent. */
  readonly acceptedRegion?: string | undefined;
};

const services = ['sts'];

export class StsDoor {
  readonly #deps: StsDoorDeps;
  readonly #options: StsDoorOptions;

  constructor(deps: StsDoorDeps, options: StsDoorOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Takes a request of STS and answers it; false, untouched, when it is another one. */
  take(request: IncomingMessage, response: ServerResponse): boolean {
    const isForm = /^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '');
    if (request.method !== 'POST' || !isForm || !/^\/?$/.test(pathBelow(request, this.#options.publicUrl)))
      return false;
    void this.#answer(request, response);
    return true;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, log, random } = this.#deps;
    const requestId = uuidOf(random(16));
    const startMs = clock.monotonicMs();
    const told: Told = { requestId, accessKeyId: '', action: '' };
    const answer = await this.#run(request, told).then(
      (body) => ({ httpStatus: 200, body, name: '' }),
      (thrown: unknown) => {
        const error = toAppError(thrown);
        if (error.code === 'internal') log.error('sts request failed', { requestId, error: thrown });
        return stsErrorAnswer(error, requestId);
      },
    );
    send(request, response, { ...answer, requestId });
    log.info('sts request', {
      ...told,
      status: answer.httpStatus,
      ...(answer.name === '' ? {} : { refusal: answer.name }),
      durationMs: Math.round(clock.monotonicMs() - startMs),
      address: request.socket.remoteAddress,
    });
  }

  async #run(request: IncomingMessage, told: Told): Promise<string> {
    const { clock, identities } = this.#deps;
    const nowMs = clock.wallMs();
    const { acceptedRegion } = this.#options;
    const wanted = { services, regions: acceptedRegion === undefined ? undefined : [acceptedRegion] };
    const { method = '', url: target = '' } = request;
    const wire = { method, target, headers: headerPairs(request.rawHeaders) };
    // What could not be a signature gets no body read.
    readSignature(wire, { nowMs, ...wanted });
    const bytes = await bodyOf(request);
    const proven = authenticate(
      wire,
      { nowMs, keyOf: identities.keyOf(nowMs) },
      { ...wanted, body: { kind: 'whole', sha256: sha256Hex(bytes) } },
    );
    told.accessKeyId = proven.accessKeyId;
    const client = identities.identify(proven, nowMs);
    told.subject = `${client.subject.kind} ${client.subject.name}`;
    const form = readForm(bytes);
    told.action = form.get('Action')?.slice(0, 32) ?? '';
    return answerSts({
      form,
      ...{ site: this.#options.site, requestId: told.requestId, principal: client.principal },
      isTemporary: client.identity.kind !== 'access-key',
      mayAssume: (role) => rolesDeep(client.identity) < rolesDeepMax && identities.mayAssume(client.subject, role),
      assume: (wish) => this.#assume(client, wish, told),
    });
  }

  #assume(client: KvsClient, wish: RoleWish, told: Told) {
    const { policy, sessionName: session, durationMs, restriction } = wish;
    const made = this.#deps.temporaryKeys.make(
      { kind: 'role', policy, session, ...(restriction === undefined ? {} : { restriction }), by: client.identity },
      { durationMs },
    );
    if (made !== undefined) Object.assign(told, { assumedRole: policy, session, madeAccessKeyId: made.accessKeyId });
    return made;
  }
}

/** What is known of a request when it is over. */
type Told = {
  readonly requestId: string;
  accessKeyId: string;
  action: string;
  subject?: string;
};

function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: { readonly httpStatus: number; readonly body: string; readonly requestId: string },
): void {
  // Not read to its end: the next request of this connection could not be found.
  if (!request.complete) response.setHeader('connection', 'close');
  response.writeHead(answer.httpStatus, {
    'content-type': 'text/xml',
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-amzn-RequestId': answer.requestId,
  });
  response.end(answer.body);
  request.resume();
}
