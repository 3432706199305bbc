/** Everything that a client of the KVS API can do wrong, by the hundred, beside twenty cameras that must not notice. */

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
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
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { startAppliance } from '../kit/appliance.ts';
import { judgeFrames, startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addSimulated, untilRecorded } from '../kit/footage.ts';
import { checkFindings, segmentFiles } from '../kit/judge.ts';
import { aac, cluster, h264, head, picture, pictures, tags } from '../kit/producer-media.ts';
import { RawProducer } from '../kit/raw-producer.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';
import { NodeSha256 } from '../unit/kvs/kit.ts';

type Made = { accessKey: { id: string }; secretAccessKey: string };

const cameras = 20;
/** Each kind of request that is refused, and of upload that ends with an error, so often. */
const rounds = 100;
const uploadRounds = 50;
const small = {
  ...{ widthPixels: 640, heightPixels: 360, bitsPerSecond: 500_000 },
  ...{ gopFrames: 25, framesPerSecond: 25 },
} as const;

const first = cluster(pictures({ timecode: 1_000, firstId: 1 }));
const key = picture(9, { isKey: true });
const other = (timecode: number, change: Parameters<typeof pictures>[0] | object = {}) =>
  cluster(pictures({ timecode, firstId: 9, ...change }));

/** Bodies, and the number of the acknowledgement that they end with. What is left takes 50 MB, 45 minutes or the stream itself. */
const uploads: Readonly<Record<number, () => Buffer>> = {
  4000: () => Buffer.concat([head(), first, other(2_000).subarray(0, 60)]),
  4002: () =>
    Buffer.concat([
      ...[head(), first],
      cluster({ timecode: 2_000, frames: [{ track: 1, relative: 20_500, isKey: true, payload: key }] }),
    ]),
  4004: () => Buffer.concat([head(), first, other(1_000), other(2_000)]),
  4006: () => Buffer.concat([head(), first, head(), first]),
  4007: () => Buffer.concat([head(), first, other(2 ** 50), other(2 ** 50 + 1_000)]),
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
  const sts = new STSClient({ ...options, credentials });
  const stsStranger = new STSClient({ ...options, credentials: { ...credentials, secretAccessKey: 'no' } });
  for (const client of [sdk, stranger, media, archive, sts, stsStranger]) onTestFinished(() => client.destroy());
  const StreamName = 'door';
  for (const name of [StreamName, 'busy']) {
    await sdk.send(new CreateStreamCommand({ StreamName: name, DataRetentionInHours: 24 }));
  }
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
    () =>
      sts.send(new AssumeRoleCommand({ RoleArn: 'arn:aws:iam::000000000000:role/admin', RoleSessionName: 'night' })),
    () => sts.send(new AssumeRoleCommand({ RoleArn: 'admin', RoleSessionName: 'a b' })),
    () => stsStranger.send(new GetCallerIdentityCommand({})),
  ];
  const host = `127.0.0.1:${port}`;
  const got = async (what: string, path: string, init: RequestInit = {}) => {
    const { status, headers } = await fetch(`http://${host}${path}`, init);
    note(`${what} ${status} ${headers.get('x-amzn-errortype')}`);
  };
  const wrong = { ...credentials, secretAccessKey: 'no' };
  const signer = new SignatureV4({
    ...{ service: 'kinesisvideo', region: 'us-east-1', credentials: wrong, sha256: NodeSha256 },
  });
  const channel = 'arn:aws:kinesisvideo:us-east-1:000000000000:channel/gate/1';
  const upgrade = async () => {
    const { query = {} } = await signer.presign(
      {
        ...{ method: 'GET', protocol: 'ws:', hostname: '127.0.0.1', path: '/connectAsMaster', headers: { host } },
        query: { 'X-Amz-ChannelARN': channel },
      },
      { expiresIn: 299 },
    );
    const socket = new WebSocket(
      `ws://${host}/connectAsMaster?${new URLSearchParams(query as Record<string, string>)}`,
    );
    socket.on('error', () => {});
    const [, { statusCode, headers }] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    note(`upgrade ${statusCode} ${headers['x-amzn-errortype']}`);
    socket.terminate();
  };
  const busy = { port, credentials, headers: { 'x-amzn-stream-name': 'busy' } };
  const holders = [await RawProducer.open(busy), await RawProducer.open(busy)];
  for (const holder of holders) {
    onTestFinished(() => void holder.socket.destroy());
    await holder.send(head());
    await until('a place is taken', () => holder.status === 200);
  }
  const third = async () => {
    // Who says nothing for long gives its place away.
    for (const holder of holders) await holder.send(Buffer.from('ec80', 'hex'));
    const producer = await RawProducer.open(busy);
    await until('the third is answered', () => producer.text.includes('\r\n\r\n'));
    note(`third ${producer.status} ${/x-amzn-ErrorType: (\w+)/i.exec(producer.text)?.[1]}`);
    producer.socket.destroy();
  };
  const upload = async (errorId: string, body: Buffer) => {
    const producer = await RawProducer.open({ port, credentials, headers: { 'x-amzn-stream-name': StreamName } });
    onTestFinished(() => void producer.socket.destroy());
    await producer.send(body).catch(() => {});
    producer.end();
    await until('the upload ends', () => producer.isEnded);
    const ids = producer.told('ERROR').map(({ ErrorId }) => String(ErrorId));
    note(ids.includes(errorId) ? errorId : `${errorId}: ${ids}`);
  };
  const refusals = async () => {
    await Promise.all([
      ...requests.map((request) => refused(request())),
      got('unsigned', '/listStreams', { method: 'POST', body: '{' }),
      got('HLS', '/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken=no'),
      got('DASH', '/dash/v1/getDASHManifest.mpd?SessionToken=no'),
      upgrade(),
      third(),
    ]);
  };
  await Promise.all([
    (async () => {
      for (let round = 0; round < rounds; round++) await refusals();
      expect(holders.map((holder) => holder.isEnded)).toEqual([false, false]);
    })(),
    // One after the other: a stream takes two.
    (async () => {
      for (let round = 0; round < uploadRounds; round++) {
        for (const [errorId, body] of Object.entries(uploads)) await upload(errorId, body());
      }
    })(),
  ]);
  const endMs = Date.now();
  for (const { streamId } of added) await untilRecorded(appliance, streamId, endMs + 1_000);
  await appliance.close();

  const names = Object.fromEntries([...told].sort());
  expect(names).toEqual({
    ...Object.fromEntries(Object.keys(uploads).map((errorId) => [errorId, uploadRounds])),
    AccessDenied: rounds,
    InvalidArgumentException: 4 * rounds,
    InvalidSignatureException: rounds,
    ResourceInUseException: rounds,
    ResourceNotFoundException: 4 * rounds,
    SignatureDoesNotMatch: rounds,
    ValidationError: rounds,
    VersionMismatchException: 2 * rounds,
    'DASH 403 AccessDeniedException': rounds,
    'HLS 403 AccessDeniedException': rounds,
    'third 400 ConnectionLimitExceededException': rounds,
    'unsigned 403 MissingAuthenticationTokenException': rounds,
    'upgrade 403 InvalidSignatureException': rounds,
  });
  for (const { streamId } of added) {
    const { frames, missing, doubled } = await judgeFrames(await segmentFiles(dataDirectory, streamId));
    expect({ streamId, missing, doubled }).toEqual({ streamId, missing: [], doubled: [] });
    expect(frames.length).toBeGreaterThan(100);
  }
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
