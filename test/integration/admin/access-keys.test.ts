import { expect, test } from 'vitest';
import { startSite, type TestSite } from './kit.ts';

const statements = [{ effect: 'allow', actions: ['kinesisvideo:*'], resources: ['arn:aws:kinesisvideo:*:*:stream/*'] }];

async function withPolicy(site: TestSite) {
  const admin = await site.admin();
  await admin.post('/api/policies', { name: 'encoders', statements });
  return admin;
}

test('an access key is made with its secret shown once, listed, disabled and removed, and the audit tells it', async () => {
  const site = await startSite();
  const admin = await withPolicy(site);

  const made = await admin.post('/api/access-keys', { name: 'Gate encoder', policies: ['encoders'] });
  const { id } = made.json.accessKey;

  expect([made.status, id, made.json.secretAccessKey]).toEqual([
    201,
    expect.stringMatching(/^WEIR[A-Z2-7]{16}$/),
    expect.stringMatching(/^[\w-]{40}$/),
  ]);
  const listed = await admin.get('/api/access-keys');
  expect(listed.json.accessKeys).toEqual([
    expect.objectContaining({ id, name: 'Gate encoder', isDisabled: false, lastUsedMs: null, expiresMs: null }),
  ]);
  expect(listed.text).not.toContain(made.json.secretAccessKey);
  expect((await admin.patch(`/api/access-keys/${id}`, { isDisabled: true })).json.isDisabled).toBe(true);
  expect((await admin.delete(`/api/access-keys/${id}`)).status).toBe(204);
  expect((await admin.delete(`/api/access-keys/${id}`)).status).toBe(404);
  const { json } = await admin.get('/api/audit');
  const actions = json.entries
    .map((entry: { action: string }) => entry.action)
    .filter((action: string) => action.startsWith('access-keys:'));
  expect(actions).toEqual(['access-keys:delete', 'access-keys:update', 'access-keys:create']);
});

test('an access key needs policies that exist, and a time to come', async () => {
  const site = await startSite();
  const admin = await withPolicy(site);
  const status = async (body: unknown) => (await admin.post('/api/access-keys', body)).status;

  expect(await status({ name: 'a', policies: [] })).toBe(400);
  expect(await status({ name: 'a', policies: ['nothing'] })).toBe(400);
  expect(await status({ name: 'a', policies: ['encoders'], expires: 1 })).toBe(400);
  expect(await status({ name: 'a', policies: ['encoders'] })).toBe(201);
  expect(await status({ name: 'A', policies: ['encoders'] })).toBe(409);
});

test('a policy that an access key names is not removed under it', async () => {
  const site = await startSite();
  const admin = await withPolicy(site);
  await admin.post('/api/access-keys', { name: 'a', policies: ['encoders'] });

  expect((await admin.delete('/api/policies/encoders')).status).toBe(412);
});
