import { readdir, readFile } from 'node:fs/promises';
import { is } from 'drizzle-orm';
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core';
import { expect, test } from 'vitest';
import { openForWriting } from '../../../storage/index/database.ts';
import * as schema from '../../../storage/index/schema.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

type Column = { name: string; type: string; notnull: number; pk: number };

test('the schema in TypeScript is the one that the migrations make', async () => {
  const database = openForWriting(`${await temporaryDirectory()}/index.sqlite`);
  const made = (
    database
      .prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'",
      )
      .pluck()
      .all() as string[]
  ).sort();

  const declared = Object.values(schema).filter((value) => is(value, SQLiteTable));

  expect(declared.map((table) => getTableConfig(table).name).sort()).toEqual(made);
  for (const table of declared) {
    const { name, columns } = getTableConfig(table);
    const rows = database.pragma(`table_info('${name}')`) as Column[];
    expect(
      columns.map((column) => [column.name, column.getSQLType().toUpperCase(), column.notNull || column.primary]),
      name,
    ).toEqual(rows.map((row) => [row.name, row.type, row.notnull === 1 || row.pk === 1]));
  }
  expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
  expect(database.pragma('synchronous', { simple: true })).toBe(2);
  database.close();
});

test('every column says in the migration what it is', async () => {
  const folder = new URL('../../../storage/index/migrations/', import.meta.url);
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql'));
  const sql = (await Promise.all(files.map((name) => readFile(new URL(name, folder), 'utf8')))).join('\n');
  const columns = sql.split('\n').filter((line) => /^ {2}[a-z_]+ (INTEGER|TEXT|REAL|BLOB)/.test(line));

  const silent = columns.filter((line) => !line.includes('-- '));

  expect(columns.length).toBeGreaterThan(60);
  expect(silent).toEqual([]);
});
