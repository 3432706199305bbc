import { createHmac } from 'node:crypto';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { channelArn, type KvsCall, KvsMeter, signalingOperations } from '../../../../gateway/kvs/index.ts';
import { stunServer } from '../../../../gateway/kvs/signaling/stun-server.ts';
import { iceServers } from '../../../../gateway/kvs/signaling/turn-credentials.ts';
import { cameraSettings, cameraSource, openTestCatalog } from '../../catalog/kit.ts';
import { base64, gate, noting, startHub } from './kit.ts';

test('TURN credentials are an expiry and a name, signed as a TURN server with the secret does', () => {
  const [server] = iceServers(
    { uris: ['turn:turn.example.org'], ttlS: 300, secret: 'north' },
    { who: 'k3x9', nowMs: 1_700_000_000_999 },
  );

  expect(server).toEqual({
    uris: ['turn:turn.example.org'],
    ttlS: 300,
    username: '1700000300:k3x9',
    password: createHmac('sha1', 'north').update('1700000300:k3x9').digest('base64'),
  });
});

test.each([
  ['https://192.168.1.10:8443', 'stun:192.168.1.10:3478'],
  ['https://[2001:db8::1]:8443', 'stun:[2001:db8::1]:3478'],
  ['https://cameras.example.org', 'stun:cameras.example.org:3478'],
])('who asks at %s is told of %s, in a shape that native clients take', (endpoint, uri) => {
  const server = stunServer(endpoint, 3_478);

  expect(server).toEqual({
    uris: [uri],
    username: expect.stringMatching(/./),
    password: expect.stringMatching(/./),
    ttlS: 300,
  });
});

/** Alexa, with a channel whose messages wait for 5 s. */
async function startAlexa() {
  const { catalog } = await openTestCatalog();
  const site = { region: 'us-east-1', accountId: '000000000000' };
  const row = catalog.tables.channels.create({ name: 'gate', messageTtlS: 5, tags: {} }, 1);
  const channel = { id: row.id, name: row.name, messageTtlMs: 5_000, streamId: undefined };
  const { hub, clock, connect } = startHub();
  const meter = new KvsMeter({ registry: new Registry() });
  const operations = signalingOperations({ clock, hub, meter, turnServers: async () => undefined });
  const offer = async (signal = new AbortController().signal, SenderClientId = 'alexa') => {
    const call = {
      input: { ChannelARN: channelArn(site, row), SenderClientId, MessagePayload: base64('offer') },
      ...{ site, signal, tables: catalog.tables, may: () => true },
    } as unknown as KvsCall;
    return operations.get('/v1/send-alexa-offer-to-master')?.run(call);
  };
  return { offer, clock, connectMaster: () => connect('master', '', { channel }) };
}

test('an offer of Alexa reaches the master, and its answer goes back', async () => {
  const { offer, connectMaster } = await startAlexa();
  const master = connectMaster();
  const [echo, show] = [offer(undefined, 'echo'), offer(undefined, 'show')];

  for (const recipientClientId of ['show', 'echo']) {
    master.say({ action: 'ICE_CANDIDATE', messagePayload: base64('{}'), recipientClientId });
    master.say({ action: 'SDP_ANSWER', messagePayload: base64(`answer to ${recipientClientId}`), recipientClientId });
  }

  expect(master.sent).toEqual([
    { messageType: 'SDP_OFFER', messagePayload: base64('offer'), senderClientId: 'echo' },
    { messageType: 'SDP_OFFER', messagePayload: base64('offer'), senderClientId: 'show' },
  ]);
  expect(await echo).toEqual({ Answer: base64('answer to echo') });
  expect(await show).toEqual({ Answer: base64('answer to show') });
});

test('an offer of Alexa waits for a master that comes in time, and no longer than its client', async () => {
  const { offer, clock, connectMaster } = await startAlexa();
  const gone = new AbortController();
  const [left, waiting] = [offer(gone.signal, 'left'), offer()];
  await clock.advance(1_000);
  gone.abort();
  expect(await left).toEqual({});

  const master = connectMaster();
  await clock.advance(4_000);

  expect(master.sent.map(({ senderClientId }) => senderClientId)).toEqual(['alexa']);
  expect(await waiting).toEqual({});
});

test('a hundred offers wait at most; one whose client is gone makes room at once', async () => {
  const { offer, clock } = await startAlexa();
  const gone = new AbortController();
  const waiting = [offer(gone.signal), ...Array.from({ length: 99 }, () => offer())];

  await expect(offer()).rejects.toMatchObject({ context: { awsName: 'ClientLimitExceededException' } });
  gone.abort();
  await waiting[0];
  waiting.push(offer());
  await clock.advance(5_000);

  expect(await Promise.all(waiting)).toEqual(Array.from({ length: 101 }, () => ({})));
});

test('whoever joins a storage session is connected in that role, and names the channel as this API spells it', async () => {
  const { catalog } = await openTestCatalog();
  const { tables } = catalog;
  const camera = tables.cameras.create(
    cameraSettings({
      credentials: undefined,
      sources: { main: cameraSource({ source: { kind: 'kvs' } }), sub: undefined },
    }),
    1,
    { streamName: 'stored' },
  );
  const row = tables.channels.create({ name: 'gate', messageTtlS: 5, tags: {} }, 1);
  const streamId = camera.streams[0]?.id ?? '';
  tables.channels.update(row, { storageStreamId: streamId }, 2);
  const { storage, heard } = noting();
  const { hub, clock, connect } = startHub({ storage });
  const registry = new Registry();
  const meter = new KvsMeter({ registry });
  const operations = signalingOperations({ clock, hub, meter, turnServers: async () => undefined });
  const site = { region: 'us-east-1', accountId: '000000000000' };
  const asked: string[] = [];
  const run = async (path: string, input: object) => {
    const may = (action: string) => asked.push(action) > 0;
    return operations.get(path)?.run({ input, site, tables, may } as unknown as KvsCall);
  };
  const channelArnOf = channelArn(site, row);
  const viewer = connect('viewer', 'v1', { channel: { ...gate, id: row.id, streamId } });

  const answer = await run('/joinStorageSessionAsViewer', { channelArn: channelArnOf, clientId: 'v1' });

  expect(answer).toEqual({});
  expect(viewer.sent.map(({ messageType }) => messageType)).toEqual(['SDP_OFFER', 'ICE_CANDIDATE']);
  expect(heard).toEqual([['join', 'viewer', 'v1']]);
  const invalid = { context: { awsName: 'InvalidArgumentException' } };
  await expect(run('/joinStorageSession', { channelArn: channelArnOf })).rejects.toMatchObject(invalid);
  await expect(run('/joinStorageSession', { ChannelARN: channelArnOf })).rejects.toMatchObject(invalid);
  await expect(run('/joinStorageSessionAsViewer', { channelArn: channelArnOf })).rejects.toMatchObject(invalid);
  expect(asked).toEqual(['kinesisvideo:JoinStorageSessionAsViewer', 'kinesisvideo:JoinStorageSession']);
  expect(await registry.metrics()).toContain(
    'failure_sum{operation="JoinStorageSession",signaling_channel_name="gate",peer_role="MASTER"} 1\n',
  );
});
