/** People's accounts. Password hashes come ready made: hashing takes long and has no place in a transaction. */

import { must } from '../base/assert.ts';
import { and, eq, ne, sql } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';
import { type CatalogDb, countRows } from './database.ts';
import { newId } from './id.ts';
import { forgetManaged } from './managed.ts';
import { users } from './schema.ts';

export type User = {
  readonly id: string;
  readonly name: string;
  readonly passwordHash: string;
  readonly role: string | null;
  readonly policies: readonly string[];
  readonly mustChangePassword: boolean;
  readonly isDisabled: boolean;
  readonly createdMs: number;
  readonly updatedMs: number;
};

/** People of one site, with room. */
export const usersMax = 1_000;

export class UserTable {
  readonly #db: CatalogDb;
  readonly #random: (bytes: number) => Uint8Array;

  constructor(db: CatalogDb, random: (bytes: number) => Uint8Array) {
    this.#db = db;
    this.#random = random;
  }

  list(): User[] {
    return this.#db.select().from(users).orderBy(sql`${users.name} collate nocase`).all();
  }

  find(userId: string): User | undefined {
    return this.#db.select().from(users).where(eq(users.id, userId)).get();
  }

  findByName(name: string): User | undefined {
    return this.#db.select().from(users).where(sql`${users.name} = ${name} collate nocase`).get();
  }

  /**
   * @throws AppError already_exists      another account has the name
   * @throws AppError resource_exhausted  there are `usersMax`
   */
  create(
    account: Pick<User, 'name' | 'passwordHash' | 'role' | 'policies' | 'mustChangePassword'>,
    nowMs: number,
  ): User {
    this.#refuseTakenName(account.name, undefined);
    if (countRows(this.#db, users) >= usersMax) {
      throw appError('resource_exhausted', `there are ${usersMax} accounts, which is the most`, {});
    }
    const row = { ...account, id: newId(this.#random), isDisabled: false, createdMs: nowMs, updatedMs: nowMs };
    this.#db.insert(users).values(row).run();
    return row;
  }

  /**
   * @throws AppError not_found            no such account
   * @throws AppError already_exists       another account has the name
   * @throws AppError failed_precondition  nobody would be left who may do everything
   */
  update(
    userId: string,
    change: Partial<Pick<User, 'name' | 'role' | 'policies' | 'isDisabled' | 'passwordHash' | 'mustChangePassword'>>,
    nowMs: number,
  ): User {
    this.#existing(userId);
    if (change.name !== undefined) this.#refuseTakenName(change.name, userId);
    this.#db
      .update(users)
      .set({ ...change, updatedMs: nowMs })
      .where(eq(users.id, userId))
      .run();
    this.#requireAdmin();
    return must(this.find(userId), 'an updated account is found');
  }

  /**
   * Removes an account with its sessions.
   * @throws AppError not_found            no such account
   * @throws AppError failed_precondition  nobody would be left who may do everything
   */
  remove(userId: string): User {
    const user = this.#existing(userId);
    this.#db.delete(users).where(eq(users.id, userId)).run();
    forgetManaged(this.#db, 'user', userId);
    this.#requireAdmin();
    return user;
  }

  #existing(userId: string): User {
    const user = this.find(userId);
    if (user === undefined) throw appError('not_found', 'no such account', { userId });
    return user;
  }

  /** Runs after the change and inside its transaction, which the error rolls back. */
  #requireAdmin(): void {
    const admin = this.#db
      .select({ id: users.id })
      .from(users)
      .where(and(eq(users.role, 'admin'), eq(users.isDisabled, false)))
      .get();
    if (admin === undefined) {
      throw appError('failed_precondition', 'this is the last account with the role admin', {
        hint: 'give another account the role admin first',
      });
    }
  }

  #refuseTakenName(name: string, exceptId: string | undefined): void {
    const taken = this.#db
      .select({ id: users.id })
      .from(users)
      .where(
        and(sql`${users.name} = ${name} collate nocase`, exceptId === undefined ? undefined : ne(users.id, exceptId)),
      )
      .get();
    if (taken !== undefined) throw appError('already_exists', `another account is called "${name}"`, {});
  }
}
