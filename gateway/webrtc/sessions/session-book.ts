/** All sessions of a kind, within their bounds. A place is taken before anything is made for a session. */

import { appError } from '../../../storage/base/errors.ts';
import type { PeerSession } from './peer-session.ts';

export type BookLimits = { readonly max: number; readonly ofOneMax: number; readonly what: string };

export class SessionBook {
  readonly #limits: BookLimits;
  readonly #sessions = new Map<string, PeerSession>();
  readonly #placesOf = new Map<string, number>();
  #places = 0;

  constructor(limits: BookLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#sessions.size;
  }

  find(id: string): PeerSession | undefined {
    return this.#sessions.get(id);
  }

  all(): PeerSession[] {
    return [...this.#sessions.values()];
  }

  /**
   * Returns how to give the place back, which may be called twice.
   * @throws AppError resource_exhausted  there are as many as there may be
   */
  take(callerId: string): () => void {
    const { max, ofOneMax, what } = this.#limits;
    const own = this.#placesOf.get(callerId) ?? 0;
    if (own >= ofOneMax) {
      throw appError('resource_exhausted', `this account has ${ofOneMax} ${what} at once, which is as many as it may`, {
        retryAfterMs: 10_000,
        hint: 'close another one first',
      });
    }
    if (this.#places >= max) {
      throw appError('resource_exhausted', `${max} ${what} are connected, which is as many as may be`, {
        retryAfterMs: 30_000,
        hint: 'try again later',
      });
    }
    this.#places++;
    this.#placesOf.set(callerId, own + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#places--;
      const left = (this.#placesOf.get(callerId) ?? 1) - 1;
      if (left === 0) this.#placesOf.delete(callerId);
      else this.#placesOf.set(callerId, left);
    };
  }

  /** It is known by its id until it ends. */
  add(session: PeerSession): void {
    this.#sessions.set(session.id, session);
    session.onEnded(() => this.#sessions.delete(session.id));
  }
}
