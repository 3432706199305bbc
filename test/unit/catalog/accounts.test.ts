import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { sessionsPerUserMax } from '../../../storage/catalog/sessions.ts';
import { openTestCatalog } from './kit.ts';

const hashOf = (text: string) => createHash('sha256').update(text).digest();
const account = { name: 'ada', passwordHash: 'h', role: 'admin', policies: [], mustChangePassword: false };
const session = { tokenHash: hashOf('cookie'), expiresMs: 10_000, address: '192.0.2.7', userAgent: 'test' };

test('a session works until it was idle too long or its time is over', async () => {
  const { catalog } = await openTestCatalog();
  const { users, sessions } = catalog.tables;
  const user = users.create(account, 0);
  sessions.create({ ...session, userId: user.id, expiresMs: 300_000 }, 0);
  const use = (nowMs: number) => sessions.use(session.tokenHash, { nowMs, idleMsMax: 100_000 });

  expect(use(90_000)).toMatchObject({ userId: user.id });
  expect(use(180_000)).toMatchObject({ userId: user.id });
  expect(use(290_000)).toBeUndefined();
  sessions.create({ ...session, tokenHash: hashOf('other'), userId: user.id, expiresMs: 300_000 }, 250_000);
  expect(sessions.use(hashOf('other'), { nowMs: 300_000, idleMsMax: 100_000 })).toBeUndefined();
});

test('ended sessions are forgotten', async () => {
  const { catalog } = await openTestCatalog();
  const { users, sessions } = catalog.tables;
  const user = users.create(account, 0);
  sessions.create({ ...session, userId: user.id }, 0);

  expect(sessions.removeEnded({ nowMs: 9_999, idleMsMax: 100_000 })).toBe(0);
  expect(sessions.removeEnded({ nowMs: 10_000, idleMsMax: 100_000 })).toBe(1);
});

test('one person cannot fill the table with sessions', async () => {
  const { catalog } = await openTestCatalog();
  const { users, sessions } = catalog.tables;
  const user = users.create(account, 0);

  for (let i = 0; i < sessionsPerUserMax + 3; i++) {
    sessions.create({ ...session, tokenHash: hashOf(`cookie ${i}`), userId: user.id }, i);
  }

  expect(sessions.list({ nowMs: 100, idleMsMax: 1_000 })).toHaveLength(sessionsPerUserMax);
  expect(sessions.use(hashOf('cookie 0'), { nowMs: 100, idleMsMax: 1_000 })).toBeUndefined();
});

test('an account takes its sessions with it', async () => {
  const { catalog } = await openTestCatalog();
  const { users, sessions } = catalog.tables;
  users.create(account, 0);
  const viewer = users.create({ ...account, name: 'bob', role: 'viewer' }, 0);
  sessions.create({ ...session, userId: viewer.id }, 0);

  users.remove(viewer.id);

  expect(sessions.list({ nowMs: 1, idleMsMax: 1_000 })).toEqual([]);
});

test('the last admin can be neither removed nor disabled nor given another role', async () => {
  const { catalog } = await openTestCatalog();
  const { users } = catalog.tables;
  const admin = users.create(account, 0);
  const actor = { kind: 'local', id: '', name: '', address: '', requestId: '' } as const;
  const refused = expect.objectContaining({ code: 'failed_precondition' });

  expect(() => catalog.change(actor, () => users.remove(admin.id))).toThrowError(refused);
  expect(() => catalog.change(actor, () => users.update(admin.id, { isDisabled: true }, 1))).toThrowError(refused);
  expect(() => catalog.change(actor, () => users.update(admin.id, { role: 'viewer' }, 1))).toThrowError(refused);

  expect(users.find(admin.id)).toMatchObject({ role: 'admin', isDisabled: false });
});

test('a token is found by the hash of its secret until it expires', async () => {
  const { catalog } = await openTestCatalog();
  const { tokens } = catalog.tables;
  const made = tokens.create(
    { name: 'ci', role: 'viewer', policies: [], createdBy: 'ada', expiresMs: 500, tokenHash: hashOf('secret') },
    0,
  );

  expect(tokens.use(hashOf('secret'), 499)).toMatchObject({ id: made.id, role: 'viewer' });
  expect(tokens.find(made.id)?.lastUsedMs).toBe(499);
  expect(tokens.use(hashOf('secret'), 500)).toBeUndefined();
  expect(JSON.stringify(tokens.list())).not.toContain('Hash');
});

test('roles of the release cannot be changed, and a policy in use cannot be removed', async () => {
  const { catalog } = await openTestCatalog();
  const { policies, users } = catalog.tables;
  const refused = expect.objectContaining({ code: 'failed_precondition' });
  policies.put({ name: 'night', description: 'no exports', statements: [] }, 1);
  const user = users.create({ ...account, policies: ['night'] }, 0);

  expect(() => policies.put({ name: 'viewer', description: '', statements: [] }, 1)).toThrowError(refused);
  expect(() => policies.remove('admin')).toThrowError(refused);
  expect(() => policies.remove('night')).toThrowError(refused);
  users.update(user.id, { policies: [] }, 2);
  policies.remove('night');

  expect(policies.list().map((policy) => policy.name)).toEqual(['admin', 'operator', 'viewer']);
});
