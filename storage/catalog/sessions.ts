/** Where people are logged in. Only hashes of cookies are kept, so a stolen catalog opens no session. */

import { and, asc, desc, eq, gt, lte, ne, or } from '../base/drizzle.ts';
import type { CatalogDb } from './database.ts';
import { newId } from './id.ts';
import { sessions } from './schema.ts';

export type Session = {
  readonly id: string;
  readonly userId: string;
  readonly createdMs: number;
  readonly lastSeenMs: number;
  readonly expiresMs: number;
  readonly address: string;
  readonly userAgent: string;
};

/** A person with this many browsers loses the oldest session: a script that logs in for ever fills nothing. */
export const sessionsPerUserMax = 50;

/** Using a session writes at most this often. */
const touchPeriodMs = 60_000;

export class SessionTable {
  readonly #db: CatalogDb;
  readonly #random: (bytes: number) => Uint8Array;

  constructor(db: CatalogDb, random: (bytes: number) => Uint8Array) {
    this.#db = db;
    this.#random = random;
  }

  create(
    session: {
      readonly tokenHash: Uint8Array;
      readonly userId: string;
      readonly expiresMs: number;
      readonly address: string;
      readonly userAgent: string;
    },
    nowMs: number,
  ): Session {
    const row = {
      ...session,
      tokenHash: Buffer.from(session.tokenHash),
      userAgent: session.userAgent.slice(0, 256),
      id: newId(this.#random),
      createdMs: nowMs,
      lastSeenMs: nowMs,
    };
    this.#db.insert(sessions).values(row).run();
    const own = this.#db
      .select({ id: sessions.id })
      .from(sessions)
      .where(eq(sessions.userId, session.userId))
      .orderBy(desc(sessions.createdMs), asc(sessions.id))
      .all();
    for (const { id } of own.slice(sessionsPerUserMax)) {
      if (id !== row.id) this.#db.delete(sessions).where(eq(sessions.id, id)).run();
    }
    return row;
  }

  /** The session of a cookie's hash that neither ended nor was idle too long; notes that it was used. */
  use(tokenHash: Uint8Array, options: { readonly nowMs: number; readonly idleMsMax: number }): Session | undefined {
    const row = this.#db
      .select()
      .from(sessions)
      .where(eq(sessions.tokenHash, Buffer.from(tokenHash)))
      .get();
    if (row === undefined) return undefined;
    if (row.expiresMs <= options.nowMs || row.lastSeenMs + options.idleMsMax <= options.nowMs) return undefined;
    // The wall clock may have been set back: a session must not stay unused "in the future" then.
    if (Math.abs(options.nowMs - row.lastSeenMs) >= touchPeriodMs) {
      this.#db.update(sessions).set({ lastSeenMs: options.nowMs }).where(eq(sessions.id, row.id)).run();
    }
    return row;
  }

  find(sessionId: string): Session | undefined {
    return this.#db.select().from(sessions).where(eq(sessions.id, sessionId)).get();
  }

  /** Sessions that still work, newest use first; of all users without `userId`. */
  list(options: {
    readonly userId?: string | undefined;
    readonly nowMs: number;
    readonly idleMsMax: number;
  }): Session[] {
    return this.#db
      .select()
      .from(sessions)
      .where(
        and(
          gt(sessions.expiresMs, options.nowMs),
          gt(sessions.lastSeenMs, options.nowMs - options.idleMsMax),
          options.userId === undefined ? undefined : eq(sessions.userId, options.userId),
        ),
      )
      .orderBy(desc(sessions.lastSeenMs))
      .limit(1_000)
      .all();
  }

  remove(sessionId: string): boolean {
    return this.#db.delete(sessions).where(eq(sessions.id, sessionId)).run().changes > 0;
  }

  /** Ends a user's sessions, all but one if it is named. Returns how many. */
  removeOf(userId: string, options: { readonly exceptId?: string | undefined } = {}): number {
    return this.#db
      .delete(sessions)
      .where(
        and(
          eq(sessions.userId, userId),
          options.exceptId === undefined ? undefined : ne(sessions.id, options.exceptId),
        ),
      )
      .run().changes;
  }

  /** Forgets sessions that ended. Returns how many. */
  removeEnded(options: { readonly nowMs: number; readonly idleMsMax: number }): number {
    return this.#db
      .delete(sessions)
      .where(or(lte(sessions.expiresMs, options.nowMs), lte(sessions.lastSeenMs, options.nowMs - options.idleMsMax)))
      .run().changes;
  }
}
