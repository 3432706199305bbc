/** Single values that people or we decided while running: everything else is configuration. */

import { eq } from '../base/drizzle.ts';
import type { CatalogDb } from './database.ts';
import { settings } from './schema.ts';

export class SettingTable {
  readonly #db: CatalogDb;

  constructor(db: CatalogDb) {
    this.#db = db;
  }

  /** The stored JSON, unparsed in its type: the reader knows its shape. */
  get(key: string): unknown {
    return this.#db.select().from(settings).where(eq(settings.key, key)).get()?.value;
  }

  put(key: string, value: unknown, nowMs: number): void {
    const row = { key, value, updatedMs: nowMs };
    this.#db.insert(settings).values(row).onConflictDoUpdate({ target: settings.key, set: row }).run();
  }
}
