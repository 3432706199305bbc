import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { startSite } from './kit.ts';

test('the doctor is asked by operators too, the file for support and the check by admins alone', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const { json } = await admin.post('/api/tokens', { name: 'night', role: 'operator' });
  const operator = site.client();
  operator.token = json.secret;

  const statuses = await Promise.all([
    operator.get('/api/system/doctor'),
    operator.get('/api/system/support'),
    operator.post('/api/system/check', {}),
    admin.get('/api/system/doctor'),
  ]);

  expect(statuses.map(({ status }) => status)).toEqual([200, 403, 403, 200]);
  expect(statuses[3]?.json).toMatchObject({ verdict: 'ok', findings: [] });
});

test('the file for support is sent as one, never kept by a cache, and noted', async () => {
  const site = await startSite();
  const admin = await site.admin();

  const answer = await admin.get('/api/system/support?maskHosts=true');

  expect([answer.status, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([
    200,
    'application/gzip',
    'no-store',
  ]);
  expect(answer.headers['content-disposition']).toMatch(/^attachment; filename="weir-support-[\d-]+\.tar\.gz"$/);
  const { entries } = (await admin.get('/api/audit')).json;
  expect(entries[0]).toMatchObject({ action: 'system:support' });
});

test('a check is begun, and its result stays to be read', async () => {
  const site = await startSite();
  const admin = await site.admin();

  const before = await admin.get('/api/system/check');
  const begun = await admin.post('/api/system/check', { level: 'presence' });
  const done = await until('it is done', async () => {
    const { json } = await admin.get('/api/system/check');
    return json.state === 'done' ? json : undefined;
  });
  const cancelled = await admin.send('DELETE', '/api/system/check');

  expect([before.json.state, begun.status, cancelled.status]).toEqual(['none', 202, 412]);
  expect(done).toMatchObject({
    level: 'presence',
    progress: { done: 1 },
    result: { segments: 2, findingCount: 0 },
    fault: null,
  });
});
