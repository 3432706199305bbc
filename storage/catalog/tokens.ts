/** API tokens of programs. Only hashes of their secrets are kept. */

import { eq, or, sql } from '../base/drizzle.ts';
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
    return this.#db.select().from(tokens).orderBy(sql`${tokens.name} collate nocase`).all().map(withoutSecrets);
  }

  find(tokenId: string): Token | undefined {
    const row = this.#db.select().from(tokens).where(eq(tokens.id, tokenId)).get();
    return row === undefined ? undefined : withoutSecrets(row);
  }

  /** The token of an id or name that has not expired, with what its digests are verified by. */
  findForDigest(idOrName: string, nowMs: number): (Token & { readonly sealedDigests: string | null }) | undefined {
    const row = this.#db
      .select()
      .from(tokens)
      .where(or(eq(tokens.id, idOrName), eq(tokens.name, idOrName)))
      .get();
    if (row === undefined || (row.expiresMs !== null && row.expiresMs <= nowMs)) return undefined;
    return { ...withoutSecrets(row), sealedDigests: row.sealedDigests };
  }

  /** Notes that a token was used. */
  touch(token: Pick<Token, 'id' | 'lastUsedMs'>, nowMs: number): void {
    if (token.lastUsedMs !== null && Math.abs(nowMs - token.lastUsedMs) < touchPeriodMs) return;
    this.#db.update(tokens).set({ lastUsedMs: nowMs }).where(eq(tokens.id, token.id)).run();
  }

  /**
   * @param token.sealDigests  given the id, returns what digests are verified by, sealed
   * @throws AppError already_exists      another token has the name
   * @throws AppError resource_exhausted  there are `tokensMax`
   */
  create(
    {
      sealDigests,
      ...token
    }: Pick<Token, 'name' | 'role' | 'policies' | 'createdBy' | 'expiresMs'> & {
      readonly tokenHash: Uint8Array;
      readonly sealDigests?: (tokenId: string) => string;
    },
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
    const id = newId(this.#random);
    const row = {
      ...token,
      id,
      tokenHash: Buffer.from(token.tokenHash),
      sealedDigests: sealDigests?.(id) ?? null,
      createdMs: nowMs,
      lastUsedMs: null,
    };
    this.#db.insert(tokens).values(row).run();
    return withoutSecrets(row);
  }

  /** The token of a secret's hash, unless it has expired; notes that it was used. */
  use(tokenHash: Uint8Array, nowMs: number): Token | undefined {
    const row = this.#db
      .select()
      .from(tokens)
      .where(eq(tokens.tokenHash, Buffer.from(tokenHash)))
      .get();
    if (row === undefined || (row.expiresMs !== null && row.expiresMs <= nowMs)) return undefined;
    this.touch(row, nowMs);
    return withoutSecrets(row);
  }

  /** @throws AppError not_found  no such token */
  remove(tokenId: string): Token {
    const token = this.find(tokenId);
    if (token === undefined) throw appError('not_found', 'no such token', { tokenId });
    this.#db.delete(tokens).where(eq(tokens.id, tokenId)).run();
    return token;
  }
}

function withoutSecrets({ tokenHash: _, sealedDigests: __, ...token }: typeof tokens.$inferSelect): Token {
  return token;
}
