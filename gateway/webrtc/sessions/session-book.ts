/** All sessions of a kind, within their bounds. A place is taken before anything is made for a session. */

import { appError } from '../../../storage/base/errors.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import type { PeerSession } from './peer-session.ts';
import type { KnownSession, Patched, PatchRequest } from './types.ts';

export type BookLimits = { readonly max: number; readonly ofOneMax: number; readonly what: string };

export class SessionBook {
  readonly #log: Log;
  readonly #limits: BookLimits;
  readonly #sessions = new Map<string, PeerSession>();
  readonly #placesOf = new Map<string, number>();
  #places = 0;
  #isClosed = false;

  constructor({ log }: { readonly log: Log }, limits: BookLimits) {
    this.#log = log;
    this.#limits = limits;
  }

  get count(): number {
    return this.#sessions.size;
  }

  find(id: string): KnownSession | undefined {
    return this.#sessions.get(id);
  }

  /**
   * Takes a place and runs `work`, which defers to `taken` what it takes and hands all of it to a session by `add`. When it fails,
   * everything is given back, last first, and the place with it.
   *
   * @throws AppError unavailable         this is being closed
   * @throws AppError resource_exhausted  there are as many as there may be
   * @throws whatever `work` throws
   */
  async opening<T>(callerId: string, work: (taken: Lifetime) => Promise<T>): Promise<T> {
    this.#requireOpen();
    const taken = new Lifetime();
    taken.defer(this.#take(callerId));
    try {
      return await work(taken);
    } catch (error) {
      await taken
        .close()
        .catch((failure: unknown) => this.#log.warn('a refused webrtc session left something', { error: failure }));
      throw error;
    }
  }

  /**
   * It is known by its id until it ends, and gives back then what was taken for it.
   * @throws AppError unavailable  this was closed meanwhile; nothing was handed over
   */
  add(session: PeerSession, taken: Lifetime): void {
    this.#requireOpen();
    session.defer(() => taken.close());
    this.#sessions.set(session.id, session);
    session.onEnded(() => this.#sessions.delete(session.id));
  }

  /** @throws AppError  as `PeerSession.patch`; not_found  there is no such session */
  async patch(id: string, request: PatchRequest): Promise<Patched> {
    const session = this.#sessions.get(id);
    if (session === undefined) throw appError('not_found', 'the session is over');
    return session.patch(request);
  }

  /** Of one that is over already, nothing. */
  async end(id: string): Promise<void> {
    await this.#sessions.get(id)?.end({ end: 'closed' });
  }

  /** Ends all; those that are being opened are refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#sessions.values()].map((session) => session.end({ end: 'shutdown' })));
  }

  #requireOpen(): void {
    if (this.#isClosed) throw appError('unavailable', 'this appliance is being stopped');
  }

  /** Returns how to give the place back, once. */
  #take(callerId: string): () => void {
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
    return () => {
      this.#places--;
      const left = (this.#placesOf.get(callerId) ?? 1) - 1;
      if (left === 0) this.#placesOf.delete(callerId);
      else this.#placesOf.set(callerId, left);
    };
  }
}
