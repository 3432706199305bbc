import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { ServedRoute } from '../../../appliance/admin/index.ts';
import { startSite, type TestSite } from './kit.ts';

/** What tells nothing of the site, and nothing else. The page's own files come on top where it was built. */
const openRoutes = ['GET /', 'GET /healthz', 'GET /readyz', 'OPTIONS /whep/*', 'OPTIONS /whip/*', 'POST /api/session'];

/** Ids that exist nowhere: whoever may not do it must not learn even that. */
const pathOf = ({ url }: ServedRoute) =>
  url.replace(/:(\w+)/g, (_, name: string) => (name === 'file' ? 'master.m3u8' : 'aaaaaaaaaa'));

const nameOf = ({ method, url }: ServedRoute) => `${method} ${url}`;

test('every route asks the authoriser but health, the login and the page', async () => {
  const site = await startSite();

  const open = site.serve.routes.filter((route) => route.access.kind === 'public' && route.method !== 'HEAD');

  expect(open.map(nameOf).sort()).toEqual(openRoutes);
  expect(site.serve.routes.length).toBeGreaterThan(60);
});

test('without a login every other route says so, and nothing more', async () => {
  const site = await startSite();
  const client = site.client();

  for (const route of guarded(site)) {
    const answer = await client.send(route.method, pathOf(route));
    expect([nameOf(route), answer.status]).toEqual([nameOf(route), 401]);
    if (route.method !== 'HEAD') expect(answer.json.error.code).toBe('unauthenticated');
  }
  expect((await client.get('/api/nothing-like-this')).status).toBe(401);
});

test('whoever has no policy is refused on every route but those of the own account', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const { json } = await admin.post('/api/tokens', { name: 'nothing', role: null, policies: [] });
  const client = site.client();
  client.token = json.secret;

  for (const route of guarded(site)) {
    if (route.access.kind !== 'public' && route.access.action.startsWith('own:')) continue;
    const answer = await client.send(route.method, pathOf(route));
    expect([nameOf(route), answer.status]).toEqual([nameOf(route), 403]);
  }
});

test('the live feed opens for nobody without a login, nor for another site', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const open = (headers: Record<string, string>) =>
    new Promise<number | 'open'>((resolve) => {
      const socket = new WebSocket(`wss://127.0.0.1:${site.port}/api/events`, { ca: site.ca, headers });
      socket.on('open', () => {
        resolve('open');
        socket.close();
      });
      socket.on('unexpected-response', (_request, response) => {
        resolve(response.statusCode ?? 0);
        response.resume();
      });
      socket.on('error', () => {});
    });

  expect(await open({})).toBe(401);
  expect(await open({ cookie: admin.cookie ?? '', origin: 'https://evil.example' })).toBe(403);
  expect(await open({ cookie: admin.cookie ?? '', origin: `https://127.0.0.1:${site.port}` })).toBe('open');
});

test('a policy for one camera shows that camera and its streams, and nothing else', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const add = async (name: string) =>
    (await admin.post('/api/cameras', { name, source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } })).json;
  const door = await add('Door');
  const yard = await add('Yard');
  await admin.put('/api/policies/door-only', {
    statements: [
      { effect: 'allow', actions: ['cameras:read', 'streams:*'], resources: [`camera/${door.id}`] },
      { effect: 'deny', actions: ['streams:export'], resources: ['*'] },
    ],
  });
  const { json } = await admin.post('/api/tokens', { name: 'guard', role: null, policies: ['door-only'] });
  const guard = site.client();
  guard.token = json.secret;

  const cameras = (await guard.get('/api/cameras')).json.cameras;
  const streams = (await guard.get('/api/streams')).json.streams;
  const statuses = await Promise.all([
    guard.get(`/api/cameras/${door.id}`),
    guard.get(`/api/cameras/${yard.id}`),
    guard.get(`/api/streams/${door.streams[0].id}/image.jpg`),
    guard.get(`/api/streams/${yard.streams[0].id}/image.jpg`),
    guard.get(`/api/streams/${door.streams[0].id}/clip.mp4?begin=1000&end=2000`),
    guard.patch(`/api/cameras/${door.id}`, { name: 'Mine' }),
  ]);

  expect(cameras.map((camera: { name: string }) => camera.name)).toEqual(['Door']);
  expect(streams.map((stream: { cameraId: string }) => stream.cameraId)).toEqual([door.id]);
  expect(statuses.map((answer) => answer.status)).toEqual([200, 403, 200, 403, 403, 403]);
});

test('roles do what they are for', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const as = async (role: string) => {
    const client = site.client();
    client.token = (await admin.post('/api/tokens', { name: role, role })).json.secret;
    return client;
  };
  const asked = async (role: string) => {
    const client = await as(role);
    const answers = await Promise.all([
      client.get('/api/cameras'),
      client.get('/api/system'),
      client.post('/api/cameras', { name: `by ${role}`, source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } }),
      client.get('/api/audit'),
      client.get('/api/users'),
      client.post('/api/policies', { name: 'mine', statements: [] }),
    ]);
    return answers.map((answer) => answer.status);
  };

  expect(await asked('viewer')).toEqual([200, 403, 403, 403, 403, 403]);
  expect(await asked('operator')).toEqual([200, 200, 201, 200, 403, 403]);
  expect(await asked('admin')).toEqual([200, 200, 201, 200, 200, 201]);
});

function guarded(site: TestSite): readonly ServedRoute[] {
  return site.serve.routes.filter((route) => route.access.kind !== 'public');
}
