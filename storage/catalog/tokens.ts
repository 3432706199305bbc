/** API tokens of programs. Only hashes of their secrets are kept. */

import { eq, sql } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import { type CatalogDb, countRows } from './database.ts';
import { newId } from './id.ts';
import { tokens } from './schema.ts';

export type Token = {
  readonly id: string;
  readonly name: string;
  readonly role: string | null;
  readonly policies: readonly string[];
  readonly createdBy: string;
  readonly createdMs: number;
  readonly expiresMs: number | null;
  readonly lastUsedMs: number | null;
};

/** Programs of one site, with room. */
export const tokensMax = 1_000;

/** Using a token writes at most this often. */
const touchPeriodMs = 60_000;

export class TokenTable {
  readonly #db: CatalogDb;
  readonly #random: (bytes: number) => Uint8Array;

  constructor(db: CatalogDb, random: (bytes: number) => Uint8Array) {
    this.#db = db;
    this.#random = random;
  }

  list(): Token[] {
    return this.#db.select().from(tokens).orderBy(sql`${tokens.name} collate nocase`).all().map(withoutHash);
  }

  find(tokenId: string): Token | undefined {
    const row = this.#db.select().from(tokens).where(eq(tokens.id, tokenId)).get();
    return row === undefined ? undefined : withoutHash(row);
  }

  /**
   * @throws AppError already_exists      another token has the name
   * @throws AppError resource_exhausted  there are `tokensMax`
   */
  create(
    token: Pick<Token, 'name' | 'role' | 'policies' | 'createdBy' | 'expiresMs'> & { readonly tokenHash: Uint8Array },
    nowMs: number,
  ): Token {
    const taken = this.#db
      .select({ id: tokens.id })
      .from(tokens)
      .where(sql`${tokens.name} = ${token.name} collate nocase`)
      .get();
    if (taken !== undefined) throw appError('already_exists', `another token is called "${token.name}"`, {});
    if (countRows(this.#db, tokens) >= tokensMax) {
      throw appError('resource_exhausted', `there are ${tokensMax} tokens, which is the most`, {});
    }
    const row = {
      ...token,
      tokenHash: Buffer.from(token.tokenHash),
      id: newId(this.#random),
      createdMs: nowMs,
      lastUsedMs: null,
    };
    this.#db.insert(tokens).values(row).run();
    return withoutHash(row);
  }

  /** The token of a secret's hash, unless it has expired; notes that it was used. */
  use(tokenHash: Uint8Array, nowMs: number): Token | undefined {
    const row = this.#db
      .select()
      .from(tokens)
      .where(eq(tokens.tokenHash, Buffer.from(tokenHash)))
      .get();
    if (row === undefined || (row.expiresMs !== null && row.expiresMs <= nowMs)) return undefined;
    if (row.lastUsedMs === null || Math.abs(nowMs - row.lastUsedMs) >= touchPeriodMs) {
      this.#db.update(tokens).set({ lastUsedMs: nowMs }).where(eq(tokens.id, row.id)).run();
    }
    return withoutHash(row);
  }

  /** @throws AppError not_found  no such token */
  remove(tokenId: string): Token {
    const token = this.find(tokenId);
    if (token === undefined) throw appError('not_found', 'no such token', { tokenId });
    this.#db.delete(tokens).where(eq(tokens.id, tokenId)).run();
    return token;
  }
}

function withoutHash({ tokenHash: _, ...token }: typeof tokens.$inferSelect): Token {
  return token;
}
