/** Opens the catalog's file: pragmas, refusal of files from the future, a copy before migrating, migrations. */

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { z } from 'zod';
import { type BetterSQLite3Database, count, drizzle, migrate, type SQLiteTable } from '../base/drizzle.ts';
import { AppError, appError } from '../base/errors.ts';

/** Queries of the catalog, inside a transaction or out of it. */
export type CatalogDb = BetterSQLite3Database<Record<string, never>>;

export type OpenCatalog = { readonly db: CatalogDb; readonly sqlite: Database.Database };

/** The release's migrations; a test opens files of an older and a newer release with other folders. */
export const releaseMigrations = join(import.meta.dirname, 'migrations');

/** Marks the file as ours (`file` and people see it): "weic" in ASCII. */
const applicationId = 0x77656963;

const journalShape = z.object({ entries: z.array(z.object({ tag: z.string() })) });

/** How many migrations a folder has: the schema version it leads to. */
function versionOf(migrationsFolder: string): number {
  const journal: unknown = JSON.parse(readFileSync(join(migrationsFolder, 'meta', '_journal.json'), 'utf8'));
  return journalShape.parse(journal).entries.length;
}

/**
 * Opens or makes the catalog and brings it to this release's schema; an older file is copied to `<path>.v<version>` first.
 *
 * @throws AppError failed_precondition  a newer release wrote the file
 * @throws AppError data_loss            the file is no catalog or is damaged
 */
export function openCatalog(path: string, migrationsFolder = releaseMigrations): OpenCatalog {
  mkdirSync(dirname(path), { recursive: true });
  const sqlite = openFile(path);
  try {
    const version = versionOf(migrationsFolder);
    const found = Number(sqlite.pragma('user_version', { simple: true }));
    if (found > version) {
      throw appError('failed_precondition', `the catalog has schema version ${found}, this release knows ${version}`, {
        path,
        hint: 'start the newer release again, or restore the copy that it made before it migrated',
      });
    }
    const db = drizzle(sqlite);
    if (found < version) {
      if (found > 0) copyBefore(sqlite, `${path}.v${found}`);
      migrate(db, { migrationsFolder });
      sqlite.pragma(`user_version = ${version}`);
      sqlite.pragma(`application_id = ${applicationId}`);
    }
    return { db, sqlite };
  } catch (error) {
    sqlite.close();
    throw asDamage(error, path);
  }
}

/** How many rows a table has. */
export function countRows(db: CatalogDb, table: SQLiteTable): number {
  return db.select({ rows: count() }).from(table).get()?.rows ?? 0;
}

function openFile(path: string): Database.Database {
  let sqlite: Database.Database | undefined;
  try {
    sqlite = new Database(path, { timeout: 5_000 });
    sqlite.pragma('journal_mode = WAL');
    // What a person entered is there after power loss; a handful of writes a day cost nothing.
    sqlite.pragma('synchronous = FULL');
    sqlite.pragma('foreign_keys = ON');
    sqlite.pragma('trusted_schema = OFF');
    return sqlite;
  } catch (error) {
    sqlite?.close();
    throw asDamage(error, path);
  }
}

function copyBefore(sqlite: Database.Database, copy: string): void {
  // A copy of the same version may be there after a migration that failed half-way; the older one is the better one.
  if (!existsSync(copy)) sqlite.prepare('vacuum into ?').run(copy);
}

function asDamage(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof AppError || !('code' in error)) return error;
  if (error.code !== 'SQLITE_NOTADB' && error.code !== 'SQLITE_CORRUPT') return error;
  return appError('data_loss', 'the catalog is damaged', {
    path,
    cause: error,
    hint: 'restore it from a backup or from a copy beside it; recording goes on by state/plan.json meanwhile',
  });
}
