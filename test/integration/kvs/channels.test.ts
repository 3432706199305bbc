/** Signalling channels, by the AWS SDK for JavaScript against a running `serve`. Numbers are those of the checklist. */

import {
  CreateSignalingChannelCommand,
  CreateStreamCommand,
  DeleteSignalingChannelCommand,
  DeleteStreamCommand,
  DescribeMappedResourceConfigurationCommand,
  DescribeMediaStorageConfigurationCommand,
  DescribeSignalingChannelCommand,
  GetSignalingChannelEndpointCommand,
  type KinesisVideoClient,
  ListSignalingChannelsCommand,
  ListStreamsCommand,
  ListTagsForResourceCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateMediaStorageConfigurationCommand,
  UpdateSignalingChannelCommand,
} from '@aws-sdk/client-kinesis-video';
import { expect, test } from 'vitest';
import { everything, startKvsSite } from './kit.ts';

const invalid = { name: 'InvalidArgumentException', $metadata: { httpStatusCode: 400 } };
const notFound = { name: 'ResourceNotFoundException', $metadata: { httpStatusCode: 404 } };

async function createChannel(client: KinesisVideoClient, name: string) {
  const { ChannelARN = '' } = await client.send(new CreateSignalingChannelCommand({ ChannelName: name }));
  return ChannelARN;
}

async function describe(client: KinesisVideoClient, ChannelARN: string) {
  return (await client.send(new DescribeSignalingChannelCommand({ ChannelARN }))).ChannelInfo;
}

test('(3, 16) a channel is made, described by name and by ARN, changed by its version, and removed', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();

  const ChannelARN = await createChannel(client, 'gate');
  const made = await describe(client, ChannelARN);
  const byName = await client.send(new DescribeSignalingChannelCommand({ ChannelName: 'gate' }));

  expect(ChannelARN).toMatch(/^arn:aws:kinesisvideo:us-east-1:000000000000:channel\/gate\/\d{13}$/);
  expect(byName.ChannelInfo).toEqual(made);
  expect(made).toEqual({
    ...{ ChannelName: 'gate', ChannelARN, ChannelType: 'SINGLE_MASTER', ChannelStatus: 'ACTIVE' },
    CreationTime: new Date(Number(ChannelARN.split('/')[2])),
    SingleMasterConfiguration: { MessageTtlSeconds: 60 },
    Version: expect.stringMatching(/^[a-zA-Z0-9]{1,64}$/),
  });
  await expect(createChannel(client, 'gate')).rejects.toMatchObject({ name: 'ResourceInUseException' });

  const change = { ChannelARN, SingleMasterConfiguration: { MessageTtlSeconds: 30 } };
  await client.send(new UpdateSignalingChannelCommand({ ...change, CurrentVersion: made?.Version }));
  const changed = await describe(client, ChannelARN);
  expect(changed?.SingleMasterConfiguration).toEqual({ MessageTtlSeconds: 30 });
  expect(changed?.Version).not.toBe(made?.Version);
  const stale = { CurrentVersion: made?.Version, ChannelARN };
  const mismatch = { name: 'VersionMismatchException' };
  await expect(client.send(new UpdateSignalingChannelCommand(stale))).rejects.toMatchObject(mismatch);
  await expect(client.send(new DeleteSignalingChannelCommand(stale))).rejects.toMatchObject(mismatch);

  await client.send(new DeleteSignalingChannelCommand({ ChannelARN }));
  await expect(describe(client, ChannelARN)).rejects.toMatchObject({
    ...notFound,
    message: 'The requested channel is not found or not active.',
  });
  const again = await createChannel(client, 'gate');
  expect(again).not.toBe(ChannelARN);
  await expect(describe(client, ChannelARN)).rejects.toMatchObject(notFound);
});

test('(16) what a channel cannot be is an argument that is wrong', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const refused = async (change: object) =>
    expect(
      client.send(new CreateSignalingChannelCommand({ ChannelName: 'gate', ...change })),
      JSON.stringify(change),
    ).rejects.toMatchObject(invalid);

  for (const MessageTtlSeconds of [4, 121, 5.5]) await refused({ SingleMasterConfiguration: { MessageTtlSeconds } });
  await refused({ ChannelType: 'FULL_MESH' });
  await refused({ ChannelType: 'NOTHING' });
  await refused({ ChannelName: 'a/b' });
  await refused({ ChannelName: 'a'.repeat(257) });
  await refused({ Tags: [{ Key: '', Value: '' }] });
  await expect(client.send(new DescribeSignalingChannelCommand({}))).rejects.toMatchObject(invalid);
  await expect(
    client.send(new DeleteSignalingChannelCommand({ ChannelARN: 'arn:aws:kinesisvideo:::channel/gate' })),
  ).rejects.toMatchObject(invalid);
});

test('(16) channels are listed page by page, narrowed by the beginning of names, and the last page has no token', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  for (const name of ['yard', 'gate-2', 'gate-1']) await createChannel(client, name);
  const page = async (input: object) => {
    const { ChannelInfoList = [], NextToken } = await client.send(new ListSignalingChannelsCommand(input));
    return { names: ChannelInfoList.map((channel) => channel.ChannelName), NextToken };
  };

  const first = await page({ MaxResults: 2 });
  const second = await page({ MaxResults: 2, NextToken: first.NextToken });
  const narrowed = await page({
    ChannelNameCondition: { ComparisonOperator: 'BEGINS_WITH', ComparisonValue: 'gate' },
  });

  expect(first).toEqual({ names: ['gate-1', 'gate-2'], NextToken: expect.any(String) });
  expect(second).toEqual({ names: ['yard'], NextToken: undefined });
  expect(narrowed).toEqual({ names: ['gate-1', 'gate-2'], NextToken: undefined });
  await expect(page({ MaxResults: 10_001 })).rejects.toMatchObject(invalid);
  await expect(page({ NextToken: 'not one of ours' })).rejects.toMatchObject(invalid);
});

test('(13) tags of a channel go in as a list and come out as a map, and change its version', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const ResourceARN = await createChannel(client, 'gate');
  const before = await describe(client, ResourceARN);
  const tags = async () => (await client.send(new ListTagsForResourceCommand({ ResourceARN }))).Tags;

  await client.send(
    new TagResourceCommand({
      ResourceARN,
      Tags: [
        { Key: 'Straße', Value: 'Süd 4' },
        { Key: 'floor', Value: '' },
      ],
    }),
  );

  expect(await tags()).toEqual({ Straße: 'Süd 4', floor: '' });
  expect((await describe(client, ResourceARN))?.Version).not.toBe(before?.Version);
  await client.send(new UntagResourceCommand({ ResourceARN, TagKeyList: ['floor', 'nothing'] }));
  expect(await tags()).toEqual({ Straße: 'Süd 4' });
  const many = Array.from({ length: 50 }, (_, i) => ({ Key: `tag-${i}`, Value: '' }));
  await expect(client.send(new TagResourceCommand({ ResourceARN, Tags: many }))).rejects.toMatchObject({
    name: 'TagsPerResourceExceededLimitException',
  });
});

test('(17) endpoints are one for each protocol asked for; masters and viewers have WebSocket addresses of their own', async () => {
  const { sdk, endpoint } = await startKvsSite();
  const proxied = await startKvsSite([everything], { publicUrl: 'https://cameras.example.org/kvs/' });
  const client = sdk();
  const endpoints = async (configuration?: object, site = client) => {
    const { ChannelInfo } = await site.send(new DescribeSignalingChannelCommand({ ChannelName: 'gate' }));
    const { ResourceEndpointList = [] } = await site.send(
      new GetSignalingChannelEndpointCommand({
        ChannelARN: ChannelInfo?.ChannelARN,
        ...(configuration === undefined ? {} : { SingleMasterChannelEndpointConfiguration: configuration }),
      }),
    );
    return ResourceEndpointList.map((each) => [each.Protocol, each.ResourceEndpoint]);
  };
  await createChannel(client, 'gate');
  const sockets = endpoint.replace('https://', 'wss://');

  expect(await endpoints({ Protocols: ['WSS', 'HTTPS'], Role: 'MASTER' })).toEqual([
    ['WSS', `${sockets}/connectAsMaster`],
    ['HTTPS', endpoint],
  ]);
  expect(await endpoints({ Protocols: ['HTTPS', 'WSS', 'HTTPS'], Role: 'VIEWER' })).toEqual([
    ['HTTPS', endpoint],
    ['WSS', `${sockets}/connectAsViewer`],
  ]);
  expect((await endpoints()).map(([protocol]) => protocol)).toEqual(['WSS', 'HTTPS']);
  for (const wrong of [{ Protocols: [] }, { Protocols: ['FTP'] }, { Role: 'GUEST' }]) {
    await expect(endpoints(wrong), JSON.stringify(wrong)).rejects.toMatchObject(invalid);
  }
  const behind = proxied.sdk({ endpoint: `${proxied.endpoint}/kvs` });
  await createChannel(behind, 'gate');
  expect(await endpoints({ Protocols: ['WSS'], Role: 'VIEWER' }, behind)).toEqual([
    ['WSS', 'wss://cameras.example.org/kvs/connectAsViewer'],
  ]);
});

test('(18, 19, 20) media storage is off until it is on, needs a stream that keeps and is free, and opens WEBRTC', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const streamOf = async (StreamName: string, DataRetentionInHours: number) =>
    (await client.send(new CreateStreamCommand({ StreamName, DataRetentionInHours }))).StreamARN ?? '';
  const [ChannelARN, otherARN] = [await createChannel(client, 'gate'), await createChannel(client, 'yard')];
  const [kept, ring] = [await streamOf('kept', 24), await streamOf('ring', 0)];
  const put = (Status: 'ENABLED' | 'DISABLED', StreamARN?: string, channel = ChannelARN) =>
    client.send(
      new UpdateMediaStorageConfigurationCommand({
        ChannelARN: channel,
        MediaStorageConfiguration: { Status, StreamARN },
      }),
    );
  const storage = async () =>
    (await client.send(new DescribeMediaStorageConfigurationCommand({ ChannelName: 'gate' })))
      .MediaStorageConfiguration;
  const mapped = async (StreamName: string) =>
    (await client.send(new DescribeMappedResourceConfigurationCommand({ StreamName }))).MappedResourceConfigurationList;
  const webrtc = () =>
    client.send(
      new GetSignalingChannelEndpointCommand({
        ChannelARN,
        SingleMasterChannelEndpointConfiguration: { Protocols: ['WEBRTC'], Role: 'MASTER' },
      }),
    );
  const unmapped = { ...invalid, message: 'MediaStorageConfiguration is required for WEBRTC protocol' };

  expect([await storage(), await mapped('kept')]).toEqual([{ Status: 'DISABLED' }, []]);
  await expect(webrtc()).rejects.toMatchObject(unmapped);
  await expect(put('ENABLED', ring)).rejects.toMatchObject({ name: 'NoDataRetentionException' });
  await expect(put('ENABLED')).rejects.toMatchObject(invalid);
  await expect(put('ENABLED', kept.replace(/\d+$/, '1'))).rejects.toMatchObject(notFound);
  const cameras = (await client.send(new ListStreamsCommand({}))).StreamInfoList ?? [];
  const front = cameras.find((stream) => stream.StreamName === 'Front-door');
  await expect(put('ENABLED', front?.StreamARN)).rejects.toMatchObject({ name: 'ResourceInUseException' });

  await put('ENABLED', kept);
  expect([await storage(), await mapped('kept')]).toEqual([
    { Status: 'ENABLED', StreamARN: kept },
    [{ Type: 'SIGNALING_CHANNEL', ARN: ChannelARN }],
  ]);
  expect((await webrtc()).ResourceEndpointList).toEqual([
    { Protocol: 'WEBRTC', ResourceEndpoint: expect.stringMatching(/^https:/) },
  ]);
  await expect(put('ENABLED', kept, otherARN)).rejects.toMatchObject({ name: 'ResourceInUseException' });

  await put('DISABLED', kept);
  expect([await storage(), await mapped('kept')]).toEqual([{ Status: 'DISABLED' }, []]);
  await put('ENABLED', kept, otherARN);
  await put('DISABLED', undefined, otherARN);
  await put('ENABLED', kept);
  await client.send(new DeleteStreamCommand({ StreamARN: kept }));
  expect(await storage()).toEqual({ Status: 'DISABLED' });
  await expect(webrtc()).rejects.toMatchObject(unmapped);
});

test('a key may do what its policies say of channels, by ARN or by our own name, and sees no more than that', async () => {
  const { sdk, admin } = await startKvsSite();
  const all = sdk();
  const [gate, yard] = [await createChannel(all, 'gate'), await createChannel(all, 'yard')];
  const audit = (await admin.get('/api/audit?action=kinesisvideo:CreateSignalingChannel')).json;
  const resourceOf = (name: string) =>
    audit.entries.find((entry: { detail: { name: string } }) => entry.detail.name === name)?.resource as string;
  const keyFor = async (name: string, statements: unknown) => {
    await admin.post('/api/policies', { name, statements });
    const { json } = await admin.post('/api/access-keys', { name, policies: [name] });
    return sdk({ credentials: { accessKeyId: json.accessKey.id, secretAccessKey: json.secretAccessKey } });
  };
  const actions = ['kinesisvideo:DescribeSignalingChannel', 'kinesisvideo:ListSignalingChannels'];
  const one = await keyFor('one', [
    { effect: 'allow', actions, resources: ['arn:aws:kinesisvideo:*:*:channel/gate/*'] },
  ]);
  const butOne = await keyFor('but-one', [
    everything,
    { effect: 'deny', actions: ['kinesisvideo:*'], resources: [resourceOf('yard')] },
  ]);

  const refused = { name: 'AccessDeniedException', $metadata: { httpStatusCode: 403 } };
  for (const client of [one, butOne]) {
    const seen = (await client.send(new ListSignalingChannelsCommand({}))).ChannelInfoList ?? [];
    expect(seen.map((channel) => channel.ChannelARN)).toEqual([gate]);
    await expect(describe(client, yard)).rejects.toMatchObject(refused);
  }
  await expect(one.send(new DescribeSignalingChannelCommand({ ChannelName: 'nothing' }))).rejects.toMatchObject(
    refused,
  );
  await expect(createChannel(one, 'another')).rejects.toMatchObject(refused);
  await expect(one.send(new DeleteSignalingChannelCommand({ ChannelARN: gate }))).rejects.toMatchObject(refused);
});
