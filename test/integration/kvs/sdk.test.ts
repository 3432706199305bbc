/** The AWS SDK for JavaScript against a running `serve`: nothing but its endpoint is set. Numbers are those of the checklist. */

import { readFile } from 'node:fs/promises';
import {
  DescribeStreamCommand,
  GetDataEndpointCommand,
  type KinesisVideoClient,
  ListStreamsCommand,
} from '@aws-sdk/client-kinesis-video';
import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { everything, startKvsSite } from './kit.ts';

const names = async (client: KinesisVideoClient) =>
  ((await client.send(new ListStreamsCommand({}))).StreamInfoList ?? []).map((stream) => stream.StreamName);

test('(2, 3) cameras are described as streams, the same by name and by ARN, retention 0 included', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const [front, yard] = (await client.send(new ListStreamsCommand({}))).StreamInfoList ?? [];

  const byName = await client.send(new DescribeStreamCommand({ StreamName: front?.StreamName }));
  const byArn = await client.send(new DescribeStreamCommand({ StreamARN: front?.StreamARN }));

  expect(byName.StreamInfo).toEqual(front);
  expect(byArn.StreamInfo).toEqual(front);
  expect([front?.DataRetentionInHours, yard?.DataRetentionInHours]).toEqual([24, 0]);
  expect(front).toMatchObject({ Status: 'ACTIVE', Version: expect.stringMatching(/^[a-zA-Z0-9]{1,64}$/) });
  const [, created] =
    /^arn:aws:kinesisvideo:us-east-1:000000000000:stream\/[\w.-]+\/(\d{13})$/.exec(front?.StreamARN ?? '') ?? [];
  expect(front?.CreationTime?.getTime()).toBe(Number(created));
});

test('(4, 5, 25) an unknown stream is a typed exception, no stream at all an argument that is wrong', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();

  await expect(client.send(new DescribeStreamCommand({ StreamName: 'nothing' }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message: 'The requested stream is not found or not active.',
    $metadata: { httpStatusCode: 404, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
  });
  await expect(client.send(new DescribeStreamCommand({}))).rejects.toMatchObject({ name: 'InvalidArgumentException' });
  await expect(client.send(new DescribeStreamCommand({ StreamName: 'a/b' }))).rejects.toMatchObject({
    name: 'InvalidArgumentException',
  });
});

test('(11) a list comes page by page, narrowed by the beginning of names, and the last page has no token', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();

  const first = await client.send(new ListStreamsCommand({ MaxResults: 1 }));
  const second = await client.send(new ListStreamsCommand({ MaxResults: 1, NextToken: first.NextToken }));
  const condition = {
    ComparisonOperator: 'BEGINS_WITH',
    ComparisonValue: first.StreamInfoList?.[0]?.StreamName?.slice(0, 3),
  } as const;
  const narrowed = await client.send(new ListStreamsCommand({ StreamNameCondition: condition }));

  expect([first.StreamInfoList?.length, second.StreamInfoList?.length, second.NextToken]).toEqual([1, 1, undefined]);
  expect(second.StreamInfoList).not.toEqual(first.StreamInfoList);
  expect(narrowed.StreamInfoList).toEqual(first.StreamInfoList);
  await expect(client.send(new ListStreamsCommand({ MaxResults: 0 }))).rejects.toMatchObject({
    name: 'InvalidArgumentException',
  });
});

test('(14) data endpoints are those that the client came by, or the public URL, without a slash at the end', async () => {
  const { sdk, endpoint } = await startKvsSite();
  const proxied = await startKvsSite([everything], { publicUrl: 'https://cameras.example.org/' });
  const [StreamName] = await names(sdk());

  for (const APIName of ['PUT_MEDIA', 'GET_MEDIA', 'LIST_FRAGMENTS', 'GET_CLIP'] as const) {
    const { DataEndpoint } = await sdk().send(new GetDataEndpointCommand({ StreamName, APIName }));
    expect(DataEndpoint).toBe(endpoint);
  }
  const told = await proxied.sdk().send(new GetDataEndpointCommand({ StreamName, APIName: 'GET_MEDIA' }));
  expect(told.DataEndpoint).toBe('https://cameras.example.org');
  await expect(
    sdk().send(new GetDataEndpointCommand({ StreamName, APIName: 'NOTHING' as 'GET_MEDIA' })),
  ).rejects.toMatchObject({ name: 'InvalidArgumentException' });
});

test('(26) a path prefix of the public URL is signed, told in data endpoints, and reached by them', async () => {
  const { sdk, endpoint } = await startKvsSite([everything], { publicUrl: 'https://cameras.example.org/kvs/' });
  const client = sdk({ endpoint: `${endpoint}/kvs` });
  const [StreamName] = await names(client);

  const { DataEndpoint } = await client.send(new GetDataEndpointCommand({ StreamName, APIName: 'PUT_MEDIA' }));

  expect(DataEndpoint).toBe('https://cameras.example.org/kvs');
  await expect(names(sdk({ endpoint: `${endpoint}/other` }))).rejects.toMatchObject({
    name: 'UnknownOperationException',
  });
});

test('(26) any region of the client is taken; a wrong secret, a foreign token, a removed or disabled key is refused', async () => {
  const { sdk, credentials, admin } = await startKvsSite();
  const refused = async (client: KinesisVideoClient, name: string) =>
    expect(client.send(new ListStreamsCommand({}))).rejects.toMatchObject({ name, $metadata: { httpStatusCode: 403 } });

  expect(await names(sdk({ region: 'ap-northeast-1' }))).toHaveLength(2);
  await refused(sdk({ credentials: { ...credentials, secretAccessKey: 'x'.repeat(40) } }), 'InvalidSignatureException');
  await refused(sdk({ credentials: { ...credentials, sessionToken: 'token' } }), 'UnrecognizedClientException');
  await admin.patch(`/api/access-keys/${credentials.accessKeyId}`, { isDisabled: true });
  await refused(sdk(), 'UnrecognizedClientException');
  await admin.patch(`/api/access-keys/${credentials.accessKeyId}`, { isDisabled: false });
  expect(await names(sdk())).toHaveLength(2);
  await admin.delete(`/api/access-keys/${credentials.accessKeyId}`);
  await refused(sdk(), 'UnrecognizedClientException');
});

test('a key may do what its policies say of ARNs or of cameras, denials first, and sees no more than that', async () => {
  const arns = (name: string) => [`arn:aws:kinesisvideo:*:*:stream/${name}/*`];
  const all = await startKvsSite();
  const [front = '', yard = ''] = await names(all.sdk());
  const { cameras } = (await all.admin.get('/api/cameras')).json;
  const yardCamera = cameras.find((camera: { streams: { name: string }[] }) => camera.streams[0]?.name === yard).id;

  const keyFor = async (name: string, statements: unknown) => {
    await all.admin.post('/api/policies', { name, statements });
    const { json } = await all.admin.post('/api/access-keys', { name, policies: [name] });
    return all.sdk({ credentials: { accessKeyId: json.accessKey.id, secretAccessKey: json.secretAccessKey } });
  };
  const one = await keyFor('one', [
    { effect: 'allow', actions: ['kinesisvideo:ListStreams', 'kinesisvideo:Describe*'], resources: arns(front) },
  ]);
  const butOne = await keyFor('but-one', [
    everything,
    { effect: 'deny', actions: ['kinesisvideo:*'], resources: [`camera/${yardCamera}`] },
  ]);
  const none = await keyFor('none', [{ effect: 'allow', actions: ['streams:*'], resources: ['*'] }]);

  expect([await names(one), await names(butOne)]).toEqual([[front], [front]]);
  const refused = { name: 'AccessDeniedException', $metadata: { httpStatusCode: 403 } };
  await expect(one.send(new DescribeStreamCommand({ StreamName: yard }))).rejects.toMatchObject(refused);
  await expect(one.send(new DescribeStreamCommand({ StreamName: 'nothing' }))).rejects.toMatchObject(refused);
  await expect(one.send(new GetDataEndpointCommand({ StreamName: front, APIName: 'GET_MEDIA' }))).rejects.toMatchObject(
    refused,
  );
  await expect(none.send(new ListStreamsCommand({}))).rejects.toMatchObject(refused);
});

test('(24, 27, 32) what is not signed, tampered with or no JSON is refused by name, with a request id and a date', async () => {
  const { site } = await startKvsSite();

  for (const path of ['/listStreams', '/describeStream', '/getDataEndpoint']) {
    const { status, headers, json } = await site.client().post(path, {});
    expect([status, headers['x-amzn-errortype'], json]).toEqual([
      403,
      'MissingAuthenticationTokenException',
      { Message: 'Missing Authentication Token' },
    ]);
    expect([headers['x-amzn-requestid'], headers.date]).toEqual([
      expect.stringMatching(/^[0-9a-f-]{36}$/),
      expect.any(String),
    ]);
  }
  const garbage = await site
    .client()
    .post('/listStreams', {}, { headers: { authorization: 'AWS4-HMAC-SHA256 nonsense' } });
  expect([garbage.status, garbage.headers['x-amzn-errortype']]).toEqual([400, 'IncompleteSignatureException']);
  expect((await site.client().get('/listStreams')).status).toBe(401);
});

test('the secret of a key is in no log, no answer but the first, and in no file', async () => {
  const { sdk, credentials, site } = await startKvsSite();
  await names(sdk());
  const told = site.transcript.filter((line) => !line.includes('"secretAccessKey"')).join('\n');
  const files = await Promise.all(['', '-wal'].map((end) => readFile(`${site.paths.catalog}${end}`, 'latin1')));

  expect(told).toContain(credentials.accessKeyId);
  expect(files.join('')).toContain(credentials.accessKeyId);
  expect(told + files.join('')).not.toContain(credentials.secretAccessKey);
});

test('(109) a client in a loop is stopped by its error, goes on a second later, and holds up no other stream', async () => {
  const { sdk } = await startKvsSite([everything], { kvsQuotaFactor: 0.2 });
  const client = sdk();
  const [front, yard] = await names(client);
  const describe = (StreamName: string | undefined) => client.send(new DescribeStreamCommand({ StreamName }));

  const asked = await Promise.allSettled(Array.from({ length: 40 }, () => describe(front)));
  const refused = asked.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));

  expect(refused.length).toBeGreaterThan(0);
  for (const reason of refused) {
    expect(reason).toMatchObject({ name: 'ClientLimitExceededException', $metadata: { httpStatusCode: 400 } });
  }
  expect((await describe(yard)).StreamInfo?.StreamName).toBe(yard);
  await until('asked again later', () => describe(front).catch(() => undefined));
});
