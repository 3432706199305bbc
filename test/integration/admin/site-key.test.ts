import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { expect, test } from 'vitest';
import { cameraPurpose, SiteKey } from '../../../appliance/secrets/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { startSite, type TestSite } from './kit.ts';

/** Everything that is under the site key, one of each. */
async function fill(site: TestSite) {
  const admin = await site.admin();
  const own = { username: 'own', password: 'own-secret' };
  const answers = [
    await admin.post('/api/cameras', {
      name: 'Gate',
      source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' },
      credentials: { username: 'viewer', password: 'gate-secret' },
      sub: { source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/sub' }, credentials: own },
      onvif: { url: 'http://192.0.2.1/onvif/device_service', credentials: own },
    }),
    await admin.post('/api/webhooks', { name: 'guard', url: 'http://192.0.2.2/hook' }),
    await admin.post('/api/tokens', { name: 'robot', role: 'viewer' }),
    await admin.post('/api/access-keys', { name: 'encoder', policies: ['admin'] }),
    await admin.post('/api/secrets', { name: 'gate', value: 'rtsp://192.0.2.4/' }),
    await admin.put('/api/heartbeat', { url: 'http://192.0.2.3/beat' }),
  ];
  for (const { status } of answers) expect(status).toBeLessThan(300);
  return admin;
}

/** Key ids that texts of the catalog's file were sealed by. */
function keyIds(catalog: string): Map<string, number> {
  const database = new Sqlite(catalog, { readonly: true });
  const ids = new Map<string, number>();
  try {
    const tables = database.prepare("select name from sqlite_schema where type = 'table'").pluck().all() as string[];
    const text = tables.map((table) => JSON.stringify(database.prepare(`select * from "${table}"`).all())).join('\n');
    for (const [, id = ''] of text.matchAll(/\bv1\.([0-9a-f]{8})\./g)) ids.set(id, (ids.get(id) ?? 0) + 1);
  } finally {
    database.close();
  }
  return ids;
}

test('a new site key seals everything anew while it runs, and all of it still opens', async () => {
  const site = await startSite();
  const admin = await fill(site);
  const before = keyIds(site.paths.catalog);

  const { status, json } = await admin.post('/api/system/site-key/rotate', {});

  const after = keyIds(site.paths.catalog);
  const [newest] = [...after.keys()];
  expect([status, after.size, before.size]).toEqual([200, 1, 1]);
  expect(before.has(newest ?? '')).toBe(false);
  expect([...after.values()]).toEqual([...before.values()]);
  expect(json.resealed).toBe([...after.values()][0]);
  const plan = await readFile(site.paths.plan, 'utf8');
  expect([...plan.matchAll(/v1\.([0-9a-f]{8})\./g)].map((match) => match[1]).every((id) => id === newest)).toBe(true);
  const { box } = { box: (await SiteKey.open(join(site.paths.secrets, 'site.key'), randomBytes)).box(cameraPurpose) };
  const passwords = (JSON.parse(plan).sources as { source: { password: string } }[]).map(({ source }) =>
    box.unseal(source.password),
  );
  expect(passwords.sort()).toEqual(['gate-secret', 'own-secret']);
  const { entries } = (await admin.get('/api/audit')).json;
  expect(entries[0]).toMatchObject({ action: 'system:rotate-site-key', detail: { resealed: json.resealed } });
});

test('a key that was put in front while nothing ran, or before a crash, is taken up by the next start', async () => {
  const data = await temporaryDirectory();
  const first = await startSite({ data });
  await fill(first);
  await first.close();
  await SiteKey.rotate(join(first.paths.secrets, 'site.key'), randomBytes);
  const before = keyIds(first.paths.catalog);

  const second = await startSite({ data });

  const after = keyIds(second.paths.catalog);
  expect([after.size, [...after.values()]]).toEqual([1, [...before.values()]]);
  expect([...before.keys()].some((id) => after.has(id))).toBe(false);
});

test('what does not open stays as it is, and everything else is sealed anew', async () => {
  const site = await startSite();
  const admin = await fill(site);
  const lost = `v1.0badc0de.${Buffer.alloc(40, 1).toString('base64url')}`;
  const database = new Sqlite(site.paths.catalog);
  database.prepare('update cameras set sealed_password = ?').run(lost);
  database.close();

  const { status } = await admin.post('/api/system/site-key/rotate', {});

  const ids = keyIds(site.paths.catalog);
  expect([status, ids.size, ids.get('0badc0de')]).toEqual([200, 2, 1]);
});
