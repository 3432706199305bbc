import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startSite, type TestSite } from './kit.ts';

function open(site: TestSite, path: string, headers: Record<string, string>) {
  return new Promise<number | 'open'>((resolve) => {
    const socket = new WebSocket(`wss://127.0.0.1:${site.port}${path}`, { ca: site.ca, headers });
    socket.on('open', () => resolve('open'));
    socket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      response.resume();
    });
    socket.on('error', () => {});
  });
}

async function siteWithCamera() {
  const site = await startSite();
  const admin = await site.admin();
  const input = { name: 'Door', source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } };
  const { streams } = (await admin.post('/api/cameras', input)).json;
  const { json } = await admin.post('/api/tokens', { name: 'wall', role: 'viewer' });
  return {
    site,
    admin,
    path: `/api/streams/${streams[0].id}/live`,
    token: { id: json.token.id as string, secret: json.secret as string },
  };
}

test('a live socket opens for who may view the stream, and for nobody of another site', async () => {
  const { site, admin, path, token } = await siteWithCamera();
  const { json } = await admin.post('/api/tokens', { name: 'nothing', role: null, policies: [] });

  expect(await open(site, path, {})).toBe(401);
  expect(await open(site, path, { authorization: `Bearer ${json.secret}` })).toBe(403);
  expect(await open(site, path, { cookie: admin.cookie ?? '', origin: 'https://evil.example' })).toBe(403);
  expect(await open(site, '/api/streams/aaaaaaaaaa/live', { cookie: admin.cookie ?? '' })).toBe(404);
  expect(await open(site, `${path}?video=h266`, { cookie: admin.cookie ?? '' })).toBe(400);
  expect(site.liveViews).toEqual([]);

  expect(await open(site, path, { cookie: admin.cookie ?? '' })).toBe('open');
  expect(await open(site, `${path}?video=h264`, { authorization: `Bearer ${token.secret}` })).toBe('open');
  expect(site.liveViews.map(({ canPlayH265 }) => canPlayH265)).toEqual([true, false]);
  expect(new Set(site.liveViews.map(({ account }) => account)).size).toBe(2);
});

test('who is logged out, or may no longer view the stream, is told apart when asked again', async () => {
  const { site, admin, path, token } = await siteWithCamera();
  await open(site, path, { authorization: `Bearer ${token.secret}` });
  await open(site, path, { cookie: admin.cookie ?? '' });
  const permissions = () => site.liveViews.map(({ permission }) => permission());
  expect(permissions()).toEqual(['granted', 'granted']);

  await admin.delete(`/api/tokens/${token.id}`);
  expect(permissions()).toEqual(['logged-out', 'granted']);
  await admin.delete('/api/session');
  expect(permissions()).toEqual(['logged-out', 'logged-out']);
});
