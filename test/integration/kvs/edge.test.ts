/** Edge configurations, by the AWS SDK for JavaScript against a running `serve` whose recording the test plays. */

import { readFile } from 'node:fs/promises';
import {
  CreateSignalingChannelCommand,
  CreateStreamCommand,
  DeleteEdgeConfigurationCommand,
  DeleteStreamCommand,
  DescribeEdgeConfigurationCommand,
  DescribeStreamCommand,
  type EdgeConfig,
  ListEdgeAgentConfigurationsCommand,
  StartEdgeConfigurationUpdateCommand,
  UpdateMediaStorageConfigurationCommand,
} from '@aws-sdk/client-kinesis-video';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import type { SourceState } from '../../../storage/model/camera.ts';
import { until } from '../../kit/until.ts';
import { sourceState } from '../admin/kit.ts';
import { everything, type Statement, startKvsSite } from './kit.ts';

const HubDeviceArn = 'arn:aws:iot:us-east-1:000000000000:thing/hub';
const invalid = { name: 'InvalidArgumentException', $metadata: { httpStatusCode: 400 } };
const inUse = { name: 'ResourceInUseException', $metadata: { httpStatusCode: 400 } };
const noConfiguration = { name: 'StreamEdgeConfigurationNotFoundException', $metadata: { httpStatusCode: 404 } };

/** A stream that a producer was to feed, and secrets of the site. */
async function startEdge(secrets: Readonly<Record<string, string>>, statements: readonly Statement[] = [everything]) {
  const kvs = await startKvsSite(statements);
  const client = kvs.sdk();
  const arns = new Map<string, string>();
  for (const [name, value] of Object.entries(secrets)) {
    arns.set(name, (await kvs.admin.post('/api/secrets', { name, value })).json.arn);
  }
  await client.send(new CreateStreamCommand({ StreamName: 'gate', DataRetentionInHours: 24 }));
  const edgeConfig = (secret: string, change: Partial<EdgeConfig> = {}): EdgeConfig => ({
    HubDeviceArn,
    RecorderConfig: { MediaSourceConfig: { MediaUriSecretArn: arns.get(secret), MediaUriType: 'RTSP_URI' } },
    ...change,
  });
  const start = (EdgeConfig: EdgeConfig, StreamName = 'gate') =>
    client.send(new StartEdgeConfigurationUpdateCommand({ StreamName, EdgeConfig }));
  const describe = (StreamName = 'gate') => client.send(new DescribeEdgeConfigurationCommand({ StreamName }));
  const camera = async () => {
    const { cameras } = (await kvs.admin.get('/api/cameras')).json;
    return cameras.find(({ name }: { name: string }) => name === 'gate');
  };
  const planned = async () => {
    const plan = JSON.parse(await readFile(kvs.site.paths.plan, 'utf8'));
    return plan.sources.find(({ name }: { name: string }) => name === 'gate');
  };
  /** As `ingest` would tell it, now. */
  const tell = async (state: Partial<SourceState>) => {
    const { streamId } = await planned();
    kvs.site.tellState(sourceState(streamId, { sinceMs: systemClock.wallMs(), ...state }));
  };
  const settled = () =>
    until('the configuration is settled', async () => {
      const told = await describe();
      return told.SyncStatus === 'SYNCING' ? undefined : told;
    });
  return { ...kvs, client, arns, edgeConfig, start, describe, camera, planned, tell, settled };
}

const withSchedule = (config: EdgeConfig, ScheduleExpression: string, DurationInSeconds = 3_600): EdgeConfig => ({
  ...config,
  RecorderConfig: {
    MediaSourceConfig: config.RecorderConfig?.MediaSourceConfig,
    ScheduleConfig: { ScheduleExpression, DurationInSeconds },
  },
});

test('(23) a first configuration is syncing until the camera answers, and meanwhile no second one is taken', async () => {
  const edge = await startEdge({ gate: 'rtsp://viewer:open%20sesame@192.0.2.7/stream1' });
  const { client, edgeConfig, start, describe } = edge;
  await expect(describe()).rejects.toMatchObject(noConfiguration);

  const config = edgeConfig('gate', {
    UploaderConfig: { ScheduleConfig: { ScheduleExpression: '0 0 3 ? * *', DurationInSeconds: 3_600 } },
    DeletionConfig: {
      EdgeRetentionInHours: 48,
      LocalSizeConfig: { MaxLocalMediaSizeInMB: 500, StrategyOnFullSize: 'DELETE_OLDEST_MEDIA' },
      DeleteAfterUpload: false,
    },
  });
  const started = await start(config);
  expect(started).toMatchObject({
    ...{ StreamName: 'gate', SyncStatus: 'SYNCING', EdgeConfig: config },
    StreamARN: expect.stringContaining(':stream/gate/'),
    CreationTime: expect.any(Date),
  });
  await expect(start(config)).rejects.toMatchObject(inUse);

  const { source, recording } = await edge.planned();
  expect(source).toMatchObject({ kind: 'rtsp', url: 'rtsp://192.0.2.7/stream1' });
  expect(edge.site.siteKey.box('camera').unseal(source.password)).toBe('open sesame');
  expect(recording).toMatchObject({ mode: 'continuous', retentionHours: 48, bytesMax: 500_000_000 });
  const { StreamInfo } = await client.send(new DescribeStreamCommand({ StreamName: 'gate' }));
  expect(StreamInfo?.DataRetentionInHours).toBe(48);

  await edge.tell({ state: 'connecting', isRecording: false });
  await edge.tell({});
  const told = await edge.settled();
  expect(told).toMatchObject({
    ...{ SyncStatus: 'IN_SYNC', EdgeConfig: config },
    EdgeAgentStatus: {
      LastRecorderStatus: { RecorderStatus: 'SUCCESS', LastUpdatedTime: expect.any(Date) },
      LastUploaderStatus: { JobStatusDetails: expect.stringContaining('in the stream at once') },
    },
  });
  expect(told).not.toHaveProperty('FailedStatusDetails');
  await edge.tell({ state: 'retrying', reason: 'unauthorized', message: 'the camera refused user or password' });
  const later = await until('the recorder fails', async () => {
    const { SyncStatus, EdgeAgentStatus } = await describe();
    return EdgeAgentStatus?.LastRecorderStatus?.RecorderStatus === 'USER_ERROR' ? { SyncStatus } : undefined;
  });
  expect(later).toEqual({ SyncStatus: 'IN_SYNC' });
});

test('(23) a camera that does not answer fails the sync with its reason; the next configuration is taken', async () => {
  const edge = await startEdge({ gate: '{"MediaURI":"rtsp://192.0.2.7/"}' });
  const message = 'the camera could not be reached';

  await edge.start(edge.edgeConfig('gate'));
  await edge.tell({ state: 'retrying', reason: 'unreachable', message });

  expect(await edge.settled()).toMatchObject({
    ...{ SyncStatus: 'SYNC_FAILED', FailedStatusDetails: message },
    EdgeAgentStatus: { LastRecorderStatus: { RecorderStatus: 'USER_ERROR', JobStatusDetails: message } },
  });
  expect(await edge.start(edge.edgeConfig('gate'))).toMatchObject({ SyncStatus: 'SYNCING' });
});

test('a schedule of a week is one of the camera, and one that is always is none', async () => {
  const edge = await startEdge({ gate: 'rtsp://192.0.2.7/' });

  await edge.start(withSchedule(edge.edgeConfig('gate'), '0 0 8-17 ? * MON-FRI'));
  const { recording } = await edge.planned();
  expect(recording).toMatchObject({ mode: 'live', retentionHours: 24 });
  expect(recording.schedule).toEqual({
    timeZone: 'Asia/Kolkata',
    spans: [1, 2, 3, 4, 5].map((weekday) => ({ weekday, beginMinute: 480, endMinute: 1_080, mode: 'continuous' })),
  });
  const { StreamInfo } = await edge.client.send(new DescribeStreamCommand({ StreamName: 'gate' }));
  expect(StreamInfo?.DataRetentionInHours).toBe(24);

  await edge.tell({});
  await edge.settled();
  await edge.start(withSchedule(edge.edgeConfig('gate'), '0 0/10 * ? * *', 600));
  const always = (await edge.planned()).recording;
  expect([always.mode, always.schedule]).toEqual(['continuous', undefined]);
});

test('what cannot be carried out fails the sync, says why, and changes no camera', async () => {
  const edge = await startEdge({ gate: 'rtsp://192.0.2.7/', note: 'my bicycle', http: 'http://192.0.2.7/' });
  const { arns, edgeConfig } = edge;
  const before = await edge.camera();
  const config = edgeConfig('gate');
  const MediaUriSecretArn = arns.get('gate');
  const cases: readonly (readonly [EdgeConfig, string])[] = [
    [withSchedule(config, '0 0 8 1 * ?'), 'days of the month'],
    [{ ...config, DeletionConfig: { LocalSizeConfig: { StrategyOnFullSize: 'DENY_NEW_MEDIA' } } }, 'DENY_NEW_MEDIA'],
    [{ ...config, RecorderConfig: { MediaSourceConfig: { MediaUriSecretArn, MediaUriType: 'FILE_URI' } } }, 'FILE_URI'],
    [edgeConfig('note'), 'neither an rtsp address nor JSON'],
    [edgeConfig('http'), 'neither an rtsp address nor JSON'],
    [
      {
        ...config,
        RecorderConfig: {
          MediaSourceConfig: { MediaUriSecretArn: MediaUriSecretArn?.replace(/.$/, '0'), MediaUriType: 'RTSP_URI' },
        },
      },
      'no secret',
    ],
  ];

  for (const [wish, reason] of cases) {
    const told = await edge.start(wish);
    expect(told).toMatchObject({ SyncStatus: 'SYNC_FAILED', FailedStatusDetails: expect.stringContaining(reason) });
    expect(await edge.describe()).toMatchObject({ SyncStatus: 'SYNC_FAILED', EdgeConfig: wish });
  }
  expect(await edge.camera()).toEqual(before);
});

test('what an edge configuration cannot be is an argument that is wrong', async () => {
  const { edgeConfig, start, arns } = await startEdge({ gate: 'rtsp://192.0.2.7/' });
  const config = edgeConfig('gate');
  const MediaUriSecretArn = arns.get('gate');
  const wrong: readonly object[] = [
    { ...config, HubDeviceArn: 'hub' },
    { ...config, RecorderConfig: undefined },
    { ...config, RecorderConfig: { MediaSourceConfig: { MediaUriSecretArn, MediaUriType: 'HTTP' } } },
    { ...config, RecorderConfig: { MediaSourceConfig: { MediaUriSecretArn: 'gate', MediaUriType: 'RTSP_URI' } } },
    withSchedule(config, 'every day at eight'),
    withSchedule(config, '0 0 8 ? * *', 59),
    withSchedule(config, '0 0 8 ? * *', 3_601),
    { ...config, UploaderConfig: {} },
    { ...config, DeletionConfig: { EdgeRetentionInHours: 721 } },
    { ...config, DeletionConfig: { LocalSizeConfig: { MaxLocalMediaSizeInMB: 63 } } },
    { ...config, DeletionConfig: { DeleteAfterUpload: 'yes' } },
  ];

  for (const EdgeConfig of wrong) {
    await expect(start(EdgeConfig as never), JSON.stringify(EdgeConfig)).rejects.toMatchObject(invalid);
  }
});

test("streams of people's own cameras, of channels, and those that keep nothing, take no configuration", async () => {
  const { client, edgeConfig, start, describe } = await startEdge({ gate: 'rtsp://192.0.2.7/' });
  await client.send(new CreateStreamCommand({ StreamName: 'ring' }));

  await expect(start(edgeConfig('gate'), 'Front-door')).rejects.toMatchObject(inUse);
  await expect(start(edgeConfig('gate'), 'ring')).rejects.toMatchObject({ name: 'NoDataRetentionException' });
  await expect(start(edgeConfig('gate'), 'nothing')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  const { ChannelARN } = await client.send(new CreateSignalingChannelCommand({ ChannelName: 'gate' }));
  const { StreamInfo } = await client.send(new DescribeStreamCommand({ StreamName: 'gate' }));
  const MediaStorageConfiguration = { Status: 'ENABLED', StreamARN: StreamInfo?.StreamARN } as const;
  await client.send(new UpdateMediaStorageConfigurationCommand({ ChannelARN, MediaStorageConfiguration }));
  await expect(start(edgeConfig('gate'))).rejects.toMatchObject(inUse);
  await expect(describe('Front-door')).rejects.toMatchObject(noConfiguration);
});

test('(23) without its configuration a camera is let go, its credentials too; a producer may send again', async () => {
  const edge = await startEdge({ gate: 'rtsp://viewer:secret@192.0.2.7/' });
  const remove = (StreamName = 'gate') => edge.client.send(new DeleteEdgeConfigurationCommand({ StreamName }));
  await edge.start(edge.edgeConfig('gate', { DeletionConfig: { LocalSizeConfig: { MaxLocalMediaSizeInMB: 64 } } }));

  await remove();

  const { source, recording } = await edge.planned();
  expect(source).toEqual({ kind: 'kvs' });
  expect(recording).toMatchObject({ mode: 'continuous', retentionHours: 24 });
  expect(recording.bytesMax).toBeUndefined();
  await expect(edge.describe()).rejects.toMatchObject(noConfiguration);
  await expect(remove()).rejects.toMatchObject(noConfiguration);

  await edge.start(edge.edgeConfig('gate'));
  const { StreamInfo } = await edge.client.send(new DescribeStreamCommand({ StreamName: 'gate' }));
  await edge.client.send(new DeleteStreamCommand({ StreamARN: StreamInfo?.StreamARN }));
  await edge.client.send(new CreateStreamCommand({ StreamName: 'gate', DataRetentionInHours: 24 }));
  await expect(edge.describe()).rejects.toMatchObject(noConfiguration);
});

test('a camera that people pointed elsewhere meanwhile is theirs: no configuration replaces it, and none takes it away', async () => {
  const edge = await startEdge({ gate: 'rtsp://192.0.2.7/', other: 'rtsp://192.0.2.8/' });
  await edge.start(edge.edgeConfig('gate'));
  const credentials = { username: 'ada', password: 'ours' };
  const source = { kind: 'rtsp', url: 'rtsp://192.0.2.99/ours' };
  const { id } = await edge.camera();
  expect((await edge.admin.patch(`/api/cameras/${id}`, { source, credentials })).status).toBe(200);
  await edge.tell({ state: 'live', isRecording: true });
  await edge.settled();

  await expect(edge.start(edge.edgeConfig('other'))).rejects.toMatchObject(inUse);
  await edge.client.send(new DeleteEdgeConfigurationCommand({ StreamName: 'gate' }));

  expect((await edge.planned()).source).toMatchObject({ kind: 'rtsp', url: source.url });
  await expect(edge.start(edge.edgeConfig('other'))).rejects.toMatchObject(inUse);
});

test('configurations of a hub are listed page by page', async () => {
  const { client, edgeConfig, start } = await startEdge({ gate: 'rtsp://192.0.2.7/' });
  const names = ['a', 'b', 'c'];
  for (const name of names) {
    await client.send(new CreateStreamCommand({ StreamName: name, DataRetentionInHours: 1 }));
    await start(edgeConfig('gate'), name);
  }
  await start({ ...edgeConfig('gate'), HubDeviceArn: `${HubDeviceArn}-2` });
  const list = async (input: { MaxResults?: number; NextToken?: string | undefined }) => {
    const { EdgeConfigs = [], NextToken } = await client.send(
      new ListEdgeAgentConfigurationsCommand({ HubDeviceArn, ...input }),
    );
    return { names: EdgeConfigs.map((each) => each.StreamName), NextToken };
  };

  const first = await list({ MaxResults: 2 });
  expect(first).toEqual({ names: ['a', 'b'], NextToken: expect.any(String) });
  expect(await list({ MaxResults: 2, NextToken: first.NextToken })).toEqual({ names: ['c'], NextToken: undefined });
  expect((await list({})).names).toEqual(names);
  await expect(list({ MaxResults: 11 })).rejects.toMatchObject(invalid);
});

test('who may configure a stream may use those secrets only that their policies name', async () => {
  const statements: readonly Statement[] = [
    { effect: 'allow', actions: ['kinesisvideo:*'], resources: ['arn:aws:kinesisvideo:*', 'secret/gate'] },
  ];
  const { edgeConfig, start, arns } = await startEdge(
    { gate: 'rtsp://192.0.2.7/', vault: 'rtsp://192.0.2.8/' },
    statements,
  );

  await expect(start(edgeConfig('vault'))).rejects.toMatchObject({
    name: 'AccessDeniedException',
    message: expect.stringContaining(arns.get('vault') ?? ''),
  });
  expect(await start(edgeConfig('gate'))).toMatchObject({ SyncStatus: 'SYNCING' });
});

test('a secret that is replaced keeps its ARN, and says the new address to whoever is configured from then on', async () => {
  const edge = await startEdge({ gate: 'rtsp://viewer:old@192.0.2.7/' });

  const replaced = await edge.admin.put('/api/secrets/gate', { value: 'rtsp://viewer:new@192.0.2.8/' });
  await edge.start(edge.edgeConfig('gate'));

  expect([replaced.status, replaced.json.arn]).toEqual([200, edge.arns.get('gate')]);
  expect(replaced.text).not.toContain('192.0.2.8');
  expect((await edge.planned()).source).toMatchObject({ url: 'rtsp://192.0.2.8/' });
  expect((await edge.admin.put('/api/secrets/yard', { value: 'x' })).status).toBe(404);
  expect((await edge.admin.put('/api/secrets/gate', { value: '' })).status).toBe(400);
  const { entries } = (await edge.admin.get('/api/audit?action=secrets:update')).json;
  expect(entries.map(({ resource }: { resource: string }) => resource)).toContain('secret/gate');
});

test('secrets go in and never come out: not in lists, logs, answers or files', async () => {
  const { admin, site, client, start, edgeConfig, arns } = await startEdge({
    gate: 'rtsp://viewer:hunter2@192.0.2.7/',
  });
  await start(edgeConfig('gate'));
  await client.send(new DescribeEdgeConfigurationCommand({ StreamName: 'gate' }));

  const { secrets } = (await admin.get('/api/secrets')).json;
  expect(secrets).toEqual([{ name: 'gate', arn: arns.get('gate'), createdBy: 'admin', createdMs: expect.any(Number) }]);
  expect(arns.get('gate')).toMatch(/^arn:aws:secretsmanager:us-east-1:000000000000:secret:gate-[a-z2-7]{6}$/);
  const files = await Promise.all(
    [site.paths.catalog, `${site.paths.catalog}-wal`, site.paths.plan].map((path) => readFile(path, 'latin1')),
  );
  expect(files.join('') + site.transcript.filter((line) => !line.includes('"value"')).join('')).not.toContain(
    'hunter2',
  );

  expect((await admin.post('/api/secrets', { name: 'gate', value: 'x' })).status).toBe(409);
  expect((await admin.post('/api/secrets', { name: 'a/b', value: 'x' })).status).toBe(400);
  expect((await admin.delete('/api/secrets/gate')).status).toBe(204);
  expect((await admin.delete('/api/secrets/gate')).status).toBe(404);
  const again = (await admin.post('/api/secrets', { name: 'gate', value: 'x' })).json;
  expect(again.arn).not.toBe(arns.get('gate'));
});
