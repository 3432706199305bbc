import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openPlan } from '../../../appliance/secrets/index.ts';
import { streamKeySha256 } from '../../../storage/model/stream-key.ts';
import { until } from '../../kit/until.ts';
import { sourceState, startSite } from './kit.ts';

const main = { kind: 'rtsp', url: 'rtsp://ada:s3cret@192.0.2.10/main' };
const sub = { source: { kind: 'rtsp', url: 'rtsp://192.0.2.10/sub' } };

async function startWithPlan() {
  const site = await startSite();
  const admin = await site.admin();
  const plan = async () =>
    openPlan(JSON.parse(await readFile(site.paths.plan, 'utf8')), site.siteKey.box('camera')).plan;
  return { site, admin, plan };
}

test('a sub source has a stream of its own, is live only unless told otherwise, and uses the user of its camera', async () => {
  const { admin, plan } = await startWithPlan();

  const created = await admin.post('/api/cameras', { name: 'Gate', source: main, sub });
  const { sources } = await plan();

  expect(created.json).toMatchObject({
    sub: {
      source: { kind: 'rtsp', url: 'rtsp://192.0.2.10/sub', transport: 'tcp', tls: 'verify' },
      hasOwnCredentials: false,
      recording: { mode: 'live', retentionHours: 168 },
      state: null,
    },
    streams: [
      { name: 'Gate', role: 'main' },
      { name: 'Gate-sub', role: 'sub' },
    ],
  });
  expect(sources.find((each) => each.role === 'main')).toMatchObject({ recording: { mode: 'continuous' } });
  expect(sources.find((each) => each.role === 'sub')).toMatchObject({
    cameraId: created.json.id,
    source: { url: 'rtsp://192.0.2.10/sub', username: 'ada', password: 's3cret' },
    recording: { mode: 'live' },
  });
});

test('a sub source that leaves and comes back goes on with the stream it had', async () => {
  const { admin, plan } = await startWithPlan();
  const { id, streams } = (await admin.post('/api/cameras', { name: 'Gate', source: main, sub })).json;

  const without = await admin.patch(`/api/cameras/${id}`, { sub: null });
  const planned = (await plan()).sources.length;
  const again = await admin.patch(`/api/cameras/${id}`, { sub: { ...sub, recording: { mode: 'continuous' } } });

  expect(without.json).toMatchObject({ sub: null, streams: [{ role: 'main' }] });
  expect(planned).toBe(1);
  expect(again.json).toMatchObject({ streams, sub: { recording: { mode: 'continuous' } } });
});

test('the state of each source is shown', async () => {
  const { site, admin } = await startWithPlan();
  const { id, streams } = (await admin.post('/api/cameras', { name: 'Gate', source: main, sub })).json;
  for (const [i, stream] of streams.entries()) {
    site.tellState(sourceState(stream.id, { state: i === 0 ? 'live' : 'retrying' }));
  }

  await until('both are told', async () => (await admin.get(`/api/cameras/${id}`)).json.sub.state !== null);

  expect((await admin.get(`/api/cameras/${id}`)).json).toMatchObject({
    state: { state: 'live' },
    sub: { state: { state: 'retrying' } },
  });
});

test('the sub stream is offered beside the main one to who may see both, for recorded ranges if it is recorded', async () => {
  const { site, admin } = await startWithPlan();
  const { id, streams } = (await admin.post('/api/cameras', { name: 'Gate', source: main, sub })).json;
  const [mainId, subId] = streams.map((stream: { id: string }) => stream.id);
  await admin.put('/api/policies/main-only', {
    statements: [
      { effect: 'allow', actions: ['streams:view'], resources: [`camera/${id}`] },
      { effect: 'deny', actions: ['*'], resources: [`camera/${id}/stream/${subId}`] },
    ],
  });
  const guard = site.client();
  guard.token = (await admin.post('/api/tokens', { name: 'guard', role: null, policies: ['main-only'] })).json.secret;
  const master = (streamId: string, query = '') => `/api/streams/${streamId}/hls/master.m3u8${query}`;
  const offered = async (client: typeof guard, path: string) => / beside (.*)/.exec((await client.get(path)).text)?.[1];

  expect(await offered(admin, master(mainId))).toBe(JSON.stringify({ streamId: subId, isRecorded: false }));
  expect(await offered(admin, master(mainId, '?renditions=one'))).toBeUndefined();
  expect(await offered(admin, master(subId))).toBeUndefined();
  expect(await offered(guard, master(mainId))).toBeUndefined();
  expect((await guard.get(master(subId))).status).toBe(403);
  await admin.patch(`/api/cameras/${id}`, { sub: { recording: { mode: 'continuous' } } });
  expect(await offered(admin, master(mainId))).toBe(JSON.stringify({ streamId: subId, isRecorded: true }));
});

test("the camera's user and password never go to a sub source or an ONVIF service of another device", async () => {
  const { admin } = await startWithPlan();
  const post = (more: object) => admin.post('/api/cameras', { name: 'Gate', source: main, ...more });
  const elsewhere = { kind: 'rtsp', url: 'rtsp://198.51.100.66/sub' };

  expect((await post({ sub: { source: elsewhere } })).json.error).toMatchObject({ field: 'sub.credentials' });
  expect((await post({ onvif: { url: 'http://198.51.100.66/' } })).json.error).toMatchObject({
    field: 'onvif.credentials',
  });
  const own = await post({ sub: { source: elsewhere, credentials: { username: 'eve', password: 'x' } } });
  expect(own.json).toMatchObject({ sub: { hasOwnCredentials: true } });

  const moved = await admin.patch(`/api/cameras/${own.json.id}`, {
    sub: { source: { url: 'rtsp://203.0.113.5/sub' } },
  });
  expect(moved.json.error).toMatchObject({ field: 'sub.credentials' });
});

test('an ONVIF device stands in the plan with the user of its camera, on whatever port it answers', async () => {
  const { admin, plan } = await startWithPlan();

  const created = await admin.post('/api/cameras', {
    name: 'Gate',
    source: main,
    onvif: { url: 'http://192.0.2.10:8080' },
  });
  const { devices } = await plan();
  const { id, streams } = created.json;
  await admin.patch(`/api/cameras/${id}`, { onvif: null });

  expect(created.json.onvif).toEqual({
    url: 'http://192.0.2.10:8080/onvif/device_service',
    tls: 'verify',
    hasOwnCredentials: false,
  });
  expect(devices).toMatchObject([{ cameraId: id, streamId: streams[0].id, username: 'ada', password: 's3cret' }]);
  expect((await plan()).devices).toEqual([]);
});

test.each(['rtmp', 'whip'])('a publisher (%s) gets a stream key that is told once and kept as a hash', async (kind) => {
  const { site, admin, plan } = await startWithPlan();

  const created = await admin.post('/api/cameras', { name: 'Drone', source: { kind } });
  const first = created.json.streamKeys.main;
  const shown = await admin.get(`/api/cameras/${created.json.id}`);
  const second = (await admin.post(`/api/cameras/${created.json.id}/stream-key`, {})).json.streamKey;

  expect(first).toMatch(/^[a-z2-7]{32}$/);
  expect(second).not.toBe(first);
  expect(JSON.stringify(shown.json)).not.toContain(first);
  expect((await plan()).sources).toMatchObject([{ source: { kind, keySha256: streamKeySha256(second) } }]);
  expect(await readFile(site.paths.plan, 'utf8')).not.toContain(second);
});

test('a pulled camera has no stream key, and a publisher neither address nor user', async () => {
  const { admin } = await startWithPlan();
  const { id } = (await admin.post('/api/cameras', { name: 'Gate', source: main })).json;

  const key = await admin.post(`/api/cameras/${id}/stream-key`, {});
  const user = await admin.post('/api/cameras', {
    name: 'Drone',
    source: { kind: 'rtmp' },
    credentials: { username: 'ada', password: 'x' },
  });
  const address = await admin.patch(`/api/cameras/${id}`, { source: { kind: 'rtmp', url: 'rtsp://192.0.2.10/' } });

  expect(key.json.error).toMatchObject({ code: 'failed_precondition' });
  expect(user.json.error).toMatchObject({ field: 'credentials' });
  expect(address.json.error).toMatchObject({ field: 'source.url' });
});

test('a pulled camera may become a publisher and back', async () => {
  const { admin, plan } = await startWithPlan();
  const { id } = (await admin.post('/api/cameras', { name: 'Gate', source: main })).json;

  const publisher = await admin.patch(`/api/cameras/${id}`, { source: { kind: 'rtmp' } });
  const incomplete = await admin.patch(`/api/cameras/${id}`, { source: { kind: 'rtsp' } });
  const pulled = await admin.patch(`/api/cameras/${id}`, { source: { kind: 'rtsp', url: 'rtsp://192.0.2.11/' } });

  expect(publisher.json).toMatchObject({ source: { kind: 'rtmp' }, hasCredentials: false });
  expect(publisher.json.streamKeys.main).toHaveLength(32);
  expect(incomplete.json.error).toMatchObject({ field: 'source.url' });
  expect(pulled.json.source).toMatchObject({ kind: 'rtsp', url: 'rtsp://192.0.2.11/' });
  expect(pulled.json).not.toHaveProperty('streamKeys');
  expect((await plan()).sources).toHaveLength(1);
});

test('a KVS producer has neither address nor user nor stream key, for the main picture and the smaller one', async () => {
  const { admin, plan } = await startWithPlan();
  const source = { kind: 'kvs' };

  const created = await admin.post('/api/cameras', { name: 'Drone', source, sub: { source } });
  const { sources } = await plan();

  expect(created.status).toBe(201);
  expect(created.json).toMatchObject({ source, hasCredentials: false, sub: { source } });
  expect(created.json.streamKeys).toBeUndefined();
  expect(sources.map((planned) => planned.source)).toEqual([source, source]);
  for (const change of [{ source: { url: 'rtsp://192.0.2.1/' } }, { credentials: { username: 'a', password: 'b' } }]) {
    expect((await admin.patch(`/api/cameras/${created.json.id}`, change)).status).toBe(400);
  }
  expect((await admin.post(`/api/cameras/${created.json.id}/stream-key`, {})).json.error.code).toBe(
    'failed_precondition',
  );
});

test('a pulled camera may become one that a KVS producer feeds and back, its stream the same', async () => {
  const { admin, plan } = await startWithPlan();
  const { id, streams } = (await admin.post('/api/cameras', { name: 'Gate', source: main })).json;

  const pushed = await admin.patch(`/api/cameras/${id}`, { source: { kind: 'kvs' } });
  const planned = (await plan()).sources[0]?.source;
  const pulled = await admin.patch(`/api/cameras/${id}`, { source: { kind: 'rtsp', url: 'rtsp://192.0.2.10/main' } });

  expect(pushed.json).toMatchObject({ source: { kind: 'kvs' }, hasCredentials: false, streams });
  expect(planned).toEqual({ kind: 'kvs' });
  expect(pulled.json).toMatchObject({ source: { kind: 'rtsp' }, streams });
});

test('mode, schedule and ages are kept as they were sent, and changed one by one', async () => {
  const { admin, plan } = await startWithPlan();
  const schedule = {
    timeZone: 'Europe/Berlin',
    spans: [{ weekday: 1, beginMinute: 0, endMinute: 1_440, mode: 'continuous' }],
  };
  const recording = { mode: 'events', schedule, retentionHours: 24, eventRetentionHours: 720, preRollMinutes: 5 };

  const created = await admin.post('/api/cameras', { name: 'Gate', source: main, recording });
  const changed = await admin.patch(`/api/cameras/${created.json.id}`, { recording: { eventRetentionHours: null } });
  const [planned] = (await plan()).sources;

  expect(created.json.recording).toEqual({ ...recording, bytesMax: null });
  expect(changed.json.recording).toEqual({ ...recording, eventRetentionHours: null, bytesMax: null });
  expect(planned?.recording).toMatchObject({ mode: 'events', schedule, eventRetentionHours: 24 });
});

test('0 hours and overlapping schedules are refused with what to do', async () => {
  const { admin } = await startWithPlan();
  const post = async (recording: object) =>
    (await admin.post('/api/cameras', { name: 'Gate', source: main, recording })).json.error;
  const span = { weekday: 1, beginMinute: 0, endMinute: 600, mode: 'live' };

  expect(await post({ retentionHours: 0 })).toMatchObject({ field: 'recording.retentionHours' });
  expect(await post({ schedule: { timeZone: 'UTC', spans: [span, span] } })).toMatchObject({
    message: expect.stringContaining('overlap'),
  });
});
