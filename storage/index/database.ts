/** Opening the index file: for its one writer with migrations, for readers as it is. */

import { fileURLToPath } from 'node:url';
import Sqlite, { type Database, SqliteError } from 'better-sqlite3';
import { drizzle, migrate } from '../base/drizzle.ts';
import { appError } from '../base/errors.ts';

/** Each migration raises `user_version` to its number: readers see at once whether the file has what they ask for. */
const schemaVersion = 5;

/** The writer waits so long for a reader that holds the file exclusively (a backup tool): then it says so and tries again. */
const writerBusyTimeoutMs = 5_000;
/** A reader blocks its event loop while it waits. In WAL mode it waits only in the moment of a recovery or a migration. */
const readerBusyTimeoutMs = 100;

/**
 * Opens, or makes, the index for writing: WAL, every commit synced, migrated to this release's schema.
 *
 * @throws AppError data_loss    the file is damaged or no database
 * @throws AppError unavailable  it is locked, or was written by a newer release
 */
export function openForWriting(path: string): Database {
  let database: Database | undefined;
  try {
    database = new Sqlite(path, { timeout: writerBusyTimeoutMs });
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    const version = versionOf(database);
    if (version > schemaVersion) {
      throw appError('unavailable', 'the index was written by a newer release', {
        version,
        hint: 'Install the newer release again, or move db/index.sqlite away: it is rebuilt from the stored files.',
      });
    }
    migrate(drizzle(database), { migrationsFolder: fileURLToPath(new URL('./migrations', import.meta.url)) });
    return database;
  } catch (error) {
    database?.close();
    throw databaseError(error);
  }
}

/**
 * Opens the index for reading.
 * @throws AppError unavailable  it is not there, locked, being migrated, or damaged: the message says which
 */
export function openForReading(path: string): Database {
  let database: Database | undefined;
  try {
    database = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: readerBusyTimeoutMs });
    const version = versionOf(database);
    if (version < schemaVersion)
      throw appError('unavailable', 'the index is being prepared', { version, schemaVersion });
    return database;
  } catch (error) {
    database?.close();
    throw databaseError(error);
  }
}

/**
 * Looks for damage after an unclean end. The tables that everything is found by are read whole; the packed fragment tables,
 * by far the most bytes, carry checksums of their own and are left out. So it takes seconds at a million segments.
 * @throws AppError data_loss  damage was found
 */
export function quickCheck(database: Database): void {
  try {
    const tables = database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'fragment_tables' ORDER BY name")
      .pluck()
      .all() as string[];
    for (const table of tables) {
      const found = database.pragma(`quick_check('${table}')`, { simple: true });
      if (found !== 'ok') throw appError('data_loss', 'the index is damaged', { table, found });
    }
  } catch (error) {
    throw databaseError(error);
  }
}

/** What SQLite threw, by our codes: damage is data_loss, everything that may pass is unavailable. Other errors stay as they are. */
export function databaseError(error: unknown): unknown {
  if (!(error instanceof SqliteError)) return error;
  const facts = { sqlite: error.code, cause: error };
  switch (error.code.split('_').slice(0, 2).join('_')) {
    case 'SQLITE_CORRUPT':
    case 'SQLITE_NOTADB':
      return appError('data_loss', `the index is damaged: ${error.message}`, facts);
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return appError('unavailable', 'the index is locked', facts);
    case 'SQLITE_CANTOPEN':
      return appError('unavailable', 'the index is not there', facts);
    case 'SQLITE_FULL':
      return appError('resource_exhausted', 'no place is left for the index', facts);
    case 'SQLITE_ERROR':
    case 'SQLITE_CONSTRAINT':
    case 'SQLITE_MISMATCH':
    case 'SQLITE_RANGE':
      return appError('internal', `a statement of ours failed: ${error.message}`, facts);
    default:
      return appError('unavailable', `the index cannot be used: ${error.message}`, facts);
  }
}

function versionOf(database: Database): number {
  return database.pragma('user_version', { simple: true }) as number;
}
