/**
 * The door to drizzle-orm, for catalog and index. It loads the CommonJS build: importing the ES modules costs 0.6 s and 230 MB of
 * garbage a process, since Node reads the package's large map of exports anew for each of its files; this way it is 0.1 s and
 * 20 MB. Types are those of the package.
 */

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
export type { SQLiteTable } from 'drizzle-orm/sqlite-core';

/** Conditions, orders and raw SQL. */
export const { and, asc, count, desc, eq, gt, gte, isNull, lt, lte, ne, or, sql }: typeof import('drizzle-orm') =
  require('drizzle-orm');

/** Tables and their columns. */
export const {
  blob,
  check,
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
  uniqueIndex,
}: typeof import('drizzle-orm/sqlite-core') = require('drizzle-orm/sqlite-core');

/** Typed queries on an open database. */
export const { drizzle }: typeof import('drizzle-orm/better-sqlite3') = require('drizzle-orm/better-sqlite3');

/** Runs the migrations of a folder that a database lacks. */
export const { migrate }: typeof import('drizzle-orm/better-sqlite3/migrator') =
  require('drizzle-orm/better-sqlite3/migrator');
