/** ONVIF over the port: a device is found, looked at, made a camera, moved, and its clock is set. */

import { expect, onTestFinished, test } from 'vitest';
import { type OnvifCameraOptions, TestOnvifCamera } from '../../kit/onvif-camera.ts';
import { startSite, type TestSite } from './kit.ts';

const credentials = { username: 'admin', password: 'very secret 7' };

async function device(options: OnvifCameraOptions = {}): Promise<TestOnvifCamera> {
  const started = new TestOnvifCamera({ credentials, ...options });
  await started.start();
  onTestFinished(() => started.close());
  return started;
}

/** As the supervisor would after the plan was written. */
async function takePlan(site: TestSite, cameraId: string, standing: TestOnvifCamera): Promise<void> {
  const planned = { cameraId, streamId: 's', name: 'gate', revision: 1, url: standing.url, tls: 'verify' as const };
  await site.devices.apply([{ ...planned, ...credentials }]);
}

test('a device is found by its address, looked at, and made a camera with main, sub and its service', async () => {
  const standing = await device();
  const site = await startSite();
  const admin = await site.admin();

  const search = await admin.post('/api/onvif/discover', { addresses: ['127.0.0.1'], ports: [standing.port] });
  const [found] = search.json.devices;
  const looked = await admin.post('/api/onvif/profiles', { url: found.urls[0], credentials });
  const { camera } = looked.json.channels[0];
  const created = await admin.post('/api/cameras', { name: 'gate', credentials, ...camera });

  expect([search.status, looked.status, created.status]).toEqual([200, 200, 201]);
  expect(looked.json).toMatchObject({ manufacturer: 'Weir', features: { media2: true, events: true } });
  expect(created.json).toMatchObject({
    source: { url: 'rtsp://127.0.0.1:554/main?a=1&b=2' },
    sub: { source: { url: 'rtsp://127.0.0.1:554/sub?a=1&b=2' } },
    onvif: { url: standing.url, hasOwnCredentials: false },
  });
  const again = await admin.post('/api/onvif/discover', { addresses: ['127.0.0.1'], ports: [standing.port] });
  expect(again.json.devices[0].cameraId).toBe(created.json.id);
  const stored = await admin.post('/api/onvif/profiles', { url: found.urls[0], cameraId: created.json.id });
  expect(stored.status).toBe(200);
  expect(site.transcript.join('')).not.toContain(credentials.password);
});

test('stored credentials are shown to no other host', async () => {
  const standing = await device();
  const site = await startSite();
  const admin = await site.admin();
  const source = { kind: 'rtsp', url: 'rtsp://192.0.2.9/main' };
  const created = await admin.post('/api/cameras', { name: 'elsewhere', source, credentials });

  const answer = await admin.post('/api/onvif/profiles', { url: standing.url, cameraId: created.json.id });

  expect(answer.status).toBe(400);
  expect(standing.asked).toEqual([]);
});

test('a device that refuses the login does not log the person out', async () => {
  const standing = await device();
  const site = await startSite();
  const admin = await site.admin();

  const answer = await admin.post('/api/onvif/profiles', {
    url: standing.url,
    credentials: { ...credentials, password: 'wrong' },
  });

  expect(answer.status).toBe(412);
  expect(answer.json.error).toMatchObject({ field: 'credentials', message: 'the device refuses user or password' });
});

test('a camera is moved, stopped, sent to presets, and its clock is set', async () => {
  const standing = await device({ clockOffsetMs: 86_400_000 });
  const site = await startSite();
  const admin = await site.admin();
  const { json: camera } = await admin.post('/api/cameras', {
    name: 'dome',
    source: { kind: 'rtsp', url: 'rtsp://127.0.0.1/main' },
    onvif: { url: standing.url, credentials },
  });
  await takePlan(site, camera.id, standing);
  const path = `/api/cameras/${camera.id}`;

  const facts = await admin.get(`${path}/onvif`);
  const moved = await admin.post(`${path}/ptz/move`, { pan: 0.5, tilt: -0.5 });
  expect([facts.status, moved.status, standing.isMoving]).toEqual([200, 200, true]);
  expect(facts.json).toMatchObject({ fault: null, features: { ptz: { continuous: true, presetsMax: 100 } } });
  const stopped = await admin.post(`${path}/ptz/stop`);
  expect([stopped.status, standing.isMoving]).toEqual([204, false]);
  const made = await admin.post(`${path}/ptz/presets`, { name: 'Gate' });
  const { json } = await admin.get(`${path}/ptz/presets`);
  const gone = await admin.post(`${path}/ptz/presets/${made.json.token}/goto`);
  const removed = await admin.delete(`${path}/ptz/presets/${made.json.token}`);
  const set = await admin.post(`${path}/clock`, {});

  expect(json.presets).toEqual([{ token: made.json.token, name: 'Gate' }]);
  expect([made.status, gone.status, removed.status, set.status]).toEqual([201, 204, 204, 200]);
  expect(Math.abs(set.json.clock.offsetMs)).toBeLessThan(3_000);
  expect((await admin.post(`${path}/ptz/move`, {})).status).toBe(400);
});

test('a camera without a device says so', async () => {
  const site = await startSite();
  const admin = await site.admin();
  const source = { kind: 'rtsp', url: 'rtsp://127.0.0.1/main' };
  const { json: camera } = await admin.post('/api/cameras', { name: 'plain', source });

  const answer = await admin.get(`/api/cameras/${camera.id}/onvif`);

  expect(answer.status).toBe(404);
  expect(answer.json.error.hint).toContain('discover');
});
