import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { releaseMigrations } from '../../../storage/catalog/database.ts';
import { PlanFile } from '../../../storage/catalog/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { cameraSettings, cameraSource, openTestCatalog } from './kit.ts';

/** Schema version of this release: how many migrations it has. */
const releaseVersion: number = JSON.parse(readFileSync(join(releaseMigrations, 'meta', '_journal.json'), 'utf8'))
  .entries.length;

/** The release's migrations and one more, as a later release will have them. */
async function laterMigrations(): Promise<string> {
  const folder = join(await temporaryDirectory(), 'migrations');
  cpSync(releaseMigrations, folder, { recursive: true });
  const journalPath = join(folder, 'meta', '_journal.json');
  const journal = JSON.parse(readFileSync(journalPath, 'utf8'));
  const last = journal.entries.at(-1);
  journal.entries.push({ ...last, idx: last.idx + 1, when: last.when + 1, tag: '9999_later' });
  writeFileSync(journalPath, JSON.stringify(journal));
  writeFileSync(join(folder, '9999_later.sql'), 'ALTER TABLE `cameras` ADD `place` text;');
  return folder;
}

/** The first of the release's migrations, as an earlier release had them. */
async function earlierMigrations(count: number): Promise<string> {
  const folder = join(await temporaryDirectory(), 'migrations');
  cpSync(releaseMigrations, folder, { recursive: true });
  const journalPath = join(folder, 'meta', '_journal.json');
  const journal = JSON.parse(readFileSync(journalPath, 'utf8'));
  writeFileSync(journalPath, JSON.stringify({ ...journal, entries: journal.entries.slice(0, count) }));
  return folder;
}

test('a file is made from nothing, with the schema version in it', async () => {
  const { path } = await openTestCatalog();
  const sqlite = new Database(path, { readonly: true });

  expect(sqlite.pragma('user_version', { simple: true })).toBe(releaseVersion);
  expect(sqlite.pragma('journal_mode', { simple: true })).toBe('wal');

  sqlite.close();
});

test('an older file is copied and migrated, and keeps what is in it', async () => {
  const { catalog, path } = await openTestCatalog();
  const camera = catalog.tables.cameras.create(cameraSettings(), 1);
  await catalog.close();

  const later = await openTestCatalog({ path, migrationsFolder: await laterMigrations() });

  expect(later.catalog.tables.cameras.list()).toEqual([camera]);
  expect(existsSync(`${path}.v${releaseVersion}`)).toBe(true);
  const sqlite = new Database(path, { readonly: true });
  expect(sqlite.prepare('select place from cameras').all()).toEqual([{ place: null }]);
  expect(sqlite.pragma('user_version', { simple: true })).toBe(releaseVersion + 1);
  sqlite.close();
});

test('a file of a newer release is refused and not touched', async () => {
  const later = await openTestCatalog({ migrationsFolder: await laterMigrations() });
  await later.catalog.close();
  const before = await stat(later.path);

  await expect(openTestCatalog({ path: later.path })).rejects.toMatchObject({ code: 'failed_precondition' });

  expect((await stat(later.path)).mtimeMs).toBe(before.mtimeMs);
});

test('a damaged file is named as such', async () => {
  const path = join(await temporaryDirectory(), 'catalog.sqlite');
  await writeFile(path, 'this is no database, and it is long enough to be read as a header of one');

  await expect(openTestCatalog({ path })).rejects.toMatchObject({ code: 'data_loss', hint: expect.any(String) });
});

test('the plan file is private, and is only written when something changed', async () => {
  const path = join(await temporaryDirectory(), 'state', 'plan.json');
  const file = new PlanFile(path);

  const wrote = await Promise.all([
    file.write({ version: 2, sources: [], devices: [] }),
    file.write({ version: 2, sources: [], devices: [] }),
  ]);

  expect(wrote).toEqual([true, false]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ version: 2, sources: [], devices: [] });
});

test('cameras of a catalog without sources get a main one, and what was not recorded is live only', async () => {
  const path = join(await temporaryDirectory(), 'catalog.sqlite');
  const first = await openTestCatalog({ path, migrationsFolder: await earlierMigrations(2) });
  await first.catalog.close();
  const sqlite = new Database(path);
  const insert = sqlite.prepare(
    `INSERT INTO cameras VALUES (?, ?, 'rtsp', ?, 'udp', 'any', 'sealed-user', 'sealed-password', ?, ?, 5000, 1, 3, 10, 20)`,
  );
  insert.run('kept', 'Kept', 'rtsp://192.0.2.1/', 1, 48);
  insert.run('off', 'Off', 'rtsp://192.0.2.2/', 0, 48);
  insert.run('ring', 'Ring', 'rtsp://192.0.2.3/', 1, 0);
  sqlite.close();

  const { catalog } = await openTestCatalog({ path });

  const cameras = catalog.tables.cameras.list();
  expect(
    cameras.map(({ id, sources }) => [id, sources.main.recording.mode, sources.main.recording.retentionHours]),
  ).toEqual([
    ['kept', 'continuous', 48],
    ['off', 'live', 48],
    ['ring', 'live', 168],
  ]);
  expect(cameras[0]).toMatchObject({
    credentials: { username: 'sealed-user', password: 'sealed-password' },
    sources: {
      main: { source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/', transport: 'udp', tls: 'any' } },
      sub: undefined,
    },
    bytesMax: 5_000,
    onvif: undefined,
    revision: 3,
  });
  expect(existsSync(`${path}.v2`)).toBe(true);
});

test('publishers of a release that knew RTMP alone keep their keys, and some by WHIP come beside them', async () => {
  const path = join(await temporaryDirectory(), 'catalog.sqlite');
  const first = await openTestCatalog({ path, migrationsFolder: await earlierMigrations(11) });
  const { cameras } = first.catalog.tables;
  const publisher = (kind: 'rtmp' | 'whip', digit: string) =>
    cameraSource({ source: { kind, keySha256: digit.repeat(64) } });
  const gate = cameras.create(cameraSettings({ name: 'Gate' }), 1);
  const drone = cameras.create(
    cameraSettings({
      name: 'Drone',
      credentials: undefined,
      sources: { main: publisher('rtmp', 'a'), sub: undefined },
    }),
    2,
  );
  await first.catalog.close();

  const { catalog } = await openTestCatalog({ path });

  const { cameras: migrated } = catalog.tables;
  expect(migrated.list()).toEqual([drone, gate]);
  const added = migrated.create(
    cameraSettings({
      name: 'Browser',
      credentials: undefined,
      sources: { main: publisher('whip', 'b'), sub: undefined },
    }),
    3,
  );
  expect(migrated.setStreamKey(added.id, 'main', { keySha256: 'c'.repeat(64), nowMs: 4 }).sources.main.source).toEqual({
    kind: 'whip',
    keySha256: 'c'.repeat(64),
  });
  expect(() => migrated.setStreamKey(gate.id, 'main', { keySha256: 'd'.repeat(64), nowMs: 5 })).toThrow(/RTMP or WHIP/);
});
