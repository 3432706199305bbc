/** Streams that clients make, change and remove, by the AWS SDK for JavaScript. Numbers are those of the checklist. */

import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  DescribeStreamStorageConfigurationCommand,
  type KinesisVideoClient,
  ListStreamsCommand,
  ListTagsForStreamCommand,
  TagStreamCommand,
  UpdateDataRetentionCommand,
  UpdateStreamCommand,
  UpdateStreamStorageConfigurationCommand,
} from '@aws-sdk/client-kinesis-video';
import { expect, test } from 'vitest';
import { kvsStreams, retentionFloorMs } from '../../../gateway/kvs/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { Catalog } from '../../../storage/catalog/index.ts';
import { startSite } from '../admin/kit.ts';
import { everything, sdkAt, startKvsSite } from './kit.ts';

const invalid = { name: 'InvalidArgumentException', $metadata: { httpStatusCode: 400 } };
const notFound = { name: 'ResourceNotFoundException', $metadata: { httpStatusCode: 404 } };
const inUse = { name: 'ResourceInUseException', $metadata: { httpStatusCode: 400 } };
const mismatch = { name: 'VersionMismatchException', $metadata: { httpStatusCode: 400 } };

const hourMs = 3_600_000;
const both = {
  site: { region: 'eu-central-1', accountId: '123456789012' },
  storageTiers: ['HOT', 'WARM'] as const,
};

async function create(client: KinesisVideoClient, StreamName: string, DataRetentionInHours?: number) {
  const { StreamARN = '' } = await client.send(new CreateStreamCommand({ StreamName, DataRetentionInHours }));
  return StreamARN;
}

async function describe(client: KinesisVideoClient, StreamARN: string) {
  const { StreamInfo } = await client.send(new DescribeStreamCommand({ StreamARN }));
  return StreamInfo ?? {};
}

test('(1, 2, 3) a stream is made once by its exact name, and described by name and by ARN with what was said of it', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const facts = { DeviceName: 'cam-7', MediaType: 'video/h264,audio/aac', DataRetentionInHours: 24 };

  const { StreamARN = '' } = await client.send(new CreateStreamCommand({ StreamName: 'Gate_1.north', ...facts }));

  expect(StreamARN).toMatch(/^arn:aws:kinesisvideo:us-east-1:000000000000:stream\/Gate_1\.north\/\d{13}$/);
  const info = await describe(client, StreamARN);
  const { StreamInfo: byName } = await client.send(new DescribeStreamCommand({ StreamName: 'Gate_1.north' }));
  expect(byName).toEqual(info);
  expect(info).toMatchObject({
    ...{ ...facts, StreamName: 'Gate_1.north', StreamARN, Status: 'ACTIVE' },
    KmsKeyId: 'arn:aws:kms:us-east-1:000000000000:alias/aws/kinesisvideo',
    Version: expect.stringMatching(/^[a-zA-Z0-9]{1,64}$/),
  });
  expect(info.CreationTime?.getTime()).toBe(Number(StreamARN.split('/').at(-1)));
  await expect(create(client, 'Gate_1.north')).rejects.toMatchObject(inUse);
  const plain = await describe(client, await create(client, 'gate_1.north'));
  expect(plain).toMatchObject({ StreamName: 'gate_1.north', DataRetentionInHours: 0 });
  expect([plain.DeviceName, plain.MediaType]).toEqual([undefined, undefined]);
});

test('(5, 6) names, devices, media types, retention and keys that are none, or cannot be honoured, are arguments that are wrong', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const made = (change: object) => client.send(new CreateStreamCommand({ StreamName: 'gate', ...change }));

  for (const StreamName of ['', 'a b', 'a/b', 'ä', 'x'.repeat(257)]) {
    await expect(made({ StreamName })).rejects.toMatchObject(invalid);
  }
  for (const change of [
    { StreamName: undefined },
    { DeviceName: 'a b' },
    { MediaType: 'video' },
    { MediaType: 'video/h264,' },
    { DataRetentionInHours: -1 },
    { DataRetentionInHours: 87_601 },
    { DataRetentionInHours: 1.5 },
    { KmsKeyId: 'alias/mine' },
    { KmsKeyId: 'arn:aws:kms:us-east-1:000000000000:key/1234' },
    { KmsKeyId: 'arn:aws:kms:us-east-1:111111111111:alias/aws/kinesisvideo' },
    { Tags: { 'aws:mine': 'x' } },
    { Tags: { '': 'x' } },
    { Tags: { 'a!': 'x' } },
    { Tags: { a: 'x'.repeat(257) } },
    { StreamStorageConfiguration: {} },
    { StreamStorageConfiguration: { DefaultStorageTier: 'COLD' } },
  ]) {
    await expect(made(change), JSON.stringify(change)).rejects.toMatchObject(invalid);
  }
  expect((await client.send(new ListStreamsCommand({}))).StreamInfoList).toHaveLength(2);
  const longest = 'x'.repeat(256);
  await made({ StreamName: longest, KmsKeyId: 'alias/aws/kinesisvideo', DataRetentionInHours: 87_600 });
  await made({ KmsKeyId: 'arn:aws:kms:eu-central-1:000000000000:alias/aws/kinesisvideo' });
  const { StreamInfo } = await client.send(new DescribeStreamCommand({ StreamName: longest }));
  expect(StreamInfo?.DataRetentionInHours).toBe(87_600);
});

test('(4, 5, 10) operations on no stream, an unknown one, or two at once say so', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const arn = await create(client, 'gate');
  const CurrentVersion = 'abc';

  await expect(client.send(new UpdateStreamCommand({ CurrentVersion }))).rejects.toMatchObject(invalid);
  await expect(client.send(new UpdateStreamCommand({ StreamName: 'nothing', CurrentVersion }))).rejects.toMatchObject(
    notFound,
  );
  await expect(
    client.send(new UpdateStreamCommand({ StreamName: 'other', StreamARN: arn, CurrentVersion })),
  ).rejects.toMatchObject(invalid);
  await expect(client.send(new DeleteStreamCommand({ StreamARN: undefined }))).rejects.toMatchObject(invalid);
  await expect(client.send(new DeleteStreamCommand({ StreamARN: 'arn:aws:nothing' }))).rejects.toMatchObject(invalid);
  await expect(client.send(new DeleteStreamCommand({ StreamARN: `${arn}1` }))).rejects.toMatchObject(notFound);
});

test('(7) an update needs the version that stands, and makes another one', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const StreamARN = await create(client, 'gate');
  const { Version: CurrentVersion } = await describe(client, StreamARN);
  const update = (change: object) =>
    client.send(new UpdateStreamCommand({ StreamARN, CurrentVersion, MediaType: 'video/h265', ...change }));

  await expect(update({ CurrentVersion: 'stale' })).rejects.toMatchObject(mismatch);
  await expect(update({ CurrentVersion: undefined })).rejects.toMatchObject(invalid);
  await update({});

  const after = await describe(client, StreamARN);
  expect(after.MediaType).toBe('video/h265');
  expect(after.Version).not.toBe(CurrentVersion);
  await expect(update({ DeviceName: 'late' })).rejects.toMatchObject(mismatch);
  await update({ CurrentVersion: after.Version });
  const again = await describe(client, StreamARN);
  expect([again.MediaType, again.DeviceName]).toEqual(['video/h265', undefined]);
  expect([CurrentVersion, after.Version]).not.toContain(again.Version);
});

test('(8) retention grows and shrinks by hours within its bounds, and what a shorter one hid stays hidden', async () => {
  const { sdk, site } = await startKvsSite();
  const client = sdk();
  const StreamARN = await create(client, 'gate', 24);
  const change = async (by: number, Version?: string) =>
    client.send(
      new UpdateDataRetentionCommand({
        StreamARN,
        CurrentVersion: Version ?? (await describe(client, StreamARN)).Version,
        Operation: by > 0 ? 'INCREASE_DATA_RETENTION' : 'DECREASE_DATA_RETENTION',
        DataRetentionChangeInHours: Math.abs(by),
      }),
    );
  const hours = async () => (await describe(client, StreamARN)).DataRetentionInHours;
  const catalog = new Catalog(
    { clock: { wallMs: () => 0 }, random: () => new Uint8Array(10) },
    { path: site.paths.catalog },
  );
  catalog.start();
  const reachHours = () => {
    const stream = kvsStreams(catalog.tables).find(({ name }) => name === 'gate');
    if (stream === undefined) throw new Error('the stream is there');
    const nowMs = systemClock.wallMs();
    return Math.round((nowMs - retentionFloorMs(stream, nowMs)) / hourMs);
  };
  const { Version: first } = await describe(client, StreamARN);

  expect(reachHours()).toBe(24);
  await change(6);
  expect([await hours(), reachHours()]).toEqual([30, 24]);
  await expect(change(6, first)).rejects.toMatchObject(mismatch);
  await expect(change(-31)).rejects.toMatchObject(invalid);
  await expect(change(87_571)).rejects.toMatchObject(invalid);
  await change(-29);
  expect([await hours(), reachHours()]).toEqual([1, 1]);
  await change(47);
  expect([await hours(), reachHours()]).toEqual([48, 1]);
  await change(-48);
  expect([await hours(), reachHours()]).toEqual([0, 0]);
  await change(24);
  expect([await hours(), reachHours()]).toEqual([24, 0]);
  await catalog.close();
});

test('(8) a camera keeps for as long as a client says, and one that a site file manages is left to that', async () => {
  const { sdk, admin, site } = await startKvsSite();
  const client = sdk();
  const [front] = (await client.send(new ListStreamsCommand({}))).StreamInfoList ?? [];
  const update = { StreamName: front?.StreamName, Operation: 'DECREASE_DATA_RETENTION' } as const;
  const plans = site.planChanges.count;

  await client.send(
    new UpdateDataRetentionCommand({ ...update, CurrentVersion: front?.Version, DataRetentionChangeInHours: 24 }),
  );

  const { cameras } = (await admin.get('/api/cameras')).json;
  expect(cameras[0]).toMatchObject({ name: 'Front door', recording: { mode: 'live', retentionHours: 24 } });
  expect(site.planChanges.count).toBe(plans + 1);
  const file = { version: 1, site: 'hq', cameras: { Hall: { source: { kind: 'kvs' } } } };
  const { revision } = (await admin.post('/api/site/plan', file)).json;
  expect((await admin.post(`/api/site/apply?revision=${revision}`, file)).status).toBe(200);
  const { StreamInfo: hall } = await client.send(new DescribeStreamCommand({ StreamName: 'Hall' }));
  await expect(
    client.send(
      new UpdateDataRetentionCommand({
        ...{ ...update, StreamName: 'Hall' },
        ...{ CurrentVersion: hall?.Version, DataRetentionChangeInHours: 1 },
      }),
    ),
  ).rejects.toMatchObject({ ...inUse, message: expect.stringContaining('site file "hq"') });
  await expect(client.send(new DeleteStreamCommand({ StreamARN: hall?.StreamARN }))).rejects.toMatchObject(inUse);
});

test('(9, 10) a removed stream is gone with its ARN; made again it is another one, with a camera of its own', async () => {
  const { sdk, admin } = await startKvsSite();
  const client = sdk();
  const StreamARN = await create(client, 'gate', 24);
  const idOf = async () => {
    const { streams } = (await admin.get('/api/streams')).json;
    return streams.filter(({ name }: { name: string }) => name === 'gate').map(({ id }: { id: string }) => id);
  };
  const [firstId] = await idOf();

  await expect(client.send(new DeleteStreamCommand({ StreamARN, CurrentVersion: 'stale' }))).rejects.toMatchObject(
    mismatch,
  );
  await client.send(new DeleteStreamCommand({ StreamARN }));

  await expect(describe(client, StreamARN)).rejects.toMatchObject(notFound);
  await expect(client.send(new DescribeStreamCommand({ StreamName: 'gate' }))).rejects.toMatchObject(notFound);
  const again = await create(client, 'gate');
  expect(again).not.toBe(StreamARN);
  await expect(describe(client, StreamARN)).rejects.toMatchObject(notFound);
  expect(await describe(client, again)).toMatchObject({ StreamName: 'gate', DataRetentionInHours: 0 });
  const ids = await idOf();
  expect(ids).toHaveLength(2);
  expect(ids).toContain(firstId);
  const { Version } = await describe(client, again);
  await client.send(new DeleteStreamCommand({ StreamARN: again, CurrentVersion: Version }));
  expect((await admin.get('/api/cameras')).json.cameras.map(({ name }: { name: string }) => name)).toEqual([
    'Front door',
    'Yard',
  ]);
});

test('(9) removing the stream of a camera removes it, and that of its smaller picture that alone', async () => {
  const { sdk, admin } = await startKvsSite();
  const client = sdk();
  const source = (path: string) => ({ kind: 'rtsp', url: `rtsp://192.0.2.1/${path}` });
  await admin.post('/api/cameras', { name: 'Hall', source: source('main'), sub: { source: source('sub') } });
  const arnOf = async (StreamName: string) =>
    (await client.send(new DescribeStreamCommand({ StreamName }))).StreamInfo?.StreamARN;
  const hall = async () =>
    (await admin.get('/api/cameras')).json.cameras.find(({ name }: { name: string }) => name === 'Hall');

  await client.send(new DeleteStreamCommand({ StreamARN: await arnOf('Hall-sub') }));
  expect(await hall()).toMatchObject({ sub: null });
  await client.send(new DeleteStreamCommand({ StreamARN: await arnOf('Hall') }));

  expect(await hall()).toBeUndefined();
});

test('(15) tiers are those that there are stores for: HOT alone, or HOT and WARM', async () => {
  const one = (await startKvsSite()).sdk();
  const two = (await startKvsSite([everything], { kvs: both })).sdk();
  const WARM = { DefaultStorageTier: 'WARM' } as const;
  const StreamARN = await create(two, 'gate');
  const tier = async () =>
    (await two.send(new DescribeStreamStorageConfigurationCommand({ StreamARN }))).StreamStorageConfiguration;
  const update = (CurrentVersion: string | undefined, DefaultStorageTier: 'HOT' | 'WARM') =>
    two.send(
      new UpdateStreamStorageConfigurationCommand({
        ...{ StreamARN, CurrentVersion },
        StreamStorageConfiguration: { DefaultStorageTier },
      }),
    );
  const { Version } = await describe(two, StreamARN);

  await expect(
    one.send(new CreateStreamCommand({ StreamName: 'gate', StreamStorageConfiguration: WARM })),
  ).rejects.toMatchObject({ ...invalid, message: expect.stringContaining('objects.stores') });
  expect(await tier()).toEqual({ DefaultStorageTier: 'HOT' });
  await expect(update('stale', 'WARM')).rejects.toMatchObject(mismatch);
  await update(Version, 'WARM');
  expect(await tier()).toEqual(WARM);
  const { Version: second } = await describe(two, StreamARN);
  expect(second).not.toBe(Version);
  await update(second, 'HOT');
  expect(await tier()).toEqual({ DefaultStorageTier: 'HOT' });
  await two.send(new CreateStreamCommand({ StreamName: 'yard', StreamStorageConfiguration: WARM }));
  expect(await two.send(new DescribeStreamStorageConfigurationCommand({ StreamName: 'yard' }))).toMatchObject({
    StreamName: 'yard',
    StreamStorageConfiguration: WARM,
  });
});

test('(24) members that nobody knows are ignored, and no body counts as an empty one', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const sent = { body: '{"Nonsense":{"deep":[1,2]},"StreamName":"gate"}' };
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args as { request: { body: Uint8Array } };
      request.body = Buffer.from(sent.body);
      return next(args);
    },
    { step: 'serialize', priority: 'low' },
  );

  await client.send(new CreateStreamCommand({ StreamName: 'gate' }));
  expect((await client.send(new DescribeStreamCommand({}))).StreamInfo).toMatchObject({ StreamName: 'gate' });
  sent.body = '';

  expect((await client.send(new ListStreamsCommand({ MaxResults: 1 }))).StreamInfoList).toHaveLength(3);
  await expect(client.send(new DescribeStreamCommand({ StreamName: 'gate' }))).rejects.toMatchObject(invalid);
});

test('a client may make, change and remove what its policies say, and the audit list tells what it did', async () => {
  const names = (action: string, name: string, effect: 'allow' | 'deny' = 'allow') => ({
    effect,
    actions: [`kinesisvideo:${action}`],
    resources: [`arn:aws:kinesisvideo:*:*:stream/${name}/*`],
  });
  const { sdk, admin, credentials } = await startKvsSite([names('*', 'gate-*'), names('DeleteStream', '*', 'deny')]);
  const client = sdk();
  const refused = { name: 'AccessDeniedException', $metadata: { httpStatusCode: 403 } };

  await expect(create(client, 'hall')).rejects.toMatchObject(refused);
  const StreamARN = await create(client, 'gate-1', 2);
  await client.send(new TagStreamCommand({ StreamARN, Tags: { site: 'hq' } }));
  await expect(client.send(new DeleteStreamCommand({ StreamARN }))).rejects.toMatchObject(refused);
  await expect(client.send(new ListTagsForStreamCommand({ StreamName: 'Yard' }))).rejects.toMatchObject(refused);

  const { entries } = (await admin.get('/api/audit?limit=50')).json;
  const told = entries.filter(({ subject }: { subject: { id: string } }) => subject.id === credentials.accessKeyId);
  expect(told).toMatchObject([
    { action: 'kinesisvideo:TagStream', detail: { name: 'gate-1', tags: ['site'] } },
    { action: 'kinesisvideo:CreateStream', outcome: 'done', detail: { name: 'gate-1', retentionHours: 2 } },
  ]);
});

test('(110) after a restart streams are what they were: ARN, version, retention, tier and tags', async () => {
  const before = await startKvsSite([everything], { kvs: both });
  const client = before.sdk();
  const made = { StreamName: 'gate', DataRetentionInHours: 24, MediaType: 'video/h264', Tags: { site: 'hq' } };
  const WARM = { DefaultStorageTier: 'WARM' } as const;
  const { StreamARN = '' } = await client.send(new CreateStreamCommand({ ...made, StreamStorageConfiguration: WARM }));
  const info = await describe(client, StreamARN);
  await before.site.close();

  const after = await startSite({ data: before.site.data, kvs: both });

  const again = sdkAt(after, before.credentials);
  expect(await describe(again, StreamARN)).toEqual(info);
  expect(await again.send(new DescribeStreamStorageConfigurationCommand({ StreamARN }))).toMatchObject({
    StreamStorageConfiguration: WARM,
  });
  expect((await again.send(new ListTagsForStreamCommand({ StreamARN }))).Tags).toEqual(made.Tags);
  const update = { StreamARN, CurrentVersion: info.Version, MediaType: 'video/h265' };
  await again.send(new UpdateStreamCommand(update));
  await expect(again.send(new UpdateStreamCommand(update))).rejects.toMatchObject(mismatch);
});

test('ARNs have the region and account of the settings, and signatures of another region are refused where one is named', async () => {
  const { sdk } = await startKvsSite([everything], { kvs: { ...both, acceptedRegion: 'eu-central-1' } });

  expect(await create(sdk(), 'gate')).toMatch(/^arn:aws:kinesisvideo:eu-central-1:123456789012:stream\/gate\/\d{13}$/);
  await expect(create(sdk({ region: 'us-west-2' }), 'yard')).rejects.toMatchObject({
    name: 'InvalidSignatureException',
    message: 'Credential should be scoped to a valid region.',
  });
});
