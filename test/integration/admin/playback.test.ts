import { request as httpsRequest } from 'node:https';
import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { clipBytes, startSite, type TestSite } from './kit.ts';

async function siteWithStream() {
  const site = await startSite();
  const admin = await site.admin();
  const input = { name: 'Door', source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } };
  const { id, streams } = (await admin.post('/api/cameras', input)).json;
  return { site, admin, cameraId: id as string, streamId: streams[0].id as string };
}

const exportsOf = async (admin: Awaited<ReturnType<TestSite['admin']>>) =>
  (await admin.get('/api/audit?action=streams:export')).json.entries as readonly unknown[];

test('a clip has its exact length, and any part of it can be had', async () => {
  const { admin, streamId } = await siteWithStream();
  const url = `/api/streams/${streamId}/clip.mp4?begin=2026-01-31T12:00:00Z&end=2026-01-31T12:01:00%2B00:00`;
  const part = (range: string, headers = {}) => admin.get(url, { headers: { range, ...headers } });

  const whole = await admin.get(url);
  const middle = await part('bytes=100000-199999');
  const tail = await part('bytes=-5');
  const beyond = await part('bytes=300000-');
  const changed = await part('bytes=0-9', { 'if-range': '"clip-0"' });
  const head = await admin.send('HEAD', url);

  expect(whole.headers).toMatchObject({
    'content-length': '300000',
    'content-type': 'video/mp4',
    'accept-ranges': 'bytes',
    'content-disposition': 'attachment; filename="Door_2026-01-31T12-00-00Z.mp4"',
  });
  expect(whole.bytes.equals(clipBytes)).toBe(true);
  expect(middle.status).toBe(206);
  expect(middle.headers['content-range']).toBe('bytes 100000-199999/300000');
  expect(middle.bytes.equals(clipBytes.subarray(100_000, 200_000))).toBe(true);
  expect(tail.bytes.equals(clipBytes.subarray(-5))).toBe(true);
  expect(beyond).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */300000' } });
  expect([changed.status, changed.bytes.length]).toEqual([200, 300_000]);
  expect([head.status, head.headers['content-length'], head.bytes.length]).toEqual([200, '300000', 0]);
});

test('an export is in the audit list once, however many ranges a player reads', async () => {
  const { admin, streamId, cameraId } = await siteWithStream();
  const url = `/api/streams/${streamId}/clip.mp4?begin=1000&end=61000`;

  for (const range of ['bytes=0-9', 'bytes=10-19', 'bytes=20-']) await admin.get(url, { headers: { range } });
  await admin.send('HEAD', `${url}0`);

  expect(await exportsOf(admin)).toMatchObject([
    {
      resource: `camera/${cameraId}/stream/${streamId}`,
      subject: { name: 'admin' },
      detail: { beginMs: 1_000, endMs: 61_000 },
    },
  ]);
});

test('a clip of nothing is an error in our words, not a torn download', async () => {
  const { admin, streamId } = await siteWithStream();

  const none = await admin.get(`/api/streams/${streamId}/clip.mp4?begin=1&end=2`);
  const backwards = await admin.get(`/api/streams/${streamId}/clip.mp4?begin=5000&end=2000`);
  const tooLong = await admin.get(`/api/streams/${streamId}/clip.mp4?begin=5000&end=900000000`);

  expect(none).toMatchObject({ status: 404, json: { error: { message: 'nothing was recorded at that time' } } });
  expect(none.headers['content-disposition']).toBeUndefined();
  expect([backwards.status, tooLong.status]).toEqual([400, 400]);
});

test('a client that leaves in the middle of a clip leaves nothing behind', async () => {
  const { site, admin, streamId } = await siteWithStream();
  const request = httpsRequest({
    host: '127.0.0.1',
    port: site.port,
    ca: site.ca,
    path: `/api/streams/${streamId}/clip.mp4?begin=1000&end=2000`,
    headers: { cookie: admin.cookie ?? '' },
    agent: false,
  });
  request.on('error', () => {});
  request.end();
  await new Promise((resolve) => request.on('response', (response) => response.once('data', resolve)));

  request.destroy();

  await until('the request is logged', () => site.transcript.some((line) => line.includes('/clip.mp4"')));
  expect((await admin.get('/api/session')).status).toBe(200);
});

test('pictures say of when they are', async () => {
  const { admin, streamId } = await siteWithStream();

  const live = await admin.get(`/api/streams/${streamId}/image.jpg`);
  const old = await admin.get(`/api/streams/${streamId}/image.jpg?at=5000&width=320&turn=7`);

  expect(live.headers).toMatchObject({
    'content-type': 'image/jpeg',
    'x-server-timestamp-ms': '5',
    'cache-control': 'no-store',
  });
  expect(old).toMatchObject({ text: 'old picture', headers: { 'x-server-timestamp-ms': '4999' } });
});

test('playlists are served by cookie, with times as people write them', async () => {
  const { admin, streamId } = await siteWithStream();

  const live = await admin.get(`/api/streams/${streamId}/hls/master.m3u8`);
  const recorded = await admin.get(`/api/streams/${streamId}/hls/master.m3u8?begin=1970-01-01T00:00:02Z&end=3000`);
  const segment = await admin.get(`/api/streams/${streamId}/hls/media-1-1.m4s?x=1`);

  expect(live.headers).toMatchObject({ 'content-type': 'application/vnd.apple.mpegurl', 'cache-control': 'no-store' });
  expect(recorded.text).toContain('{"begin":"2000","end":"3000"}');
  expect(segment.headers['cache-control']).toContain('immutable');
  expect((await admin.get(`/api/streams/${streamId}/hls/..%2fclip.mp4`)).status).toBe(400);
});

test('a playback URL plays its stream without a login, carries its token on, and plays nothing else', async () => {
  const { site, admin, streamId } = await siteWithStream();
  const { json, status } = await admin.post(`/api/streams/${streamId}/playback`, { begin: 1_000, end: 2_000 });
  const player = site.client();
  const token = new URL(json.url, 'https://x').searchParams.get('SessionToken') ?? '';

  const playlist = await player.get(json.url);
  const forged = await player.get(json.url.replace(/SessionToken=.{5}/, 'SessionToken=AAAAA'));
  const other = await player.get(json.url.replace(streamId, 'aaaaaaaaaa'));
  const without = await player.get(`/hls/v1/${streamId}/master.m3u8`);
  const asLogin = await player.get(`/api/streams/${streamId}/image.jpg?SessionToken=${token}`);

  expect(status).toBe(201);
  expect(json.expiresMs).toBeGreaterThan(Date.now());
  expect(playlist.status).toBe(200);
  expect(playlist.text).toContain(`video.m3u8?SessionToken=${token}`);
  expect(playlist.text).not.toContain('"SessionToken"');
  expect(playlist.headers['access-control-allow-origin']).toBe('*');
  expect([forged.status, other.status, without.status, asLogin.status]).toEqual([401, 401, 401, 401]);
});

test('a playback URL ends with the token of whoever made it', async () => {
  const { site, admin, streamId } = await siteWithStream();
  const made = (await admin.post('/api/tokens', { name: 'wall', role: 'viewer' })).json;
  const program = site.client();
  program.token = made.secret;
  const { url } = (await program.post(`/api/streams/${streamId}/playback`)).json;
  const player = site.client();

  const before = await player.get(url);
  await admin.delete(`/api/tokens/${made.token.id}`);

  expect([before.status, (await player.get(url)).status]).toEqual([200, 401]);
});

test('who cannot decode H.265 gets it converted, by playlists and as a clip of unknown length', async () => {
  const { admin, site, streamId } = await siteWithStream();
  const hls = `/api/streams/${streamId}/hls`;
  const clip = `/api/streams/${streamId}/clip.mp4?begin=1000&end=61000&video=h264`;
  const { json } = await admin.post(`/api/streams/${streamId}/playback`, { video: 'h264' });

  const master = await admin.get(`${hls}/master.m3u8?video=h264`);
  const named = await admin.get(`${hls}/video.m3u8?video=any&convert=live`);
  const original = await admin.get(`${hls}/video.m3u8?video=h264`);
  const byUrl = await site.client().get(json.url);
  const downloaded = await admin.get(clip, { headers: { range: 'bytes=0-3' } });

  expect(master.text).toContain('converted for admin');
  expect(named.text).toContain('converted for admin');
  expect(original.text).not.toContain('converted');
  expect(byUrl.text).toContain('converted for admin');
  expect(downloaded).toMatchObject({ status: 200, text: 'converted clip', headers: { 'accept-ranges': 'none' } });
  expect(await exportsOf(admin)).toHaveLength(1);
});

test('who is turned away reads what is being converted, by names and only of what they may see', async () => {
  const { admin, streamId } = await siteWithStream();

  const refused = await admin.get(`/api/streams/${streamId}/hls/master.m3u8?video=h264&begin=1000`);

  expect(refused.status).toBe(429);
  expect(refused.headers['retry-after']).toBe('20');
  expect(refused.json.error).toMatchObject({ code: 'resource_exhausted' });
  expect(refused.json.error.message).toBe('no more than 1 stream is converted at once');
  expect(refused.json.error.hint).toMatch(/^now converted: Door live \(ada; bob\), 1 camera that you may not see; /);
});
