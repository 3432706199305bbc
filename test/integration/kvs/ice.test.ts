/** TURN credentials and Alexa offers, by the AWS SDK for JavaScript and by coturn. Numbers are those of the checklist. */

import { chmod, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { CreateSignalingChannelCommand, GetSignalingChannelEndpointCommand } from '@aws-sdk/client-kinesis-video';
import {
  GetIceServerConfigCommand,
  KinesisVideoSignalingClient,
  SendAlexaOfferToMasterCommand,
} from '@aws-sdk/client-kinesis-video-signaling';
import { expect, onTestFinished, test } from 'vitest';
import { readTurnServers } from '../../../appliance/roles/turn-servers.ts';
import type { TurnServers } from '../../../gateway/kvs/index.ts';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { allocates, isTurnServerHere, startTurnServer } from '../../kit/turn.ts';
import { until } from '../../kit/until.ts';
import { everything, type Statement, startKvsSite } from './kit.ts';

const secret = 'shared with the TURN server';

/** A channel, and a client of the HTTPS endpoint that the API told. */
async function startPeer(
  turnServers: TurnServers | undefined,
  {
    statements = [everything],
    clock = systemClock,
    ...site
  }: {
    readonly statements?: readonly Statement[];
    readonly clock?: Clock;
    readonly stunPort?: number;
  } = {},
) {
  const kvs = await startKvsSite(statements, {
    signaling: { clock },
    ...site,
    ...(turnServers === undefined ? {} : { turnServers }),
  });
  const control = kvs.sdk();
  const made = await control.send(
    new CreateSignalingChannelCommand({
      ChannelName: 'gate',
      SingleMasterConfiguration: { MessageTtlSeconds: 5 },
    }),
  );
  const { ChannelARN } = made;
  const { ResourceEndpointList } = await control.send(
    new GetSignalingChannelEndpointCommand({
      ChannelARN,
      SingleMasterChannelEndpointConfiguration: { Protocols: ['HTTPS'], Role: 'MASTER' },
    }),
  );
  const { credentials } = kvs;
  const peer = new KinesisVideoSignalingClient({
    ...{ endpoint: ResourceEndpointList?.[0]?.ResourceEndpoint ?? '', region: 'eu-central-1', credentials },
    ...{ maxAttempts: 1, requestHandler: { httpsAgent: new Agent({ ca: kvs.site.ca }) } },
  });
  onTestFinished(() => peer.destroy());
  return { ...kvs, peer, ChannelARN };
}

test.skipIf(!isTurnServerHere)(
  '(94) TURN credentials are taken by coturn until they expire, and no others are',
  async () => {
    const turn = await startTurnServer({ secret, directory: await temporaryDirectory() });
    const uris = [`turn:127.0.0.1:${turn.port}?transport=udp`];
    const { peer, ChannelARN } = await startPeer({ uris, ttlS: 300, secret });
    const expired = await startPeer({ uris, ttlS: -60, secret });
    const foreign = await startPeer({ uris, ttlS: 300, secret: 'of another server' });
    const credentialsOf = async (from: typeof expired) => {
      const { IceServerList } = await from.peer.send(new GetIceServerConfigCommand({ ChannelARN: from.ChannelARN }));
      return { username: IceServerList?.[0]?.Username ?? '', password: IceServerList?.[0]?.Password ?? '' };
    };

    const { IceServerList = [] } = await peer.send(new GetIceServerConfigCommand({ ChannelARN, ClientId: 'viewer-1' }));

    expect(IceServerList).toEqual([
      { Uris: uris, Ttl: 300, Username: expect.stringMatching(/^\d{10}:[a-z2-7]{10}$/), Password: expect.any(String) },
    ]);
    const { Username: username = '', Password: password = '' } = IceServerList[0] ?? {};
    expect(await allocates(turn.port, { username, password })).toBe(true);
    expect(await allocates(turn.port, { username: username.replace(/^\d+/, '9999999999'), password })).toBe(false);
    expect(await allocates(turn.port, await credentialsOf(expired))).toBe(false);
    expect(await allocates(turn.port, await credentialsOf(foreign))).toBe(false);
  },
);

test('(94) many TURN addresses come in entries that native clients take', async () => {
  const uris = Array.from({ length: 9 }, (_, i) => `turn:turn-${i}.example.org:3478?transport=udp`);
  const { peer, ChannelARN } = await startPeer({ uris, ttlS: 300, secret });

  const { IceServerList = [] } = await peer.send(new GetIceServerConfigCommand({ ChannelARN, Service: 'TURN' }));

  expect(IceServerList.map((server) => server.Uris?.length)).toEqual([4, 4, 1]);
  expect(IceServerList.flatMap((server) => server.Uris)).toEqual(uris);
});

test('without a TURN server clients are told of the STUN that answers here, at the host where they asked', async () => {
  const { peer, ChannelARN } = await startPeer(undefined, { stunPort: 3478 });

  const { IceServerList } = await peer.send(new GetIceServerConfigCommand({ ChannelARN }));

  expect(IceServerList).toEqual([
    { Uris: ['stun:localhost:3478'], Ttl: 300, Username: expect.any(String), Password: expect.any(String) },
  ]);
});

test('a TURN server that is configured is told of alone, since it answers STUN too', async () => {
  const uris = ['turn:turn.example.org'];
  const { peer, ChannelARN } = await startPeer({ uris, ttlS: 300, secret }, { stunPort: 3478 });

  const { IceServerList } = await peer.send(new GetIceServerConfigCommand({ ChannelARN }));

  expect(IceServerList?.map(({ Uris }) => Uris)).toEqual([uris]);
});

test('without a TURN server or a STUN of ours none is made up: the question is refused, and says what is missing', async () => {
  const { peer, ChannelARN } = await startPeer(undefined);
  const ask = (input: object) => peer.send(new GetIceServerConfigCommand({ ChannelARN, ...input }));
  const invalid = { name: 'InvalidArgumentException', $metadata: { httpStatusCode: 400 } };

  await expect(ask({})).rejects.toMatchObject({ ...invalid, message: expect.stringContaining('webrtc.turn') });
  await expect(ask({ ClientId: 'a b' })).rejects.toMatchObject(invalid);
  await expect(ask({ Service: 'STUN' })).rejects.toMatchObject(invalid);
  await expect(ask({ ChannelARN: ChannelARN?.replace('gate', 'none') })).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
});

test('TURN credentials are for who may ask for them', async () => {
  const { peer, ChannelARN } = await startPeer(
    { uris: ['turn:a.example'], ttlS: 300, secret },
    {
      statements: [everything, { effect: 'deny', actions: ['kinesisvideo:GetIceServerConfig'], resources: ['*'] }],
    },
  );

  await expect(peer.send(new GetIceServerConfigCommand({ ChannelARN }))).rejects.toMatchObject({
    name: 'AccessDeniedException',
  });
});

test('an Alexa offer waits as long as any message, and ends unanswered while there is no master', async () => {
  const clock = new SimulatedClock();
  const { peer, ChannelARN } = await startPeer(undefined, { clock });
  const offer = { ChannelARN, SenderClientId: 'alexa', MessagePayload: Buffer.from('an offer').toString('base64') };

  const waiting = peer.send(new SendAlexaOfferToMasterCommand(offer));
  const ended = waiting.then(({ Answer }) => ({ Answer, waitedMs: clock.monotonicMs() }));
  let end: Awaited<typeof ended> | undefined;
  void ended.then((result) => {
    end = result;
  });
  await until('the offer ends', async () => {
    await clock.advance(100);
    return end;
  });

  expect(end?.Answer).toBeUndefined();
  expect(end?.waitedMs).toBeGreaterThanOrEqual(5_000);
  await expect(
    peer.send(new SendAlexaOfferToMasterCommand({ ...offer, MessagePayload: 'no base64 !' })),
  ).rejects.toMatchObject({ name: 'InvalidArgumentException' });
});

test('the secret of TURN servers is read anew for each question, and what is no secret is a failure of ours', async () => {
  const secretFile = join(await temporaryDirectory(), 'turn-secret');
  const turn = { urls: ['turn:turn.example.org'], ttlSeconds: 600, secretFile };
  const unavailable = { code: 'unavailable', context: { file: secretFile } };

  await expect(readTurnServers({ turn })).rejects.toMatchObject(unavailable);
  await writeFile(secretFile, 'first\n');
  await chmod(secretFile, 0o600);
  expect(await readTurnServers({ turn })).toEqual({ uris: turn.urls, ttlS: 600, secret: 'first' });
  await writeFile(secretFile, 'second\n');
  expect(await readTurnServers({ turn })).toMatchObject({ secret: 'second' });
  await writeFile(secretFile, '\n');
  await expect(readTurnServers({ turn })).rejects.toMatchObject(unavailable);
  expect(await readTurnServers({ turn: { ...turn, urls: [] } })).toBeUndefined();
});
