import { expect, test } from 'vitest';
import { appError } from '../../../storage/base/errors.ts';
import { until } from '../../kit/until.ts';
import { adminPassword, startSite } from './kit.ts';

test('health is told to anyone, in plain parts and without names of the site', async () => {
  const site = await startSite();
  const client = site.client();
  await until('the roles are connected', async () => (await client.get('/readyz')).status === 200);

  expect((await client.get('/healthz')).json).toEqual({ status: 'alive' });
  expect((await client.get('/readyz')).json.parts.map((part: { part: string }) => part.part)).toEqual([
    'catalog',
    'plan',
    'ingest-0',
    'keeper',
    'index',
  ]);
});

test('a part that is away makes it not ready, with the reason, and the rest works on', async () => {
  const site = await startSite({ isKeeperAway: true });
  const admin = await site.admin();

  const ready = await site.client().get('/readyz');

  expect(ready.status).toBe(503);
  expect(ready.json.parts).toContainEqual({ part: 'keeper', ready: false, reason: 'cannot be reached' });
  expect((await admin.get('/api/cameras')).status).toBe(200);
});

test('the system page has versions, roles, disks and what the keeper says', async () => {
  const site = await startSite();
  const admin = await site.admin();

  const { json } = await admin.get('/api/system');

  expect(json).toMatchObject({
    version: '0.0.0-test',
    timeZone: 'Asia/Kolkata',
    keeper: { isIndexOpen: true },
    keeperFault: null,
    hasAuthority: true,
    kvs: { publicUrl: null, region: 'us-east-1', accountId: '000000000000', acceptedRegion: null },
  });
  const running = { pid: 7, memoryBytes: 90_000_000, eventLoopDelayMsP99: 1.5, reason: null };
  const waiting = { pid: null, memoryBytes: null, eventLoopDelayMsP99: null, reason: 'code 1' };
  expect(json.roles).toEqual([
    { role: 'ingest-0', state: 'running', sinceMs: 1, restarts: 2, ...running },
    { role: 'keeper', state: 'waiting', sinceMs: 1, restarts: 3, ...waiting },
  ]);
  expect(json.disks[0]).toMatchObject({ places: expect.arrayContaining(['data']), bytesFree: expect.any(Number) });
  expect((await admin.get('/api/system/ca.pem')).text).toBe(site.ca);
});

test('the clock is confirmed at the keeper, and noted', async () => {
  const site = await startSite();
  const admin = await site.admin();

  const answer = await admin.post('/api/system/clock/confirm');

  expect(answer.status).toBe(204);
  expect(site.keeperCalls).toContainEqual({ method: 'confirm-clock', params: {} });
  expect((await admin.get('/api/audit')).json.entries[0]).toMatchObject({ action: 'system:confirm-clock' });
});

test('holds go to the keeper with who and why', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const input = { name: 'Door', source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } };
  const { streams } = (await admin.post('/api/cameras', input)).json;

  const made = await admin.post('/api/holds', {
    streamId: streams[0].id,
    begin: 1_000,
    end: '1970-01-01T00:00:05Z',
    reason: 'theft of 31 January',
  });
  const released = await admin.delete(`/api/holds/${made.json.id}`);
  const unknown = await admin.post('/api/holds', { streamId: 'aaaaaaaaaa', begin: 1_000, reason: 'no stream' });

  expect([made.status, released.status, unknown.status]).toEqual([201, 204, 404]);
  expect(site.keeperCalls).toMatchObject([
    { method: 'hold-add', params: { streamId: streams[0].id, beginMs: 1_000, endMs: 5_000, who: 'admin' } },
    { method: 'hold-release', params: { holdId: made.json.id, who: 'admin' } },
  ]);
  expect((await admin.get('/api/holds')).json).toEqual({ holds: [] });
});

test("another role's error reaches the asker with its code, message and hint", async () => {
  const site = await startSite({
    requests: {
      'hold-release': () => {
        throw appError('not_found', 'no such hold', { hint: 'look at the list' });
      },
    },
  });
  const admin = await site.admin();

  const answer = await admin.delete('/api/holds/nothing');

  expect(answer).toMatchObject({ status: 404, json: { error: { message: 'no such hold', hint: 'look at the list' } } });
});

test('metrics of all roles are one text, each sample labelled, and one role away costs only its own', async () => {
  const site = await startSite();
  const admin = await site.admin();

  const both = (await admin.get('/metrics')).text;
  await site.closeIngest();
  const left = (await admin.get('/metrics')).text;

  expect(both).toContain('weir_frames_total{role="ingest-0",camera="x"} 7\n');
  expect(both).toContain('weir_segments{role="keeper"} 3\n');
  expect(both).toContain('weir_role_up{role="serve",name="ingest-0"} 1\n');
  expect(both.match(/# TYPE weir_frames_total/g)).toHaveLength(1);
  expect(left).not.toContain('weir_frames_total{');
  expect(left).toContain('weir_segments');
});

test('the description names every path of the API', async () => {
  const site = await startSite();
  const admin = await site.admin();

  const { json } = await admin.get('/api/openapi.json');

  const described = Object.keys(json.paths);
  // OpenAPI has no words for them: their READMEs do.
  const webSockets = new Set(['/api/events', '/api/streams/:streamId/live']);
  const served = new Set(
    site.serve.routes
      .filter(({ url }) => url.startsWith('/api/') && !webSockets.has(url))
      .map(({ url }) => url.replace(/:(\w+)/g, '{$1}')),
  );
  expect(described).toEqual(expect.arrayContaining([...served]));
  expect(json.paths['/api/cameras'].post.requestBody.content['application/json'].schema.required).toContain('name');
});

test('accounts are added, changed and removed, and the last admin stays', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const added = await admin.post('/api/users', { name: 'bob', role: 'operator' });
  const bob = site.client();
  await bob.login('bob', added.json.oneTimePassword);
  const { id } = added.json.user;
  const own = (await admin.get('/api/session')).json.subject.id;

  const unknownRole = await admin.patch(`/api/users/${id}`, { role: 'oprator' });
  const reset = await admin.post(`/api/users/${id}/password`);
  const lastAdmin = await admin.delete(`/api/users/${own}`);
  const removed = await admin.delete(`/api/users/${id}`);

  expect(unknownRole).toMatchObject({ status: 400, json: { error: { hint: 'there are admin, operator, viewer' } } });
  expect(reset.json.oneTimePassword).not.toBe(added.json.oneTimePassword);
  expect((await bob.get('/api/session')).status).toBe(401);
  expect([lastAdmin.status, removed.status]).toEqual([412, 204]);
  expect((await admin.get('/api/users')).json.users).toHaveLength(1);
});

test('the audit list says who did what', async () => {
  const site = await startSite();
  const admin = await site.admin();
  await site.client().login('admin', 'wrong');
  await admin.post('/api/cameras', { name: 'Door', source: { kind: 'rtsp', url: 'rtsp://a:b@192.0.2.1/' } });

  const { json } = await admin.get('/api/audit');

  const told = json.entries.map((entry: Record<string, unknown>) => `${entry.action} ${entry.outcome}`);
  expect(told).toEqual([
    'cameras:create done',
    'own:login refused',
    'own:password done',
    'own:login done',
    'users:create done',
  ]);
  expect(json.entries[0]).toMatchObject({ subject: { kind: 'user', name: 'admin' }, address: '127.0.0.1' });
});

test('no secret is in any log line, and no camera secret in any answer', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const secrets = { camera: 'c4mera-pa55', inPath: 'p4th-pa55', user: 'cam-us3r' };
  const url = `rtsp://${secrets.user}:${secrets.camera}@192.0.2.1/user=x&password=${secrets.inPath}&channel=1`;
  const { id, streams, source } = (await admin.post('/api/cameras', { name: 'Door', source: { kind: 'rtsp', url } }))
    .json;
  const token = (await admin.post('/api/tokens', { name: 'ci' })).json.secret;
  const user = (await admin.post('/api/users', { name: 'bob' })).json.oneTimePassword;
  const program = site.client();
  program.token = token;
  const playback = (await admin.post(`/api/streams/${streams[0].id}/playback`)).json.url;

  await admin.patch(`/api/cameras/${id}`, { source });
  await admin.post('/api/cameras/test', { source, cameraId: id });
  await admin.post('/api/cameras', { name: 'Door', source: { kind: 'rtsp', url } });
  await admin.post('/api/cameras', { name: 'Bad', source: { kind: 'rtsp', url: `${url} x` } });
  await admin.post('/api/cameras', { name: 'Bad', source: { kind: 'rtsp', url, tls: secrets.camera } });
  await site.client().login('bob', `${user}x`);
  await site.client().get(playback);
  for (const path of ['/api/cameras', `/api/cameras/${id}`, '/api/streams', '/api/audit', '/api/tokens', '/api/users'])
    await admin.get(path);
  await program.get(`/api/cameras/${id}`);
  await until('all was logged', () => site.transcript.filter((line) => line.includes('"request"')).length > 15);

  const logLines = site.transcript.filter((line) => line.startsWith('{'));
  const answers = site.transcript.filter((line) => !line.startsWith('{'));
  const playbackToken = new URL(playback, 'https://x').searchParams.get('SessionToken') ?? '?';
  const never = [
    ...Object.values(secrets),
    adminPassword,
    site.firstAdmin?.password ?? '?',
    token,
    user,
    playbackToken,
  ];
  const cookie = admin.cookie?.split('=')[1] ?? '?';
  for (const secret of [...never, cookie]) expect(logLines.filter((line) => line.includes(secret))).toEqual([]);
  for (const secret of [...Object.values(secrets), adminPassword, cookie]) {
    expect(answers.filter((line) => line.includes(secret))).toEqual([]);
  }
  expect(source.url).toBe('rtsp://192.0.2.1/user=x&password=***&channel=1');
  expect(site.probes.sources[0]?.url).toContain(secrets.inPath);
});
