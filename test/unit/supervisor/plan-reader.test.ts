import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { LocalLink } from '../../../appliance/roles/local-link.ts';
import { cameraPurpose, SiteKey } from '../../../appliance/secrets/index.ts';
import { partIndexes, planForRole, readPlan } from '../../../appliance/supervisor/index.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { Plan, PlannedSource, Source } from '../../../storage/model/camera.ts';
import { planOfSources, recordingPolicy } from '../../kit/plans.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

const rtsp = { kind: 'rtsp', url: 'rtsp://192.0.2.1/', transport: 'tcp', tls: 'verify' } as const;

function planned(cameraId: string, role: 'main' | 'sub', source: Source = rtsp): PlannedSource {
  return {
    ...{ streamId: `${cameraId}-${role}`, cameraId, role, name: cameraId, source },
    ...{ recording: recordingPolicy(), revision: 1 },
  };
}

async function reading() {
  const directory = await temporaryDirectory();
  const box = (await SiteKey.open(join(directory, 'site.key'), randomBytes)).box(cameraPurpose);
  const path = join(directory, 'plan.json');
  const read = async (content: unknown) => {
    await writeFile(path, JSON.stringify(content));
    return await readPlan(path, { box, log: silentLog });
  };
  return { box, read };
}

test('a plan is read as it was written, its secrets open', async () => {
  const { box, read } = await reading();
  const schedule = {
    timeZone: 'UTC',
    spans: [{ weekday: 1 as const, beginMinute: 0, endMinute: 60, mode: 'live' as const }],
  };
  const sealed = { username: box.seal('ada'), password: box.seal('secret') };
  const device = {
    cameraId: 'gate',
    streamId: 'gate-main',
    name: 'gate',
    url: 'http://192.0.2.1/',
    tls: 'any',
    revision: 1,
  } as const;
  const plan = {
    ...planOfSources(
      { ...planned('gate', 'main', { ...rtsp, ...sealed }), recording: recordingPolicy({ schedule, bytesMax: 0 }) },
      planned('gate', 'sub', { kind: 'rtmp', keySha256: 'a'.repeat(64) }),
      { ...planned('drone', 'main', { kind: 'kvs' }), storageTier: 'WARM' },
    ),
    devices: [{ ...device, ...sealed }],
  };

  const { sources, devices } = await read(plan);

  expect(sources[0]).toMatchObject({
    source: { username: 'ada', password: 'secret' },
    recording: { schedule, bytesMax: 0 },
  });
  expect(sources[1]).toEqual({ ...planned('gate', 'sub', { kind: 'rtmp', keySha256: 'a'.repeat(64) }) });
  expect(sources[2]).toEqual({ ...planned('drone', 'main', { kind: 'kvs' }), storageTier: 'WARM' });
  expect(devices).toEqual([{ ...device, username: 'ada', password: 'secret' }]);
});

test('a plan of the release before is read: what it did not record is live only', async () => {
  const { read } = await reading();
  const source = (streamId: string, recording: object) => ({
    ...{ streamId, cameraId: streamId, name: streamId, source: rtsp, recording, revision: 1 },
  });

  const { version, sources } = await read({
    version: 1,
    sources: [
      source('kept', { isRecording: true, retentionHours: 48, bytesMax: 7 }),
      source('off', { isRecording: false, retentionHours: 48 }),
      source('ring', { isRecording: true, retentionHours: 0 }),
    ],
  });

  expect(version).toBe(2);
  expect(sources.map(({ streamId, role, recording }) => [streamId, role, recording.mode])).toEqual([
    ['kept', 'main', 'continuous'],
    ['off', 'main', 'live'],
    ['ring', 'main', 'live'],
  ]);
  expect(sources[0]?.recording).toMatchObject({ retentionHours: 48, eventRetentionHours: 48, bytesMax: 7 });
});

test('both sources of a camera are recorded by one process, and publishers by the first', () => {
  const cameras = Array.from({ length: 30 }, (_, i) => `camera-${i}`);
  const drone = planned('drone', 'sub', { kind: 'rtmp', keySha256: '' });
  const plan = planOfSources(
    ...cameras.flatMap((id) => [planned(id, 'sub'), planned(id, 'main')]),
    ...[planned('drone', 'main'), drone],
  );

  const indexes = partIndexes(plan, 3);
  const parts = [0, 1, 2].map((index) => planForRole(plan, `ingest-${index}`, { processes: 3 }).sources);

  for (const id of cameras) expect(indexes.get(`${id}-sub`)).toBe(indexes.get(`${id}-main`));
  expect([indexes.get('drone-main'), indexes.get('drone-sub')]).toEqual([0, 0]);
  expect(parts.every((part) => part.length > 2)).toBe(true);
  expect(parts.flat()).toHaveLength(plan.sources.length);
});

test('each role is told what it connects to, and no other role knows a password', () => {
  const secret = { username: 'ada', password: 'secret' };
  const device = { cameraId: 'gate', streamId: 'gate-main', name: 'gate', url: 'http://192.0.2.1/' };
  const plan: Plan = {
    ...planOfSources(planned('gate', 'main', { ...rtsp, ...secret })),
    devices: [{ ...device, tls: 'any', revision: 1, ...secret }],
  };
  const told = (name: string) => JSON.stringify(planForRole(plan, name, { processes: 1 }));

  expect(told('ingest-0')).toContain('rtsp://192.0.2.1/');
  expect(told('ingest-0')).not.toContain('http://192.0.2.1/');
  expect(told('onvif')).toContain('http://192.0.2.1/');
  expect(told('onvif')).not.toContain('rtsp://192.0.2.1/');
  expect(told('keeper')).toContain('gate-main');
  for (const name of ['keeper', 'serve', 'demo']) expect(told(name)).not.toContain('secret');
});

test('a role that runs alone takes its own part of a changed plan too', async () => {
  const directory = await temporaryDirectory();
  const planPath = join(directory, 'plan.json');
  const box = (await SiteKey.open(join(directory, 'site.key'), randomBytes)).box(cameraPurpose);
  const sources = ['a', 'b', 'c', 'd', 'e', 'f'].map((cameraId) => planned(cameraId, 'main'));
  const clock = new SimulatedClock();
  const taken: Plan[] = [];
  const links = [0, 1].map((index) => {
    const planFor = (plan: Plan) => planForRole(plan, `ingest-${index}`, { processes: 2 });
    return new LocalLink({ clock, log: silentLog, box }, { planPath, planFor, show: () => {} });
  });
  for (const link of links) {
    onTestFinished(() => link.close());
    link.onPlan((plan) => taken.push(plan));
    expect((await link.start()).sources).toEqual([]);
  }

  await writeFile(planPath, JSON.stringify(planOfSources(...sources)));
  await until('both have the new plan', async () => {
    await clock.advance(1_000);
    return taken.length === 2;
  });

  const ids = taken.flatMap((plan) => plan.sources.map(({ cameraId }) => cameraId));
  expect(ids.sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});
