/** Who is at the other end of one connection: reads credentials, asks the gate, and writes challenges. Keeps no password. */

import { createHash } from 'node:crypto';
import { appError } from '../../storage/base/errors.ts';
import { header, type RtspRequest } from '../rtsp/index.ts';
import type { RtspGate, RtspOrigin, RtspReader } from './gate.ts';
import { challenges, digestCredentials, parseAuthorization } from './wire/authorization.ts';
import { parseTarget } from './wire/target.ts';

export class ConnectionLogin {
  readonly #gate: RtspGate;
  readonly #origin: RtspOrigin;
  /** Of this connection alone, so that what was overheard on another proves nothing here. */
  readonly #nonce: string;
  #isStale = false;
  /** A password is slow to check: the same header on the same connection is known by its hash. */
  #known: { readonly headerHash: string; readonly reader: RtspReader } | undefined;

  constructor(
    deps: { readonly gate: RtspGate; readonly random: (bytes: number) => Uint8Array },
    options: { readonly origin: RtspOrigin },
  ) {
    this.#gate = deps.gate;
    this.#origin = options.origin;
    this.#nonce = Buffer.from(deps.random(16)).toString('hex');
  }

  /** Values of WWW-Authenticate after a refusal. */
  challenges(): readonly string[] {
    const { realm } = this.#gate;
    const isBasicOffered = this.#gate.isBasicOffered(this.#origin);
    return challenges({ realm, nonce: this.#nonce, isStale: this.#isStale, isBasicOffered });
  }

  /**
   * @param targetName  the stream that the request is about: a digest counts for no other
   * @throws AppError unauthenticated     no credentials, or wrong ones
   * @throws AppError resource_exhausted  too many wrong attempts
   */
  async identify(request: RtspRequest, targetName: string): Promise<RtspReader> {
    this.#isStale = false;
    const value = header(request, 'authorization');
    if (value === undefined) throw appError('unauthenticated', 'no credentials');
    const shown = parseAuthorization(value);
    if (shown === undefined) throw appError('unauthenticated', 'credentials of a kind that we do not know');
    if (shown.kind === 'digest') {
      const { digest } = shown;
      if (digest.nonce !== this.#nonce || digest.realm !== this.#gate.realm) {
        this.#isStale = true;
        throw appError('unauthenticated', 'the digest is not for this connection');
      }
      if (parseTarget(digest.uri)?.name !== targetName) {
        throw appError('unauthenticated', 'the digest is for another stream');
      }
      return this.#gate.identify(digestCredentials(digest, request.method), this.#origin);
    }
    if (!this.#gate.isBasicOffered(this.#origin)) {
      throw appError('unauthenticated', 'a password must not be sent without encryption');
    }
    const headerHash = createHash('sha256').update(value).digest('hex');
    if (this.#known?.headerHash === headerHash) return this.#known.reader;
    const { username, password } = shown;
    const reader = await this.#gate.identify({ kind: 'basic', username, password }, this.#origin);
    this.#known = { headerHash, reader };
    return reader;
  }
}
