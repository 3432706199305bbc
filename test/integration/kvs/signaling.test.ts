/** Signalling by WebSocket, over TLS, by clients that write their messages themselves. Numbers are those of the checklist. */

import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect as connectTls } from 'node:tls';
import {
  CreateStreamCommand,
  DeleteSignalingChannelCommand,
  UpdateMediaStorageConfigurationCommand,
} from '@aws-sdk/client-kinesis-video';
import { KinesisVideoSignalingClient, SendAlexaOfferToMasterCommand } from '@aws-sdk/client-kinesis-video-signaling';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { noting } from '../../unit/kvs/signaling/kit.ts';
import { adminPassword, startSite } from '../admin/kit.ts';
import { everything, type Statement } from './kit.ts';
import { base64, startSignaling } from './signaling-kit.ts';

/** Garbage over the wire is the same garbage each time; the readers alone are tried with more. */
const seed = 7;
const offer = { action: 'SDP_OFFER', messagePayload: base64({ type: 'offer', sdp: 'v=0' }) };

test('(95, 96, 101) every way in which clients presign is taken, and a protocol that they offer is echoed', async () => {
  const assuming: Statement = { effect: 'allow', actions: ['sts:AssumeRole'], resources: ['*'] };
  const { presign, open, endpoint, site, credentials, admin } = await startSignaling([everything, assuming]);
  await admin.post('/api/policies', { name: 'peer', statements: [everything] });
  const sts = new STSClient({
    ...{ endpoint, region: 'eu-central-1', credentials, maxAttempts: 1 },
    requestHandler: { httpsAgent: new Agent({ ca: site.ca }) },
  });
  onTestFinished(() => sts.destroy());
  const { Credentials: made } = await sts.send(
    new AssumeRoleCommand({ RoleArn: 'arn:aws:iam::000000000000:role/peer', RoleSessionName: 'night-shift' }),
  );
  const temporary = {
    accessKeyId: made?.AccessKeyId ?? '',
    secretAccessKey: made?.SecretAccessKey ?? '',
    sessionToken: made?.SessionToken ?? '',
  };

  const peers = [
    await open(presign('MASTER'), { protocols: ['wss', 'other'] }),
    await open(presign('MASTER', { clientId: 'MASTER', expiresS: 604_800, host: 'localhost' })),
    await open(presign('VIEWER', { clientId: 'raw', isArnRaw: true })),
    await open(presign('VIEWER', { clientId: 'temporary', credentials: temporary })),
  ];

  expect(peers.map(({ socket }) => [socket.protocol, socket.extensions])).toEqual([
    ['wss', ''],
    ['', ''],
    ['', ''],
    ['', ''],
  ]);
});

test('(101) behind a proxy with a path of its own, peers connect below that path', async () => {
  const { presign, open, site, endpoints } = await startSignaling([everything], {
    publicUrl: 'https://cameras.example.org/kvs/',
  });
  const local = (url: string) => url.replace('wss://cameras.example.org', `wss://localhost:${site.port}`);

  const viewer = await open(local(presign('VIEWER', { clientId: 'v1' })));
  const master = await open(local(presign('MASTER')));
  viewer.say(offer);

  expect(endpoints.MASTER).toBe('wss://cameras.example.org/kvs/connectAsMaster');
  await until('the offer arrives', () => master.received.length === 1);
});

test('(101) what is wrong with a connection is told before the upgrade, as AWS tells it', async () => {
  const { presign, refusal, credentials, arn, endpoints, site, admin } = await startSignaling();
  await admin.post('/api/policies', {
    name: 'masters',
    statements: [
      {
        effect: 'allow',
        actions: ['kinesisvideo:ConnectAsMaster'],
        resources: ['arn:aws:kinesisvideo:*:*:channel/yard/*'],
      },
    ],
  });
  const made = (await admin.post('/api/access-keys', { name: 'gardener', policies: ['masters'] })).json;
  const gardener = { accessKeyId: made.accessKey.id, secretAccessKey: made.secretAccessKey };
  const other = { ...credentials, secretAccessKey: 'x'.repeat(40) };
  const hourMs = 3_600_000;
  const cases: [string, string][] = [
    ['400 InvalidArgumentException', presign('VIEWER')],
    ['400 InvalidArgumentException', presign('VIEWER', { clientId: 'a b' })],
    ['400 InvalidArgumentException', presign('MASTER', { arn: 'gate' })],
    ['403 MissingAuthenticationTokenException', `${endpoints.MASTER}?X-Amz-ChannelARN=${arn}`],
    ['403 InvalidSignatureException', presign('MASTER', { credentials: other })],
    ['403 InvalidSignatureException', presign('MASTER').replace('channel%2Fgate', 'channel%2Fyard')],
    ['403 InvalidSignatureException', presign('MASTER', { signedMs: Date.now() - hourMs })],
    [
      '403 UnrecognizedClientException',
      presign('MASTER', { credentials: { ...credentials, accessKeyId: 'WEIRAAAAAAAAAAAAAAAA' } }),
    ],
    ['400 IncompleteSignatureException', presign('MASTER', { expiresS: 604_801 })],
    ['403 AccessDeniedException', presign('MASTER', { credentials: gardener })],
    ['403 AccessDeniedException', presign('VIEWER', { clientId: 'v1', credentials: gardener })],
    ['403 AccessDeniedException', presign('MASTER', { credentials: gardener, arn: arn.replace('gate', 'none') })],
    ['404 ResourceNotFoundException', presign('MASTER', { arn: arn.replace('gate', 'none') })],
    ['404 ResourceNotFoundException', presign('MASTER', { arn: arn.replace(/\d+$/, '1') })],
  ];

  const refusals = await Promise.all(cases.map(([, url]) => refusal(url)));

  expect(refusals.map(({ text }) => text)).toEqual(cases.map(([text]) => text));
  const [, , , , , , expired] = refusals;
  expect(expired?.message).toContain('Signature expired');
  for (const { headers, message } of refusals) {
    expect(headers).toMatchObject({
      date: expect.any(String),
      'x-amzn-requestid': expect.any(String),
      connection: 'close',
    });
    expect(message).not.toBe('');
  }
  expect(site.transcript.filter((line) => line.includes('X-Amz-'))).toEqual([]);
});

test('(101) a request that lost its wish to upgrade is told so, and a handshake that is wrong is refused', async () => {
  const { site, presign } = await startSignaling();
  const { pathname, search } = new URL(presign('MASTER'));
  const plain = await site.client().get(`${pathname}${search}`);
  const socket = connectTls({ port: site.port, host: 'localhost', ca: site.ca });
  const head = `GET ${pathname}${search} HTTP/1.1\r\nhost: localhost:${site.port}\r\nconnection: upgrade\r\nupgrade: websocket\r\n`;
  socket.write(`${head}sec-websocket-version: 13\r\nsec-websocket-key: short\r\n\r\n`);
  let said = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await once(socket, 'close');

  expect([plain.status, plain.json.Message]).toEqual([400, expect.stringContaining('WebSocket')]);
  expect(said).toMatch(/^HTTP\/1\.1 400 .*x-amzn-ErrorType: InvalidArgumentException/is);
});

test('(95, 96) a master with messages as the native SDK writes them answers a viewer, who gets no sender', async () => {
  // The native SDK itself connects to port 443 alone: its messages and its URL are what is tried here.
  const { presign, open, connect } = await startSignaling();
  const master = await open(presign('MASTER', { expiresS: 604_800, host: 'localhost' }), { protocols: ['wss'] });
  const viewer = await connect('VIEWER', 'ConsumerViewer');
  const answer = base64({ type: 'answer', sdp: 'v=0' });

  viewer.say({ action: 'SDP_OFFER', RecipientClientId: 'ProducerMaster', MessagePayload: offer.messagePayload });
  await until('the offer arrives', () => master.received.length === 1);
  master.socket.send(
    `{"action":"SDP_ANSWER","RecipientClientId":"ConsumerViewer","MessagePayload":"${answer}","CorrelationId":"1"}`,
  );
  master.socket.send(
    `{"action":"ICE_CANDIDATE","RecipientClientId":"ConsumerViewer","MessagePayload":"${base64({ candidate: 'c' })}","CorrelationId":"2"}`,
  );
  await until('both arrive', () => viewer.received.length === 2);

  expect(master.received).toEqual([
    { senderClientId: 'ConsumerViewer', messageType: 'SDP_OFFER', messagePayload: offer.messagePayload },
  ]);
  expect(viewer.received).toEqual([
    { messageType: 'SDP_ANSWER', messagePayload: answer },
    { messageType: 'ICE_CANDIDATE', messagePayload: base64({ candidate: 'c' }) },
  ]);
});

test('(97, 98, 99, 109) replacing, waiting and errors, over the wire', async () => {
  const clock = new SimulatedClock();
  const { connect, presign, refusal } = await startSignaling([everything], {
    ...{ kvsQuotaFactor: 0.1, signaling: { clock } },
  });
  const waiting = await connect('VIEWER', 'v1');
  waiting.say({ ...offer, correlationId: 'first' });
  await clock.advance(4_000);
  const full = await refusal(presign('VIEWER', { clientId: 'v2' }));
  await clock.advance(4_000);
  const isQuick = await refusal(presign('VIEWER', { clientId: 'v3' })).then(() =>
    refusal(presign('VIEWER', { clientId: 'v3' })),
  );
  await clock.advance(4_000);
  const master = await connect('MASTER');
  await until('what waited arrives', () => master.received.length === 1);

  const again = await connect('VIEWER', 'v1');
  await until('the old one is closed', () => waiting.closed);
  for (const [i, wrong] of [
    { action: 'NONE' },
    { messagePayload: 'no base64 !' },
    { messagePayload: 'A'.repeat(13_660) },
  ].entries()) {
    again.say({ ...offer, ...wrong, correlationId: `wrong-${i}` });
  }
  again.socket.send('garbage');
  await until('errors are told', () => again.received.length === 3);
  again.socket.ping();
  await once(again.socket, 'pong');

  expect([full.text, isQuick.text]).toEqual(Array(2).fill('400 ClientLimitExceededException'));
  expect([full.message, isQuick.message]).toEqual([
    expect.stringContaining('1 viewers'),
    expect.stringContaining('Rate'),
  ]);
  expect(waiting.closed?.code).toBe(4409);
  expect(again.received.map(({ statusResponse }) => statusResponse)).toMatchObject(
    [0, 1, 2].map((i) => ({ correlationId: `wrong-${i}`, statusCode: '400', errorType: 'InvalidArgumentException' })),
  );
  expect(again.closed).toBeUndefined();
});

test('(100) pings are answered on both sides, GO_AWAY comes before the hour is over, and a dead peer is found', async () => {
  const clock = new SimulatedClock();
  const { presign, open, connect } = await startSignaling([everything], { signaling: { clock } });
  const master = await connect('MASTER');
  const dead = await open(presign('VIEWER', { clientId: 'dead' }), { autoPong: false });
  const tenSeconds = async () => {
    const answered = once(master.socket, 'pong');
    master.socket.ping();
    await answered;
    await clock.advance(10_000);
  };
  for (let i = 0; i < 6; i++) await tenSeconds();
  await until('the dead one is given up', () => dead.closed);
  for (let i = 6; i < 355; i++) {
    if (i % 30 === 0) master.say({ ...offer, recipientClientId: 'v1' });
    await tenSeconds();
  }
  await until('it is told to go away', () => master.received.length === 1);
  const wasOpen = master.closed === undefined;
  for (let i = 355; i < 361 && master.closed === undefined; i++) await clock.advance(10_000);
  await until('it is closed', () => master.closed);

  expect(dead.pings).toBeGreaterThan(0);
  expect(master.received).toEqual([{ messageType: 'GO_AWAY' }]);
  expect(wasOpen).toBe(true);
  expect(master.closed?.code).toBe(1001);
});

test('a key that is revoked, a permission that is taken away, a channel that is removed and a server that ends send peers away', async () => {
  const clock = new SimulatedClock();
  const { control, presign, open, connect, arn, admin, site } = await startSignaling([everything], {
    signaling: { clock },
  });
  const made = (await admin.post('/api/access-keys', { name: 'guest', policies: ['clients'] })).json;
  const guest = { accessKeyId: made.accessKey.id, secretAccessKey: made.secretAccessKey };
  const revoked = await open(presign('VIEWER', { clientId: 'v1', credentials: guest }));
  const removed = await connect('MASTER');

  await admin.delete(`/api/access-keys/${guest.accessKeyId}`);
  await clock.advance(10_000);
  await until('the key is gone', () => revoked.closed);
  const denied = await open(presign('VIEWER', { clientId: 'v2' }));
  const stays = removed.closed === undefined;
  const statements = [everything, { ...everything, effect: 'deny', actions: ['*:ConnectAsViewer'] }];
  await admin.put('/api/policies/clients', { statements });
  await clock.advance(500);
  await until('the permission is gone', () => denied.closed);
  await control.send(new DeleteSignalingChannelCommand({ ChannelARN: arn }));
  await clock.advance(500);
  await until('the channel is gone', () => removed.closed);
  const other = await startSignaling();
  const last = await other.connect('MASTER');
  const closing = other.site.close();
  await until('the server ends', () => last.closed);
  await closing;

  expect([revoked, denied, removed, last].map(({ received, closed }) => [received, closed?.code])).toEqual([
    [[{ messageType: 'GO_AWAY' }], 4403],
    [[{ messageType: 'GO_AWAY' }], 4403],
    [[{ messageType: 'GO_AWAY' }], 4404],
    [[{ messageType: 'GO_AWAY' }], 1001],
  ]);
  expect(stays).toBe(true);
  expect(site.transcript.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

test('(105) with media storage enabled the offer of a plain viewer does not reach the master', async () => {
  const { storage, heard } = noting();
  const { control, connect, arn, sdk } = await startSignaling([everything], { signaling: { storage } });
  const before = await connect('MASTER');
  const { StreamARN } = await sdk().send(new CreateStreamCommand({ StreamName: 'stored', DataRetentionInHours: 24 }));
  await control.send(
    new UpdateMediaStorageConfigurationCommand({
      ChannelARN: arn,
      MediaStorageConfiguration: { StreamARN, Status: 'ENABLED' },
    }),
  );
  await until('peers from before connect anew', () => before.closed);
  const [master, viewer] = [await connect('MASTER'), await connect('VIEWER', 'v1')];

  viewer.say(offer);
  await until('the session hears of it', () => heard.length === 1);

  expect(heard).toEqual([['offer', 'v=0']]);
  expect(master.received).toEqual([]);
});

test('an offer of Alexa is answered by the master, by the AWS SDK', async () => {
  const { connect, arn, endpoint, credentials, site } = await startSignaling();
  const master = await connect('MASTER');
  const alexa = new KinesisVideoSignalingClient({
    ...{ endpoint, region: 'eu-central-1', credentials, maxAttempts: 1 },
    requestHandler: { httpsAgent: new Agent({ ca: site.ca }) },
  });
  onTestFinished(() => alexa.destroy());
  const answer = base64({ type: 'answer', sdp: 'v=0' });

  const asked = alexa.send(
    new SendAlexaOfferToMasterCommand({
      ChannelARN: arn,
      SenderClientId: 'echo',
      MessagePayload: offer.messagePayload,
    }),
  );
  await until('the offer arrives', () => master.received.length === 1);
  master.say({ action: 'SDP_ANSWER', messagePayload: answer, recipientClientId: master.received[0]?.senderClientId });

  expect((await asked).Answer).toBe(answer);
});

test('(108) messages are counted by channel and noted by key, and the log has nothing of what they say', async () => {
  const data = await temporaryDirectory();
  const { connect, site } = await startSignaling([everything], { data });
  const [master, viewer] = [await connect('MASTER'), await connect('VIEWER', 'v1')];
  const secret = base64({ type: 'offer', sdp: 'a=ice-pwd:of-this-peer-alone' });
  viewer.say({ ...offer, messagePayload: secret });
  await until('the offer arrives', () => master.received.length === 1);
  viewer.socket.close();
  await until('it left', () => site.transcript.some((line) => line.includes('signalling peer left')));
  const metrics = await site.registry.metrics();
  await site.close();
  const again = (await startSite({ data })).client();
  await again.login('admin', adminPassword);
  const { rows } = (await again.get('/api/usage')).json;

  const row = { stream: 'gate', protocol: 'signaling', subjectKind: 'access-key', requests: 1 };
  expect(rows.filter(({ protocol }: { protocol: string }) => protocol === 'signaling')).toMatchObject([
    { ...row, direction: 'in' },
    { ...row, direction: 'out' },
  ]);
  expect(metrics).toContain('failure_count{operation="ConnectAsMaster",signaling_channel_name="gate"} 1\n');
  expect(metrics).toContain('failure_sum{operation="SendSdpOffer",signaling_channel_name="gate"} 0\n');
  expect(metrics).toContain('messages_transferred_count_sum{signaling_channel_name="gate"} 1\n');
  expect(site.transcript.join('\n')).not.toContain(secret.slice(0, 20));
  expect(site.transcript.filter((line) => line.includes('signalling peer')).length).toBeGreaterThan(2);
});

test('whatever stands in a URL or in a message, peers are refused or served, and nothing of ours fails', async () => {
  const { open, presign, connect, site, refusal } = await startSignaling();
  const master = await connect('MASTER');
  const viewer = await open(presign('VIEWER', { clientId: 'v1' }));
  const good = presign('VIEWER', { clientId: 'v2' });
  const message = fc.oneof(
    fc.string(),
    fc.json(),
    fc.jsonValue().map((value) => JSON.stringify({ ...offer, messagePayload: value, correlationId: 'x' })),
  );
  for (const text of fc.sample(message, { numRuns: 300, seed })) viewer.socket.send(text);
  viewer.say(offer);
  await until('the good one arrives', () =>
    master.received.some(({ messagePayload }) => messagePayload === offer.messagePayload),
  );
  const damaged = fc.tuple(
    fc.integer({ min: endOf(good), max: good.length - 1 }),
    fc.stringMatching(/^[a-zA-Z0-9%&=?/+-]$/),
  );
  for (const [at, character] of fc.sample(damaged, { numRuns: 40, seed })) {
    const url = `${good.slice(0, at)}${character}${good.slice(at + 1)}`;
    // A digit of an encoded character may be written in another case.
    expect((await refusal(url)).text).toMatch(/^(?:40[034] \w+Exception|101)$/);
  }

  expect(viewer.closed).toBeUndefined();
  expect(site.transcript.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

test('bytes that are no WebSocket frames, and a message without end, end their own connection and no other', async () => {
  const { presign, connect, site } = await startSignaling();
  const master = await connect('MASTER');
  const { pathname, search } = new URL(presign('VIEWER', { clientId: 'raw' }));
  const upgrade = [
    `GET ${pathname}${search} HTTP/1.1`,
    `host: localhost:${site.port}`,
    ...['connection: upgrade', 'upgrade: websocket', 'sec-websocket-version: 13'],
    'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  ].join('\r\n');
  const raw = async (bytes: Uint8Array) => {
    const socket = connectTls({ port: site.port, host: 'localhost', ca: site.ca });
    // Its first frames come with the head, as a client in a hurry sends them.
    socket.on('error', () => {}).write(Buffer.concat([Buffer.from(upgrade), bytes]));
    let said = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      said += text;
    });
    // Some beginnings of frames wait for their rest.
    socket.end();
    await once(socket, 'close');
    return said;
  };
  const unmasked = Buffer.from([0x81, 0x01, 0x78]);
  const tooLong = Buffer.concat([Buffer.from([0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4])]);

  for (const bytes of [unmasked, tooLong, ...fc.sample(fc.uint8Array({ maxLength: 200 }), { numRuns: 30, seed })]) {
    expect(await raw(bytes)).toMatch(/^HTTP\/1\.1 101 /);
  }

  expect(master.closed).toBeUndefined();
  await until('all of them left', () => site.signaling.size === 1);
  expect(site.transcript.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

/** Where the query begins. */
function endOf(url: string): number {
  return url.indexOf('?') + 1;
}
