/**
 * Session tokens of playback URLs: for players that have neither cookie nor bearer token. A token names one stream, who may
 * see it, and until when; it is signed and kept nowhere, and whoever made it is looked up again at each use, so that it
 * ends with their account, their token or their permission.
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';

export type PlaybackGrant = {
  readonly streamId: string;
  readonly subject: { readonly kind: 'user' | 'token' | 'local'; readonly id: string };
  readonly expiresMs: number;
};

const shape = z.tuple([z.string(), z.enum(['user', 'token', 'local']), z.string(), z.number()]);

export class PlaybackTokens {
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #key: Uint8Array;

  /** @param key  32 random bytes, the same after a restart */
  constructor(deps: { readonly clock: Pick<Clock, 'wallMs'> }, options: { readonly key: Uint8Array }) {
    this.#clock = deps.clock;
    this.#key = options.key;
  }

  make(grant: PlaybackGrant): string {
    const { streamId, subject, expiresMs } = grant;
    const body = Buffer.from(JSON.stringify([streamId, subject.kind, subject.id, expiresMs])).toString('base64url');
    return `${body}.${this.#sign(body).toString('base64url')}`;
  }

  /**
   * @throws AppError unauthenticated    not a token of ours
   * @throws AppError permission_denied  its time is over
   */
  open(token: string): PlaybackGrant {
    const [body = '', signature = ''] = token.slice(0, 1_024).split('.');
    const given = Buffer.from(signature, 'base64url');
    const right = this.#sign(body);
    if (given.length !== right.length || !timingSafeEqual(given, right)) {
      throw appError('unauthenticated', 'the session token is not valid', {});
    }
    const [streamId, kind, id, expiresMs] = shape.parse(JSON.parse(Buffer.from(body, 'base64url').toString()));
    if (expiresMs <= this.#clock.wallMs()) {
      throw appError('permission_denied', 'the session token has expired', { hint: 'ask for a new playback URL' });
    }
    return { streamId, subject: { kind, id }, expiresMs };
  }

  #sign(body: string): Buffer {
    return createHmac('sha256', this.#key).update(body).digest();
  }
}
