import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openPlan } from '../../../appliance/secrets/index.ts';
import { until } from '../../kit/until.ts';
import { sourceState, startSite } from './kit.ts';

const input = {
  name: 'Front door',
  source: { kind: 'rtsp', url: 'rtsp://ada:s3cret%20pw@192.0.2.10:8554/main' },
};

test('a new camera stands in the plan, its user and password sealed', async () => {
  const site = await startSite();
  const admin = await site.admin();

  const created = await admin.post('/api/cameras', input);

  expect(created.status).toBe(201);
  expect(created.headers.etag).toBe('"1"');
  expect(created.json).toMatchObject({
    name: 'Front door',
    source: { url: 'rtsp://192.0.2.10:8554/main', transport: 'tcp', tls: 'verify' },
    hasCredentials: true,
    recording: { mode: 'continuous', schedule: null, retentionHours: 168, eventRetentionHours: null, bytesMax: null },
    sub: null,
    onvif: null,
    streams: [{ name: 'Front-door', role: 'main' }],
  });
  const text = await readFile(site.paths.plan, 'utf8');
  expect(text).not.toMatch(/ada|s3cret/);
  const { plan } = openPlan(JSON.parse(text), site.siteKey.box('camera'));
  expect(plan.sources).toMatchObject([
    { cameraId: created.json.id, source: { username: 'ada', password: 's3cret pw' }, revision: 1 },
  ]);
  expect(site.planChanges.count).toBe(2);
});

test('a disabled or removed camera leaves the plan, its stream stays listed', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const { id } = (await admin.post('/api/cameras', input)).json;
  const planned = async () => JSON.parse(await readFile(site.paths.plan, 'utf8')).sources.length;

  await admin.patch(`/api/cameras/${id}`, { isEnabled: false });
  const whenDisabled = await planned();
  await admin.patch(`/api/cameras/${id}`, { isEnabled: true });
  const whenEnabled = await planned();
  await admin.delete(`/api/cameras/${id}`);

  expect([whenDisabled, whenEnabled, await planned()]).toEqual([0, 1, 0]);
  expect((await admin.get('/api/streams')).json.streams).toMatchObject([{ cameraId: id, isRemoved: true }]);
  expect((await admin.get(`/api/cameras/${id}`)).status).toBe(404);
});

test('two people who change one camera at a time do not overwrite each other', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const { id } = (await admin.post('/api/cameras', input)).json;

  const first = await admin.patch(`/api/cameras/${id}`, { name: 'Gate' }, { headers: { 'if-match': '"1"' } });
  const second = await admin.patch(`/api/cameras/${id}`, { name: 'Yard' }, { headers: { 'if-match': '"1"' } });
  const third = await admin.patch(`/api/cameras/${id}`, { name: 'Yard', revision: 1 });

  expect([first.status, second.status, third.status]).toEqual([200, 412, 412]);
  expect((await admin.get(`/api/cameras/${id}`)).json).toMatchObject({ name: 'Gate', revision: 2 });
});

test('a change that changes nothing raises no revision and writes no plan', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const { id, source } = (await admin.post('/api/cameras', input)).json;
  const before = site.planChanges.count;

  const same = await admin.patch(`/api/cameras/${id}`, {
    source,
    credentials: { username: 'ada', password: 's3cret pw' },
  });

  expect(same.json.revision).toBe(1);
  expect(site.planChanges.count).toBe(before);
});

test('stored credentials never go to another host', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const { id } = (await admin.post('/api/cameras', input)).json;
  const elsewhere = { kind: 'rtsp', url: 'rtsp://198.51.100.66/main' };

  const moved = await admin.patch(`/api/cameras/${id}`, { source: { url: elsewhere.url } });
  const tested = await admin.post('/api/cameras/test', { source: elsewhere, cameraId: id });
  const entered = await admin.patch(`/api/cameras/${id}`, {
    source: { url: elsewhere.url },
    credentials: { username: 'eve', password: 'new' },
  });

  expect(moved).toMatchObject({ status: 400, json: { error: { field: 'credentials' } } });
  expect(tested.status).toBe(400);
  expect(site.probes.sources).toEqual([]);
  expect(entered.status).toBe(200);
});

test('trying a camera out shows tracks and picture, with stored credentials where they belong', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const { id, source } = (await admin.post('/api/cameras', input)).json;
  site.probes.result = {
    tracks: [
      {
        number: 1,
        kind: 'video',
        codec: 'h264',
        codecId: 'V_MPEG4/ISO/AVC',
        codecPrivate: new Uint8Array(),
        codecString: 'avc1.4d4028',
        video: { widthPixels: 1920, heightPixels: 1080 },
      },
    ],
    picture: Buffer.from('jpeg'),
    warnings: ['no sender reports'],
    fault: undefined,
  };

  const answer = await admin.post('/api/cameras/test', { source, cameraId: id });

  expect(answer.json).toEqual({
    ok: true,
    tracks: [{ number: 1, codec: 'h264', text: 'h264 1920x1080' }],
    picture: Buffer.from('jpeg').toString('base64'),
    warnings: ['no sender reports'],
    fault: null,
  });
  expect(site.probes.sources).toMatchObject([{ url: source.url, username: 'ada', password: 's3cret pw' }]);
});

test('a camera that does not answer is told with reason and hint', async () => {
  const site = await startSite();
  const admin = await site.admin();
  site.probes.result = {
    ...site.probes.result,
    fault: { reason: 'unauthorized', message: 'the camera refused user or password', hint: 'enter them again' },
  };

  const answer = await admin.post('/api/cameras/test', { source: input.source });

  expect(answer).toMatchObject({ status: 200, json: { ok: false, fault: { reason: 'unauthorized' } } });
});

test('unknown fields are refused, naming the nearest, and wrong ones by name', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const post = async (change: object) => (await admin.post('/api/cameras', { ...input, ...change })).json.error;

  expect(await post({ recording: { retentionHour: 4 } })).toMatchObject({
    code: 'invalid_argument',
    field: 'recording.retentionHour',
    hint: 'did you mean "retentionHours"?',
  });
  expect(await post({ isEnable: true })).toMatchObject({ hint: 'did you mean "isEnabled"?' });
  expect(await post({ name: '' })).toMatchObject({ field: 'name' });
  expect(await post({ source: { kind: 'rtsp', url: 'http://192.0.2.1/' } })).toMatchObject({ field: 'source.url' });
  expect((await admin.get('/api/streams/aaaaaaaaaa/timeline?beginn=1&end=2')).json.error).toMatchObject({
    hint: 'did you mean "begin"?',
  });
});

test('states that ingest tells are shown, and none are once it is gone', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const { id, streams } = (await admin.post('/api/cameras', input)).json;
  const state = async () => (await admin.get(`/api/cameras/${id}`)).json.state;

  site.tellState(
    sourceState(streams[0].id, { state: 'retrying', reason: 'unreachable', hint: 'check the cable', nextAttemptMs: 9 }),
  );
  await until('the state is shown', async () => (await state())?.state === 'retrying');
  expect(await state()).toMatchObject({ reason: 'unreachable', hint: 'check the cable', message: null });
  await site.closeIngest();

  await until('the state is unknown', async () => (await state()) === null);
});

test('the plan is written anew when it was lost, and a failing disk is said and healed', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const { mkdir, rm, rmdir } = await import('node:fs/promises');
  await rm(site.paths.plan);
  await mkdir(`${site.paths.plan}.new`);

  const refused = await admin.post('/api/cameras', input);
  const ready = await site.client().get('/readyz');
  await rmdir(`${site.paths.plan}.new`);

  expect(refused).toMatchObject({ status: 503, json: { error: { code: 'unavailable' } } });
  expect(ready.json.parts).toContainEqual(expect.objectContaining({ part: 'plan', ready: false }));
  expect((await admin.get('/api/cameras')).json.cameras).toHaveLength(1);
  await until(
    'the plan is written',
    async () => JSON.parse(await readFile(site.paths.plan, 'utf8')).sources.length === 1,
  );
});
