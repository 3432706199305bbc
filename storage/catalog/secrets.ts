/** The site's secret store: texts that others address by an ARN. They come sealed and stay so: this room cannot open them. */

import { eq } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import { type CatalogDb, countRows } from './database.ts';
import { newId } from './id.ts';
import { secrets } from './schema.ts';

export type StoredSecret = {
  /** Its first six characters end its ARN: a secret made again under the same name is another one. */
  readonly id: string;
  readonly name: string;
  readonly createdBy: string;
  readonly createdMs: number;
};

/** One for each camera a site may have. */
export const secretsMax = 1_000;

export class SecretTable {
  readonly #db: CatalogDb;
  readonly #random: (bytes: number) => Uint8Array;

  constructor(db: CatalogDb, random: (bytes: number) => Uint8Array) {
    this.#db = db;
    this.#random = random;
  }

  /** By name. */
  list(): StoredSecret[] {
    return this.#db.select().from(secrets).orderBy(secrets.name).all().map(withoutValue);
  }

  /** With what it says, sealed. */
  findToOpen(name: string): (StoredSecret & { readonly sealedValue: string }) | undefined {
    return this.#db.select().from(secrets).where(eq(secrets.name, name)).get();
  }

  /**
   * @throws AppError already_exists      another secret has the name
   * @throws AppError resource_exhausted  there are `secretsMax`
   */
  create(
    secret: Pick<StoredSecret, 'name' | 'createdBy'> & { readonly sealedValue: string },
    nowMs: number,
  ): StoredSecret {
    if (this.findToOpen(secret.name) !== undefined) {
      throw appError('already_exists', `another secret is called "${secret.name}"`, {
        field: 'name',
        hint: 'remove it first, or choose another name',
      });
    }
    if (countRows(this.#db, secrets) >= secretsMax) {
      throw appError('resource_exhausted', `there are ${secretsMax} secrets, which is the most`, {});
    }
    const row = { ...secret, id: newId(this.#random), createdMs: nowMs };
    this.#db.insert(secrets).values(row).run();
    return withoutValue(row);
  }

  /** Lets a secret say something else: it stays the same one, and keeps its ARN. @throws AppError not_found  no such secret */
  replace(name: string, sealedValue: string): StoredSecret {
    const row = this.#db.update(secrets).set({ sealedValue }).where(eq(secrets.name, name)).returning().get();
    if (row === undefined) throw appError('not_found', 'no such secret', { secret: name });
    return withoutValue(row);
  }

  /** What it said elsewhere already stays there. @throws AppError not_found  no such secret */
  remove(name: string): void {
    const removed = this.#db.delete(secrets).where(eq(secrets.name, name)).run();
    if (removed.changes === 0) throw appError('not_found', 'no such secret', { secret: name });
  }
}

function withoutValue({ sealedValue: _, ...secret }: typeof secrets.$inferSelect): StoredSecret {
  return secret;
}
