/** A thread that opens one database read-only and tells what is in it: SQLite blocks whoever asks it. */

import { parentPort, workerData } from 'node:worker_threads';
import Sqlite, { type Database } from 'better-sqlite3';
import type { DatabaseAnswer, DatabaseQuestion } from './database-reading.ts';

/** Packed, by far the most bytes of the index, and with checksums of their own. */
const uncheckedTable = 'fragment_tables';

function answer({ path, name, isChecked }: DatabaseQuestion): DatabaseAnswer {
  const database = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: 1_000 });
  try {
    const tables = database
      .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name")
      .pluck()
      .all() as string[];
    const rows = Object.fromEntries(
      tables.map((table) => [table, Number(database.prepare(`select count(*) from "${table}"`).pluck().get())]),
    );
    return {
      version: Number(database.pragma('user_version', { simple: true })),
      rows,
      newestFootageMs: name === 'index' ? newestFootageMs(database) : undefined,
      webhookOrigins: tables.includes('webhooks')
        ? (database.prepare('select origin from webhooks order by origin').pluck().all() as string[])
        : [],
      sealedTargets: sealedTargets(database, tables),
      byteLength:
        Number(database.pragma('page_count', { simple: true })) *
        Number(database.pragma('page_size', { simple: true })),
      check: isChecked ? checked(database, tables) : undefined,
    };
  } finally {
    database.close();
  }
}

function newestFootageMs(database: Database): number | undefined {
  const found = database.prepare('select max(end_server_ms) from segments').pluck().get();
  return typeof found === 'number' ? found : undefined;
}

/** What must be known to be taken out of texts. */
function sealedTargets(database: Database, tables: readonly string[]): string[] {
  const of = (table: string, sql: string) =>
    tables.includes(table) ? (database.prepare(sql).pluck().all() as (string | null)[]) : [];
  const webhooks = of('webhooks', 'select sealed_url from webhooks union all select sealed_secret from webhooks');
  const heartbeat = of('settings', "select value ->> '$.sealedUrl' from settings where json_type(value) = 'object'");
  return [...webhooks, ...heartbeat].filter((text) => text !== null);
}

function checked(database: Database, tables: readonly string[]): string {
  for (const table of tables) {
    if (table === uncheckedTable) continue;
    const found = String(database.pragma(`quick_check('${table}')`, { simple: true }));
    if (found !== 'ok') return `${table}: ${found}`;
  }
  return 'ok';
}

try {
  parentPort?.postMessage(answer(workerData as DatabaseQuestion));
} catch (error) {
  parentPort?.postMessage({ error: error instanceof Error ? error.message : String(error) });
}
