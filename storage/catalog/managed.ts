/** What site files manage: a mark on a thing says which file made it or took it over, and may therefore change and remove it. */

import { and, eq } from '../base/drizzle.ts';
import type { CatalogDb } from './database.ts';
import { managed } from './schema.ts';

/** Kinds of things that a site file declares. */
export type ManagedKind = (typeof managed.$inferSelect)['kind'];

/** That a site file manages a thing, and what it calls it. */
export type ManagedMark = {
  readonly kind: ManagedKind;
  /** Id of the thing; the name of a policy or setting. */
  readonly itemId: string;
  readonly site: string;
  readonly key: string;
};

export class ManagedTable {
  readonly #db: CatalogDb;

  constructor(db: CatalogDb) {
    this.#db = db;
  }

  list(): ManagedMark[] {
    return this.#db.select().from(managed).orderBy(managed.kind, managed.itemId).all();
  }

  /** The site file that manages a thing; undefined when it was made by hand. */
  siteOf(kind: ManagedKind, itemId: string): string | undefined {
    return this.#db.select().from(managed).where(isItem(kind, itemId)).get()?.site;
  }

  /** Marks a thing, whoever had it before. Within one file and kind a key names one thing. */
  put(mark: ManagedMark): void {
    const { kind, itemId, site, key } = mark;
    this.#db
      .delete(managed)
      .where(and(eq(managed.kind, kind), eq(managed.site, site), eq(managed.key, key)))
      .run();
    this.#db
      .insert(managed)
      .values({ kind, itemId, site, key })
      .onConflictDoUpdate({ target: [managed.kind, managed.itemId], set: { site, key } })
      .run();
  }

  /** The thing is gone, or nobody's any more. */
  forget(kind: ManagedKind, itemId: string): void {
    forgetManaged(this.#db, kind, itemId);
  }
}

/** For tables whose row goes. */
export function forgetManaged(db: CatalogDb, kind: ManagedKind, itemId: string): void {
  db.delete(managed).where(isItem(kind, itemId)).run();
}

function isItem(kind: ManagedKind, itemId: string) {
  return and(eq(managed.kind, kind), eq(managed.itemId, itemId));
}
