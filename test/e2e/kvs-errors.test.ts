/** Everything that a client of the KVS API can do wrong, by the hundred, beside twenty cameras that must not notice. */

import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  GetDataEndpointCommand,
  KinesisVideoClient,
  ListStreamsCommand,
  TagStreamCommand,
  UpdateDataRetentionCommand,
  UpdateStreamCommand,
} from '@aws-sdk/client-kinesis-video';
import { GetClipCommand, KinesisVideoArchivedMediaClient } from '@aws-sdk/client-kinesis-video-archived-media';
import { GetMediaCommand, KinesisVideoMediaClient } from '@aws-sdk/client-kinesis-video-media';
import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { judgeFrames, startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addSimulated, untilRecorded } from '../kit/footage.ts';
import { checkFindings, segmentFiles } from '../kit/judge.ts';
import { aac, cluster, h264, head, pictures, tags } from '../kit/producer-media.ts';
import { RawProducer } from '../kit/raw-producer.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

type Made = { accessKey: { id: string }; secretAccessKey: string };

const cameras = 20;
/** Each kind of error so often. */
const rounds = 25;
const small = {
  ...{ widthPixels: 640, heightPixels: 360, bitsPerSecond: 500_000 },
  ...{ gopFrames: 25, framesPerSecond: 25 },
} as const;

const first = cluster(pictures({ timecode: 1_000, firstId: 1 }));
const other = (timecode: number, change: Parameters<typeof pictures>[0] | object = {}) =>
  cluster(pictures({ timecode, firstId: 9, ...change }));

/** Bodies, and the number of the acknowledgement that they end with. */
const uploads: Readonly<Record<number, () => Buffer>> = {
  4004: () => Buffer.concat([head(), first, other(1_000), other(2_000)]),
  4006: () => Buffer.concat([head(), first, head(), first]),
  4009: () => Buffer.concat([head(), first, tags({ AWS_MINE: 'x' }), other(2_000), other(3_000)]),
  4010: () => Buffer.concat([head([{ ...h264, number: 2 }]), first, other(2_000)]),
  4011: () => Buffer.concat([head([h264, aac]), first, other(2_000)]),
  4012: () => Buffer.concat([head([1, 2, 3, 4].map((number) => ({ ...h264, number }))), first, other(2_000)]),
};

test('hundreds of errors of every kind cost a camera no picture', { timeout: 240_000 }, async () => {
  const dataDirectory = await temporaryDirectory();
  const simulator = await startCameraSimulator({ cameras, mode: 'burst', clip: small });
  onTestFinished(() => simulator.close());
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const statements = [{ effect: 'allow', actions: ['kinesisvideo:*'], resources: ['*'] }];
  await appliance.call('POST', '/api/policies', { name: 'clients', statements });
  const made = (await appliance.call('POST', '/api/access-keys', { name: 'client', policies: ['clients'] })) as Made;
  const credentials = { accessKeyId: made.accessKey.id, secretAccessKey: made.secretAccessKey };
  const port = Number(new URL(appliance.url).port);
  const options = { endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', maxAttempts: 1 };
  const sdk = new KinesisVideoClient({ ...options, credentials });
  const stranger = new KinesisVideoClient({ ...options, credentials: { ...credentials, secretAccessKey: 'no' } });
  const media = new KinesisVideoMediaClient({ ...options, credentials });
  const archive = new KinesisVideoArchivedMediaClient({ ...options, credentials });
  for (const client of [sdk, stranger, media, archive]) onTestFinished(() => client.destroy());
  const StreamName = 'door';
  await sdk.send(new CreateStreamCommand({ StreamName, DataRetentionInHours: 24 }));
  const beginMs = Date.now();
  const added = await addSimulated(appliance, simulator, cameras);
  for (const { streamId } of added) await untilRecorded(appliance, streamId, beginMs + 1_000);

  const told = new Map<string, number>();
  const note = (name: string) => told.set(name, (told.get(name) ?? 0) + 1);
  const refused = (asked: Promise<unknown>) =>
    asked.then(
      () => note('none'),
      (error: Error) => note(error.name),
    );
  const clip = { StartTimestamp: new Date(1_000), EndTimestamp: new Date(5_000) };
  const requests: readonly (() => Promise<unknown>)[] = [
    () => sdk.send(new DescribeStreamCommand({ StreamName: 'nothing' })),
    () => sdk.send(new DescribeStreamCommand({})),
    () => sdk.send(new CreateStreamCommand({ StreamName })),
    () => sdk.send(new CreateStreamCommand({ StreamName: 'a/b' })),
    () => sdk.send(new UpdateStreamCommand({ StreamName, CurrentVersion: 'old', MediaType: 'video/h264' })),
    () => sdk.send(new DeleteStreamCommand({ StreamARN: 'arn:aws:kinesisvideo:us-east-1:000000000000:stream/x/1' })),
    () => sdk.send(new TagStreamCommand({ StreamName: 'nothing', Tags: { a: 'b' } })),
    () => sdk.send(new GetDataEndpointCommand({ StreamName, APIName: 'NOTHING' as 'GET_MEDIA' })),
    () =>
      sdk.send(
        new UpdateDataRetentionCommand({
          ...{ StreamName, CurrentVersion: 'old', Operation: 'DECREASE_DATA_RETENTION', DataRetentionChangeInHours: 1 },
        }),
      ),
    () => stranger.send(new ListStreamsCommand({})),
    () => media.send(new GetMediaCommand({ StreamName, StartSelector: { StartSelectorType: 'FRAGMENT_NUMBER' } })),
    () =>
      archive.send(
        new GetClipCommand({
          StreamName,
          ClipFragmentSelector: { FragmentSelectorType: 'SERVER_TIMESTAMP', TimestampRange: clip },
        }),
      ),
  ];
  const upload = async (errorId: string, body: Buffer) => {
    const producer = await RawProducer.open({ port, credentials, headers: { 'x-amzn-stream-name': StreamName } });
    onTestFinished(() => void producer.socket.destroy());
    await producer.send(body).catch(() => {});
    producer.end();
    await until('the upload ends', () => producer.isEnded);
    const ids = producer.told('ERROR').map(({ ErrorId }) => String(ErrorId));
    note(ids.includes(errorId) ? errorId : `${errorId}: ${ids}`);
  };
  for (let round = 0; round < rounds; round++) {
    await Promise.all([
      ...requests.map((request) => refused(request())),
      // Two at a time, as many as a stream takes.
      (async () => {
        for (const [errorId, body] of Object.entries(uploads)) await upload(errorId, body());
      })(),
      fetch(`http://127.0.0.1:${port}/listStreams`, { method: 'POST', body: '{' }).then(({ status }) =>
        note(`${status}`),
      ),
    ]);
  }
  const endMs = Date.now();
  for (const { streamId } of added) await untilRecorded(appliance, streamId, endMs + 1_000);
  await appliance.close();

  const names = Object.fromEntries([...told].sort());
  expect(names).toEqual({
    ...Object.fromEntries(Object.keys(uploads).map((errorId) => [errorId, rounds])),
    403: rounds,
    InvalidArgumentException: 4 * rounds,
    InvalidSignatureException: rounds,
    ResourceInUseException: rounds,
    ResourceNotFoundException: 4 * rounds,
    VersionMismatchException: 2 * rounds,
  });
  for (const { streamId } of added) {
    const { frames, missing, doubled } = await judgeFrames(await segmentFiles(dataDirectory, streamId));
    expect({ streamId, missing, doubled }).toEqual({ streamId, missing: [], doubled: [] });
    expect(frames.length).toBeGreaterThan(100);
  }
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
