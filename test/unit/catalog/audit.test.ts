import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { actor, cameraSettings, openTestCatalog } from './kit.ts';

test('a change and its audit row become durable together or not at all', async () => {
  const { catalog } = await openTestCatalog();

  expect(() =>
    catalog.change(actor, ({ nowMs, note }) => {
      const camera = catalog.tables.cameras.create(cameraSettings(), nowMs);
      note({ action: 'cameras:create', resource: `camera/${camera.id}` });
      throw new Error('afterwards');
    }),
  ).toThrowError('afterwards');

  expect(catalog.tables.cameras.list()).toEqual([]);
  expect(catalog.tables.audit.list({ limit: 10 })).toEqual([]);
});

test('the list is newest first and goes on where it stopped', async () => {
  const { catalog } = await openTestCatalog();
  for (const action of ['a', 'b', 'c']) {
    catalog.change(actor, ({ note }) => note({ action, resource: 'x', detail: { fields: ['name'] } }));
  }

  const first = catalog.tables.audit.list({ limit: 2 });
  const rest = catalog.tables.audit.list({ limit: 2, beforeId: first[1]?.id });

  expect(first.map((entry) => entry.action)).toEqual(['c', 'b']);
  expect(rest).toMatchObject([
    { action: 'a', subject: { name: 'ada' }, detail: { fields: ['name'] }, outcome: 'done' },
  ]);
  expect(catalog.tables.audit.list({ limit: 9, action: 'b' })).toHaveLength(1);
});

test('rows are neither changed nor removed, not even by hand', async () => {
  const { catalog, path } = await openTestCatalog();
  catalog.change(actor, ({ note }) => note({ action: 'a', resource: 'x' }));
  const sqlite = new Database(path);

  expect(() => sqlite.exec("update audit set action = 'b'")).toThrowError('never changed');
  expect(() => sqlite.exec('delete from audit')).toThrowError('newest million');

  sqlite.close();
  expect(catalog.tables.audit.list({ limit: 1 })).toMatchObject([{ action: 'a' }]);
});

test('the list is bounded: only rows beyond the newest million go', async () => {
  const { catalog, path } = await openTestCatalog();
  const append = (action: string) => catalog.change(actor, ({ note }) => note({ action, resource: 'x' }));
  append('oldest');
  append('second');
  const sqlite = new Database(path);
  sqlite.exec("update sqlite_sequence set seq = 1000000 where name = 'audit'");
  sqlite.close();

  append('newest');

  expect(catalog.tables.audit.list({ limit: 9 }).map((entry) => entry.action)).toEqual(['newest', 'second']);
});
