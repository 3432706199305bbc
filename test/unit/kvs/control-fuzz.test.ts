/** Whatever JSON a client sends to the control plane: an answer, or an error that AWS names; never one of ours. */

import fc from 'fast-check';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import {
  awsErrorOf,
  channelArn,
  controlOperations,
  EdgeSync,
  edgeOperations,
  type KvsCall,
  KvsMeter,
  SignalingHub,
  signalingOperations,
  streamArn,
} from '../../../gateway/kvs/index.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { actor, cameraSettings, cameraSource, openTestCatalog } from '../catalog/kit.ts';

const site = { region: 'us-east-1', accountId: '000000000000' };
const edgeConfig = {
  HubDeviceArn: 'arn:aws:iot:us-east-1:000000000000:thing/hub',
  RecorderConfig: {
    MediaSourceConfig: {
      MediaUriSecretArn: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:gate-a2b3c4',
      MediaUriType: 'RTSP_URI',
    },
    ScheduleConfig: { ScheduleExpression: '0 0 8 ? * MON', DurationInSeconds: 60 },
  },
};
const images = {
  ...{ Status: 'ENABLED', ImageSelectorType: 'SERVER_TIMESTAMP', SamplingInterval: 200, Format: 'JPEG' },
  DestinationConfig: { Uri: 's3://pictures/a', DestinationRegion: 'us-east-1' },
};

async function operated() {
  const { catalog, clock } = await openTestCatalog();
  const { tables } = catalog;
  const source = cameraSource({ source: { kind: 'kvs' } });
  const settings = cameraSettings({ credentials: undefined, sources: { main: source, sub: undefined } });
  const camera = tables.cameras.create(settings, clock.wallMs(), { streamName: 'gate' });
  const channel = tables.channels.create({ name: 'gate', messageTtlS: 5, tags: {} }, clock.wallMs());
  const arns = {
    stream: streamArn(site, { name: 'gate', createdMs: camera.streams[0]?.createdMs ?? 0 }),
    channel: channelArn(site, channel),
  };
  const states = { state: () => undefined, listen: () => () => {} };
  const meter = new KvsMeter({ registry: new Registry() });
  // Nothing that waits for its time waits long.
  const hastyClock = Object.assign(new SimulatedClock(), {
    after: (_durationMs: number, callback: () => void) => {
      setImmediate(callback);
      return () => {};
    },
  });
  const operations = new Map([
    ...controlOperations,
    ...edgeOperations({
      sync: new EdgeSync({ clock, states, tables: () => tables }),
      openSecret: () => 'rtsp://192.0.2.7/',
      changedSettings: (before) => before,
      timeZone: 'UTC',
    }),
    ...signalingOperations({
      ...{ clock, meter },
      hub: new SignalingHub({ clock: hastyClock, log: silentLog, meter }, { quotaFactor: 0 }),
      turnServers: async () => ({ uris: ['turn:a.example'], ttlS: 300, secret: 'x' }),
    }),
  ]);
  const callOf = (input: Readonly<Record<string, unknown>>): KvsCall => ({
    ...{ input, site, tables, endpoint: 'https://kvs.example', requestId: 'r', accessKeyId: 'k', owner: 'k' },
    storageTiers: ['HOT'],
    nowMs: clock.wallMs(),
    signal: new AbortController().signal,
    change: (body) => catalog.change(actor, body),
    may: () => true,
    mayNow: () => true,
    mayAny: () => true,
    onStream: () => {},
  });
  return { operations, callOf, arns };
}

test('any JSON is answered, or refused by a name of AWS', async () => {
  const { operations, callOf, arns } = await operated();
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>,
    fc.constantFrom<unknown>(
      arns.stream,
      arns.channel,
      'gate',
      'ENABLED',
      'MASTER',
      1,
      60,
      ['WSS', 'WEBRTC'],
      edgeConfig,
      images,
    ),
    fc.record(
      { ...Object.fromEntries(Object.keys(edgeConfig).map((key) => [key, fc.jsonValue({ maxDepth: 2 })])) },
      { requiredKeys: [] },
    ),
    fc.constant({ ...images, FormatConfig: { JPEGQuality: '7' } }),
    fc.constant({ ComparisonOperator: 'BEGINS_WITH', ComparisonValue: 'g' }),
    fc.constant({ StreamARN: arns.stream, Status: 'ENABLED' }),
  );
  const members = [
    ...[
      'StreamName',
      'StreamARN',
      'ChannelName',
      'ChannelARN',
      'ResourceARN',
      'CurrentVersion',
      'MaxResults',
      'NextToken',
    ],
    ...['Tags', 'TagKeyList', 'SingleMasterConfiguration', 'SingleMasterChannelEndpointConfiguration', 'ChannelType'],
    ...['MediaStorageConfiguration', 'ImageGenerationConfiguration', 'NotificationConfiguration', 'EdgeConfig'],
    ...['HubDeviceArn', 'ChannelNameCondition', 'StreamNameCondition', 'DataRetentionInHours', 'Operation', 'APIName'],
    ...[
      'ClientId',
      'Service',
      'SenderClientId',
      'MessagePayload',
      'DataRetentionChangeInHours',
      'DeviceName',
      'MediaType',
    ],
  ];
  const input = fc.record(Object.fromEntries(members.map((member) => [member, odd])), { requiredKeys: [] });
  const named = fc.constantFrom(
    { StreamName: 'gate' },
    { ChannelARN: arns.channel },
    { ChannelARN: arns.channel, StreamName: 'gate', EdgeConfig: edgeConfig },
    {},
  );
  // What removes a thing would leave the rest nothing to work on.
  const paths = [...operations.keys()].filter((path) => !/^\/delete(Stream|SignalingChannel)$/.test(path));

  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), input, named, async (path, given, names) => {
      try {
        const answer = await operations.get(path)?.run(callOf({ ...given, ...names }));
        expect(JSON.parse(JSON.stringify(answer))).toEqual(expect.any(Object));
      } catch (error) {
        if (!isAppError(error)) throw error;
        expect(awsErrorOf(error).httpStatus, error.message).toBeLessThan(500);
        expect(error.context.awsName, error.message).toEqual(expect.any(String));
      }
    }),
    { numRuns: 3_000 },
  );
}, 60_000);
