/**
 * Takes out of a damaged index what files and objects don't tell: holds, event ranges, gaps, pauses, removals, policies and the
 * ledger's state. Each table for itself, row by row, as far as it can be read.
 */

import Sqlite, { type Database } from 'better-sqlite3';
import type { Log } from '../base/log.ts';

type Table = { readonly name: string; readonly select: string; readonly insert: string };

/** Without the sums of rows, which are not there yet. */
const olderStreamColumns = [
  ...['stream_key', 'stream_id', 'camera_id', 'retention_hours', 'camera_bytes_max'],
  ...['ledger_state', 'ledger_settled_ms'],
];
/** How long footage stays of a stream that no plan names any more stands nowhere else. */
const streamColumns = [
  ...olderStreamColumns,
  ...['event_retention_hours', 'pre_roll_minutes', 'recording', 'recording_since_ms'],
];

const olderPauseColumns = ['pause_id', 'stream_key', 'begin_ms', 'end_ms'];

/** Column lists are those of this release: an older file may lack one, then that table is given up, but for its streams and pauses. */
const tables: readonly Table[] = [
  streamsOf(streamColumns),
  streamsOf(olderStreamColumns),
  pausesOf([...olderPauseColumns, 'reason']),
  pausesOf(olderPauseColumns),
  ...[
    ...['holds', 'event_ranges', 'gaps', 'removals', 'ledger_lines', 'ledger_cursors'],
    ...['garbage', 'keeper_state'],
  ].map((name) => ({
    name,
    select: `SELECT * FROM ${name}`,
    insert: `INSERT OR IGNORE INTO ${name} VALUES `,
  })),
];

function streamsOf(columns: readonly string[]): Table {
  const list = columns.join();
  return {
    name: 'streams',
    select: `SELECT ${list} FROM streams`,
    insert: `INSERT INTO streams (${list}) VALUES (${columns.map(() => '?').join()}) ON CONFLICT DO NOTHING`,
  };
}

function pausesOf(columns: readonly string[]): Table {
  const list = columns.join();
  return {
    name: 'pauses',
    select: `SELECT ${list} FROM pauses`,
    insert: `INSERT OR IGNORE INTO pauses (${list}) VALUES `,
  };
}

/** Copies what can be read into the new, empty index. Returns rows by table. */
export function salvageRows(
  dependencies: { readonly log: Log },
  options: { readonly damagedPath: string; readonly target: Database },
): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  const { target } = options;
  let source: Database | undefined;
  try {
    source = new Sqlite(options.damagedPath, { fileMustExist: true });
    for (const table of tables) counts[table.name] = (counts[table.name] ?? 0) + copyTable(source, target, table);
  } catch (error) {
    dependencies.log.warn('nothing more can be read from the damaged index', { reason: String(error) });
  } finally {
    source?.close();
  }
  return counts;
}

function copyTable(
  source: Database,
  target: Database,
  table: { readonly name: string; readonly select: string; readonly insert: string },
): number {
  let copied = 0;
  try {
    target.transaction(() => {
      for (const row of readable(source, table.select)) {
        const values = table.insert.endsWith('VALUES ') ? `(${row.map(() => '?').join()})` : '';
        copied += target.prepare(table.insert + values).run(...row).changes;
      }
    })();
  } catch {
    // The table of an older release, or rows that break a rule of this one: the next table may still be good.
    return 0;
  }
  return copied;
}

/** Rows up to the first that cannot be read. */
function* readable(source: Database, select: string): Generator<unknown[]> {
  try {
    yield* source.prepare(select).raw().iterate() as IterableIterator<unknown[]>;
  } catch {
    return;
  }
}
