/** RTSP readers against the real gate: accounts, tokens, policies, limits of attempts. */

import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import type { FragmentSource } from '../../../gateway/playback/index.ts';
import { RtspServer } from '../../../gateway/rtsp-server/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import { beginMs, encodeClip, RecordedStream, streamId } from '../playback/recorded-stream.ts';
import { noLane } from '../rtsp-server/kit.ts';
import { RawClient } from '../rtsp-server/raw-client.ts';
import { adminPassword, startSite } from './kit.ts';

/** A site with two cameras, each of which has the same recording, and RTSP in front of it. */
async function startRtspSite() {
  const site = await startSite();
  const admin = await site.admin();
  const add = async (name: string) =>
    (await admin.post('/api/cameras', { name, source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } })).json;
  const [door, yard] = [await add('Front door'), await add('Yard')];
  const recorded = new RecordedStream();
  const coding = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-bf', '0'];
  recorded.addRun(await encodeClip(['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=20', ...coding]), {
    atMs: beginMs,
  });
  const source: FragmentSource = {
    fragmentsBetween: (_streamId, range) => recorded.fragmentsBetween(streamId, range),
    latest: () => recorded.latest(),
    clusterBytes: (place) => recorded.clusterBytes(place),
    onNew: (_streamId, callback) => recorded.onNew(streamId, callback),
  };
  const log = createLog({ level: 'debug', destination: { write: (line) => site.transcript.push(line) } });
  const server = new RtspServer(
    {
      ...{ clock: systemClock, log, random: randomBytes, gate: site.serve.rtspGate, source },
      ...{ laneOf: () => noLane, tls: undefined, groupOf: (address: string) => address },
    },
    { host: '127.0.0.1', port: 0, udpPort: undefined },
  );
  await server.start();
  onTestFinished(() => server.close());
  const host = `127.0.0.1:${server.port}`;
  const token = async (body: object) => (await admin.post('/api/tokens', body)).json;
  const statusOf = async (name: string, who?: { username: string; password: string }) =>
    (
      await (
        await RawClient.open(host, who?.username, who?.password)
      ).ask('DESCRIBE', `rtsp://${host}/${name}?start=${beginMs}`)
    ).status;
  return { site, admin, door, yard, host, token, statusOf };
}

test('a token logs in by digest, by its id and by its name, to streams and cameras by their names', async () => {
  const { token, statusOf, site } = await startRtspSite();
  const { token: made, secret } = await token({ name: 'nvr', role: 'viewer' });

  for (const username of ['nvr', made.id]) {
    for (const name of ['Front-door', 'Front%20door', 'front%20DOOR', 'Yard']) {
      expect([name, await statusOf(name, { username, password: secret })]).toEqual([name, 200]);
    }
  }

  expect(await statusOf('Yard', { username: 'other', password: secret })).toBe(401);
  expect(await statusOf('Yard', { username: 'nvr', password: `${secret}x` })).toBe(401);
  expect(await statusOf('Yard')).toBe(401);
  expect(await statusOf('Nowhere', { username: 'nvr', password: secret })).toBe(404);
  expect(site.transcript.filter((line) => line.includes(secret) && !line.includes('"secret"'))).toEqual([]);
});

test('a policy for one camera shows that camera, and says nothing of any other', async () => {
  const { token, statusOf, admin, door } = await startRtspSite();
  await admin.put('/api/policies/door-only', {
    statements: [{ effect: 'allow', actions: ['streams:view'], resources: [`camera/${door.id}`] }],
  });
  const { secret } = await token({ name: 'guard', role: null, policies: ['door-only'] });
  const { secret: blind } = await token({ name: 'blind', role: null, policies: [] });
  const guard = { username: 'guard', password: secret };

  expect(await statusOf('Front-door', guard)).toBe(200);
  expect(await statusOf('Yard', guard)).toBe(403);
  expect(await statusOf('Nowhere', guard)).toBe(403);
  expect(await statusOf('Front-door', { username: 'blind', password: blind })).toBe(403);
});

test('people show their password, and wrong ones have to wait as at the login', async () => {
  const { host, admin } = await startRtspSite();
  expect((await admin.get('/api/session')).status).toBe(200);
  const target = `rtsp://${host}/Yard?start=${beginMs}`;
  const ask = async (username: string, password: string) => {
    const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    return (await (await RawClient.open(host)).ask('DESCRIBE', target, { Authorization: basic })).status;
  };

  expect(await ask('admin', adminPassword)).toBe(200);
  const statuses: number[] = [];
  for (let i = 0; i < 7; i++) statuses.push(await ask('admin', 'wrong'));

  expect(statuses.slice(0, 5)).toEqual([401, 401, 401, 401, 401]);
  expect(statuses).toContain(503);
  expect(await ask('admin', adminPassword)).toBe(503);
});

test('a token that was removed opens nothing', async () => {
  const { token, statusOf, admin } = await startRtspSite();
  const { token: made, secret } = await token({ name: 'nvr', role: 'viewer' });
  await admin.delete(`/api/tokens/${made.id}`);

  expect(await statusOf('Yard', { username: 'nvr', password: secret })).toBe(401);
});

test('a connection that was opened by a password ends with it', async () => {
  const { host, admin } = await startRtspSite();
  const reader = await RawClient.open(host);
  const basic = `Basic ${Buffer.from(`admin:${adminPassword}`).toString('base64')}`;
  const ask = async () =>
    (await reader.ask('DESCRIBE', `rtsp://${host}/Yard?start=${beginMs}`, { Authorization: basic })).status;
  expect(await ask()).toBe(200);

  const changed = await admin.post('/api/session/password', {
    currentPassword: adminPassword,
    newPassword: 'another long password',
  });

  expect(changed.status).toBeLessThan(300);
  expect(await ask()).toBe(401);
});
