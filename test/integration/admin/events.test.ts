import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import { until } from '../../kit/until.ts';
import { sourceState, startSite, type TestSite } from './kit.ts';

type Message = { readonly type: string; readonly [field: string]: unknown };

async function listen(site: TestSite, headers: Record<string, string>) {
  const messages: Message[] = [];
  const socket = new WebSocket(`wss://127.0.0.1:${site.port}/api/events`, { ca: site.ca, headers });
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  socket.on('error', () => {});
  onTestFinished(() => socket.terminate());
  await until('the snapshot came', () => messages.length > 0);
  return { socket, messages, closed };
}

async function siteWithCameras() {
  const site = await startSite();
  const admin = await site.admin();
  const add = async (name: string) => {
    const input = { name, source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' } };
    const { id, streams } = (await admin.post('/api/cameras', input)).json;
    return { id: id as string, streamId: streams[0].id as string };
  };
  return { site, admin, door: await add('Door'), yard: await add('Yard') };
}

function committed(streamId: string, serverTimestampMs: number) {
  return {
    kind: 'committed',
    streamId,
    runId: '0'.repeat(32),
    path: '/x',
    fragment: {
      number: fragmentNumber(1, serverTimestampMs, 1),
      offset: 0,
      byteLength: 1,
      serverTimestampMs,
      producerTimestampMs: serverTimestampMs,
      mediaTimeMs: 0,
      durationMs: 2_000,
      isKey: true,
      hasLoss: false,
      tracks: [],
      sha256: new Uint8Array(32),
    },
  } as const;
}

test('a page gets a snapshot, states as they change, and newest instants together', async () => {
  const { site, admin, door, yard } = await siteWithCameras();
  site.tellState(sourceState(door.streamId));
  const { messages } = await listen(site, { cookie: admin.cookie ?? '' });

  site.tellState(sourceState(yard.streamId, { state: 'retrying', reason: 'unreachable' }));
  for (const stream of [door, yard]) {
    for (let at = 1; at <= 5; at++) site.tellHint(committed(stream.streamId, at * 1_000));
  }
  await until('newest instants came', () => messages.some(({ type }) => type === 'streams'));

  expect(messages[0]).toMatchObject({ type: 'snapshot', roles: [{ role: 'ingest-0' }, { role: 'keeper' }] });
  expect(messages).toContainEqual(
    expect.objectContaining({ type: 'state', state: expect.objectContaining({ reason: 'unreachable' }) }),
  );
  expect(messages.filter(({ type }) => type === 'streams')).toEqual([
    {
      type: 'streams',
      streams: [
        { streamId: door.streamId, latestMs: 7_000 },
        { streamId: yard.streamId, latestMs: 7_000 },
      ],
    },
  ]);
});

test('a page is told to read cameras again when somebody changed them', async () => {
  const { site, admin, door } = await siteWithCameras();
  const { messages } = await listen(site, { cookie: admin.cookie ?? '' });

  await admin.patch(`/api/cameras/${door.id}`, { name: 'Gate' });

  await until('the change is told', () => messages.some(({ type, what }) => type === 'changed' && what === 'cameras'));
});

test('a page hears of the streams that its owner may see, and of no others', async () => {
  const { site, admin, door, yard } = await siteWithCameras();
  await admin.put('/api/policies/door', {
    statements: [
      { effect: 'allow', actions: ['streams:read', 'events:read'], resources: [`camera/${door.id}`, 'events'] },
    ],
  });
  const { secret } = (await admin.post('/api/tokens', { name: 'guard', role: null, policies: ['door'] })).json;
  const { messages } = await listen(site, { authorization: `Bearer ${secret}` });

  for (const stream of [yard, door]) {
    site.tellState(sourceState(stream.streamId));
    site.tellHint(committed(stream.streamId, 1_000));
  }
  await until('newest instants came', () => messages.some(({ type }) => type === 'streams'));

  expect(JSON.stringify(messages)).toContain(door.streamId);
  expect(JSON.stringify(messages)).not.toContain(yard.streamId);
  expect(JSON.stringify(messages)).not.toContain('ingest-0');
});

test('logging out ends the feed', async () => {
  const { site, admin } = await siteWithCameras();
  const { closed } = await listen(site, { cookie: admin.cookie ?? '' });

  await admin.delete('/api/session');

  expect(await closed).toBe(4401);
});

test('a lost ingest empties the snapshot', async () => {
  const { site, admin, door } = await siteWithCameras();
  site.tellState(sourceState(door.streamId));
  const { messages } = await listen(site, { cookie: admin.cookie ?? '' });

  await site.closeIngest();

  await until('an empty snapshot came', () =>
    messages.slice(1).some(({ type, states }) => type === 'snapshot' && (states as unknown[]).length === 0),
  );
});

test('closing tells pages to come back', async () => {
  const { site, admin } = await siteWithCameras();
  const { closed } = await listen(site, { cookie: admin.cookie ?? '' });

  await site.close();

  expect(await closed).toBe(1001);
});
