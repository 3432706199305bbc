/** Access keys of KVS clients. Their secrets come sealed and stay so: this room cannot open them. */

import { eq, sql } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import { type CatalogDb, countRows } from './database.ts';
import { accessKeys } from './schema.ts';

export type AccessKey = {
  /** The access key id. */
  readonly id: string;
  readonly name: string;
  readonly policies: readonly string[];
  readonly isDisabled: boolean;
  readonly createdBy: string;
  readonly createdMs: number;
  readonly expiresMs: number | null;
  readonly lastUsedMs: number | null;
};

/** A key a device and some for programs. */
export const accessKeysMax = 10_000;

/** Using a key writes at most this often. */
const touchPeriodMs = 60_000;

export class AccessKeyTable {
  readonly #db: CatalogDb;

  constructor(db: CatalogDb) {
    this.#db = db;
  }

  /** By name. */
  list(): AccessKey[] {
    return this.#db.select().from(accessKeys).orderBy(sql`${accessKeys.name} collate nocase`).all().map(withoutSecret);
  }

  find(accessKeyId: string): AccessKey | undefined {
    const row = this.#db.select().from(accessKeys).where(eq(accessKeys.id, accessKeyId)).get();
    return row === undefined ? undefined : withoutSecret(row);
  }

  /** What signatures of a key are verified by, sealed; undefined when it is not there, disabled or expired. */
  findToVerify(accessKeyId: string, nowMs: number): (AccessKey & { readonly sealedSecret: string }) | undefined {
    const row = this.#db.select().from(accessKeys).where(eq(accessKeys.id, accessKeyId)).get();
    if (row === undefined || row.isDisabled || (row.expiresMs !== null && row.expiresMs <= nowMs)) return undefined;
    return row;
  }

  /** Notes that a key was used. */
  touch(key: Pick<AccessKey, 'id' | 'lastUsedMs'>, nowMs: number): void {
    if (key.lastUsedMs !== null && Math.abs(nowMs - key.lastUsedMs) < touchPeriodMs) return;
    this.#db.update(accessKeys).set({ lastUsedMs: nowMs }).where(eq(accessKeys.id, key.id)).run();
  }

  /**
   * @throws AppError already_exists      another key has the name
   * @throws AppError resource_exhausted  there are `accessKeysMax`
   */
  create(
    key: Pick<AccessKey, 'id' | 'name' | 'policies' | 'createdBy' | 'expiresMs'> & { readonly sealedSecret: string },
    nowMs: number,
  ): AccessKey {
    const taken = this.#db
      .select({ id: accessKeys.id })
      .from(accessKeys)
      .where(sql`${accessKeys.name} = ${key.name} collate nocase`)
      .get();
    if (taken !== undefined) {
      throw appError('already_exists', `another access key is called "${key.name}"`, { field: 'name' });
    }
    if (countRows(this.#db, accessKeys) >= accessKeysMax) {
      throw appError('resource_exhausted', `there are ${accessKeysMax} access keys, which is the most`, {});
    }
    const row = { ...key, isDisabled: false, createdMs: nowMs, lastUsedMs: null };
    this.#db.insert(accessKeys).values(row).run();
    return withoutSecret(row);
  }

  /** @throws AppError not_found  no such access key */
  update(accessKeyId: string, change: Partial<Pick<AccessKey, 'isDisabled' | 'policies'>>): AccessKey {
    const row = { ...this.#require(accessKeyId), ...change };
    this.#db.update(accessKeys).set(row).where(eq(accessKeys.id, accessKeyId)).run();
    return row;
  }

  /** @throws AppError not_found  no such access key */
  remove(accessKeyId: string): AccessKey {
    const key = this.#require(accessKeyId);
    this.#db.delete(accessKeys).where(eq(accessKeys.id, accessKeyId)).run();
    return key;
  }

  #require(accessKeyId: string): AccessKey {
    const key = this.find(accessKeyId);
    if (key === undefined) throw appError('not_found', 'no such access key', { accessKeyId });
    return key;
  }
}

function withoutSecret({ sealedSecret: _, ...key }: typeof accessKeys.$inferSelect): AccessKey {
  return key;
}
