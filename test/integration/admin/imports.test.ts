import { request } from 'node:https';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { until } from '../../kit/until.ts';
import { startSite } from './kit.ts';

const input = { name: 'Gate', source: { kind: 'rtsp', url: 'rtsp://192.0.2.10/main' } };
const file = Buffer.alloc(200_000, 'not parsed here');
const sent = { raw: file, headers: { 'content-type': 'video/mp4' } };
const hourMs = 3_600_000;

async function setUp() {
  const site = await startSite();
  const admin = await site.admin();
  const { id } = (await admin.post('/api/cameras', input)).json;
  return { site, admin, path: `/api/cameras/${id}/imports`, cameraPath: `/api/cameras/${id}` };
}

test('a body of any type is handed on, and the import can be asked about', async () => {
  const { admin, path } = await setUp();
  const at = systemClock.wallMs() - hourMs;

  const made = await admin.post(`${path}?at=${at}&name=a.mp4`, undefined, sent);
  const json = await admin.post(`${path}?at=${at}`, undefined, {
    raw: '{}',
    headers: { 'content-type': 'application/json' },
  });

  expect(made.status).toBe(202);
  expect(made.json).toMatchObject({ state: 'done', name: 'a.mp4', fileBytes: file.length, atMs: at, fault: null });
  expect(json.json).toMatchObject({ fileBytes: 2 });
  expect((await admin.get(`${path}/${made.json.id}`)).json).toEqual(made.json);
  expect((await admin.get(path)).json.imports).toHaveLength(2);
  const { entries } = (await admin.get('/api/audit?action=streams:import')).json;
  expect(entries[0]).toMatchObject({ action: 'streams:import', detail: { atMs: at } });
  expect((await admin.delete(`${path}/${made.json.id}`)).status).toBe(204);
  expect((await admin.get(`${path}/${made.json.id}`)).status).toBe(404);
});

test('what the camera would not keep is refused unless it is to be protected', async () => {
  const { admin, path, site } = await setUp();
  const old = systemClock.wallMs() - 30 * 24 * hourMs;

  const refused = await admin.post(`${path}?at=${old}`, undefined, sent);
  const kept = await admin.post(`${path}?at=${old}&keep=true`, undefined, sent);
  const future = await admin.post(`${path}?at=${systemClock.wallMs() + hourMs}`, undefined, sent);
  const mistaken = await admin.post(`${path}?at=yesterday`, undefined, sent);

  expect(refused.json.error).toMatchObject({ code: 'failed_precondition' });
  expect(refused.json.error.hint).toContain('--keep');
  expect(kept.status).toBe(202);
  expect(site.keeperCalls).toMatchObject([{ method: 'hold-add', params: { beginMs: old, endMs: old + 1_000 } }]);
  expect(future.json.error.code).toBe('failed_precondition');
  expect(mistaken.status).toBe(400);
});

test('a disabled camera, an unknown one, and somebody who may only watch are refused', async () => {
  const { admin, path, cameraPath, site } = await setUp();
  const at = systemClock.wallMs() - hourMs;
  const nobody = (await admin.post(`/api/cameras/abc/imports?at=${at}`, undefined, sent)).status;
  const viewer = site.client();
  viewer.token = (await admin.post('/api/tokens', { name: 'wall', role: 'viewer' })).json.secret;
  const watching = (await viewer.post(`${path}?at=${at}`, undefined, sent)).status;
  await admin.patch(cameraPath, { isEnabled: false });

  const disabled = await admin.post(`${path}?at=${at}`, undefined, sent);

  expect([nobody, watching]).toEqual([404, 403]);
  expect(disabled.json.error.code).toBe('failed_precondition');
});

test('an upload may take longer than any other request', { timeout: 90_000 }, async () => {
  const { admin, path, site } = await setUp();
  const at = systemClock.wallMs() - hourMs;
  const slow = (url: string) =>
    new Promise<number>((resolve, reject) => {
      const headers = { cookie: admin.cookie ?? '', 'content-type': 'application/octet-stream' };
      const asked = request(
        { host: '127.0.0.1', port: site.port, ca: site.ca, method: 'POST', path: url, headers, agent: false },
        (answer) => {
          answer.resume();
          stop();
          resolve(answer.statusCode ?? 0);
        },
      );
      asked.once('error', (error) => {
        stop();
        reject(error);
      });
      // The bound for a request's last byte is 30 s.
      let seconds = 0;
      const stop = systemClock.every(1_000, () => {
        if (++seconds < 34) asked.write(Buffer.alloc(1_000));
        else asked.end();
      });
      asked.write(Buffer.alloc(1_000));
    });

  const upload = await slow(`${path}?at=${at}`);

  expect(upload).toBe(202);
  await until('it is listed', async () => (await admin.get(path)).json.imports.length === 1);
});
