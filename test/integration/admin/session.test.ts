import { expect, test } from 'vitest';
import { adminPassword, startSite } from './kit.ts';

test('the first start makes an admin whose one-time password allows nothing but replacing it', async () => {
  const site = await startSite();
  const client = site.client();

  const login = await client.login('admin', site.firstAdmin?.password ?? '');

  expect(site.firstAdmin?.password).toMatch(/^[a-z2-9]{5}(-[a-z2-9]{5}){3}$/);
  expect(login).toMatchObject({ status: 200, json: { subject: { name: 'admin', mustChangePassword: true } } });
  expect(await client.get('/api/cameras')).toMatchObject({
    status: 403,
    json: { error: { code: 'permission_denied' } },
  });
  const changed = await client.post('/api/session/password', {
    currentPassword: site.firstAdmin?.password,
    newPassword: adminPassword,
  });
  expect(changed.status).toBe(204);
  expect((await client.get('/api/cameras')).status).toBe(200);
});

test('a second start makes no account and keeps sessions', async () => {
  const site = await startSite();
  const client = await site.admin();
  await site.close();

  const again = await startSite({ data: site.data });

  expect(again.firstAdmin).toBeUndefined();
  const later = again.client();
  later.cookie = client.cookie;
  expect((await later.get('/api/session')).json.subject.name).toBe('admin');
});

test('the session cookie cannot be read by scripts, sent by other sites or set by other hosts', async () => {
  const site = await startSite();

  const login = await site.client().login('admin', site.firstAdmin?.password ?? '');

  const cookie = String(login.headers['set-cookie']);
  expect(cookie).toMatch(/^__Host-weir=[\w-]{43}; /);
  for (const attribute of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Strict']) expect(cookie).toContain(attribute);
  expect(cookie).not.toContain('Domain');
});

test('a wrong password, an unknown name and a disabled account are answered the same', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const { json } = await admin.post('/api/users', { name: 'bob', role: 'viewer' });
  await admin.patch(`/api/users/${json.user.id}`, { isDisabled: true });
  const client = site.client();

  const answers = [
    await client.login('admin', 'wrong'),
    await client.login('nobody', 'wrong'),
    await client.login('bob', json.oneTimePassword),
  ];

  for (const answer of answers) {
    expect(answer.status).toBe(401);
    expect({ ...answer.json.error, requestId: '' }).toEqual({
      code: 'unauthenticated',
      message: 'wrong name or password',
      requestId: '',
      help: '/help/unauthenticated',
    });
  }
});

test('guessing is slowed down, for the account and for the right password too', async () => {
  const site = await startSite();
  const client = site.client();
  const statuses: number[] = [];

  for (let i = 0; i < 8; i++) statuses.push((await client.login('admin', `guess ${i}`)).status);
  const right = await client.login('ADMIN', site.firstAdmin?.password ?? '');

  expect(statuses.slice(0, 5)).toEqual([401, 401, 401, 401, 401]);
  expect(statuses.slice(-1)).toEqual([429]);
  expect(right.status).toBe(429);
  expect(Number(right.headers['retry-after'])).toBeGreaterThan(0);
});

test('logging out, changing the password and disabling the account end sessions', async () => {
  const site = await startSite();
  const first = await site.admin();
  const second = site.client();
  await second.login('admin', adminPassword);
  const third = site.client();
  await third.login('admin', adminPassword);

  const { cookie } = first;
  await first.delete('/api/session');
  first.cookie = cookie;
  await second.post('/api/session/password', { currentPassword: adminPassword, newPassword: 'another good one' });

  expect((await first.get('/api/session')).status).toBe(401);
  expect((await second.get('/api/session')).status).toBe(200);
  expect((await third.get('/api/session')).status).toBe(401);
});

test('one sees where one is logged in, and can end it there', async () => {
  const site = await startSite();
  const here = await site.admin();
  const there = site.client();
  await there.login('admin', adminPassword);

  const { json } = await here.get('/api/sessions');
  const other = json.sessions.find((session: { isCurrent: boolean }) => !session.isCurrent);
  const ended = await here.delete(`/api/sessions/${other.id}`);

  expect(json.sessions).toHaveLength(2);
  expect(ended.status).toBe(204);
  expect((await there.get('/api/session')).status).toBe(401);
  expect(JSON.stringify(json)).not.toContain('tokenHash');
});

test('a request that another site caused is refused, whatever its cookie', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const input = { name: 'Door', source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } };

  const foreign = await admin.post('/api/cameras', input, { headers: { origin: 'https://evil.example' } });
  const crossSite = await admin.post('/api/cameras', input, { headers: { 'sec-fetch-site': 'cross-site' } });
  const own = await admin.post('/api/cameras', input, { headers: { origin: `https://127.0.0.1:${site.port}` } });

  expect([foreign.status, crossSite.status, own.status]).toEqual([403, 403, 201]);
});

test('behind a proxy its public origin is ours too', async () => {
  const site = await startSite({ publicUrl: 'https://cameras.example.org/' });
  const admin = await site.admin();

  const answer = await admin.delete('/api/session', { headers: { origin: 'https://cameras.example.org' } });

  expect(answer.status).toBe(204);
});

test('an API token works until it is removed, and only by its secret', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const made = await admin.post('/api/tokens', { name: 'backup', role: 'viewer' });
  const program = site.client();
  program.token = made.json.secret;

  expect(made.json.secret).toMatch(/^weir_[\w-]{43}$/);
  expect((await program.get('/api/session')).json.subject).toMatchObject({ kind: 'token', name: 'backup' });
  expect((await program.get('/api/users')).status).toBe(403);
  expect((await admin.get('/api/tokens')).text).not.toContain(made.json.secret);
  await admin.delete(`/api/tokens/${made.json.token.id}`);
  expect((await program.get('/api/session')).status).toBe(401);
});
