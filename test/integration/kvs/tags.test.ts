/** Tags of streams, by the AWS SDK for JavaScript. Numbers are those of the checklist. */

import {
  CreateStreamCommand,
  DescribeStreamCommand,
  ListTagsForResourceCommand,
  ListTagsForStreamCommand,
  TagResourceCommand,
  TagStreamCommand,
  UntagResourceCommand,
  UntagStreamCommand,
} from '@aws-sdk/client-kinesis-video';
import { expect, test } from 'vitest';
import { startKvsSite } from './kit.ts';

const invalid = { name: 'InvalidArgumentException' };
const tooMany = { name: 'TagsPerResourceExceededLimitException', $metadata: { httpStatusCode: 400 } };

async function startWithStream() {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const { StreamARN = '' } = await client.send(
    new CreateStreamCommand({ StreamName: 'gate', Tags: { made: 'first' } }),
  );
  const tags = async () => (await client.send(new ListTagsForStreamCommand({ StreamName: 'gate' }))).Tags;
  return { client, StreamARN, tags };
}

test('(12) tags of any script are added, replaced, listed and taken away, and keys that are not there are ignored', async () => {
  const { client, StreamARN, tags } = await startWithStream();
  const { StreamInfo } = await client.send(new DescribeStreamCommand({ StreamARN }));

  await client.send(
    new TagStreamCommand({ StreamARN, Tags: { 'Gebäude 1': 'Süd/門', made: 'again', __proto__x: '' } }),
  );
  expect(await tags()).toEqual({ made: 'again', 'Gebäude 1': 'Süd/門', __proto__x: '' });
  await client.send(new UntagStreamCommand({ StreamName: 'gate', TagKeyList: ['made', 'nothing'] }));

  expect(await tags()).toEqual({ 'Gebäude 1': 'Süd/門', __proto__x: '' });
  const after = await client.send(new DescribeStreamCommand({ StreamARN }));
  expect(after.StreamInfo?.Version).toBe(StreamInfo?.Version);
});

test('(12) a stream has 50 tags, and neither a 51st nor 51 at once', async () => {
  const { client, StreamARN, tags } = await startWithStream();
  const some = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`tag-${i}`, `${i}`]));

  await client.send(new TagStreamCommand({ StreamARN, Tags: some(49) }));

  expect(Object.keys((await tags()) ?? {})).toHaveLength(50);
  await expect(client.send(new TagStreamCommand({ StreamARN, Tags: { more: '' } }))).rejects.toMatchObject(tooMany);
  await client.send(new TagStreamCommand({ StreamARN, Tags: { made: 'anew' } }));
  await expect(client.send(new CreateStreamCommand({ StreamName: 'yard', Tags: some(51) }))).rejects.toMatchObject(
    tooMany,
  );
  expect((await tags())?.made).toBe('anew');
});

test('(12) tags that are none are arguments that are wrong', async () => {
  const { client, StreamARN, tags } = await startWithStream();

  for (const Tags of [
    {},
    { '': 'x' },
    { 'a*': 'x' },
    { ['k'.repeat(129)]: 'x' },
    { k: 'v'.repeat(257) },
    { 'AWS:k': '' },
  ]) {
    await expect(client.send(new TagStreamCommand({ StreamARN, Tags }))).rejects.toMatchObject(invalid);
  }
  await expect(client.send(new UntagStreamCommand({ StreamARN, TagKeyList: [] }))).rejects.toMatchObject(invalid);
  await expect(client.send(new UntagStreamCommand({ StreamARN, TagKeyList: undefined }))).rejects.toMatchObject(
    invalid,
  );
  expect(await tags()).toEqual({ made: 'first' });
});

test('(13) TagResource takes a list and ListTagsForResource answers a map, at exactly these paths', async () => {
  const { client, StreamARN: ResourceARN, tags } = await startWithStream();
  const listed = async () => (await client.send(new ListTagsForResourceCommand({ ResourceARN }))).Tags;

  await client.send(new TagResourceCommand({ ResourceARN, Tags: [{ Key: 'site', Value: 'hq' }] }));
  expect([await listed(), await tags()]).toEqual(Array(2).fill({ made: 'first', site: 'hq' }));
  await client.send(new UntagResourceCommand({ ResourceARN, TagKeyList: ['made'] }));

  expect(await listed()).toEqual({ site: 'hq' });
  await expect(
    client.send(new TagResourceCommand({ ResourceARN, Tags: [{ Key: 'site', Value: undefined }] })),
  ).rejects.toMatchObject(invalid);
  const other = ResourceARN.replace(/\d$/, (digit) => `${(Number(digit) + 1) % 10}`);
  await expect(client.send(new ListTagsForResourceCommand({ ResourceARN: other }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args as { request: { path: string } };
      request.path = request.path.toLowerCase();
      return next(args);
    },
    { step: 'build' },
  );
  await expect(listed()).rejects.toMatchObject({ name: 'UnknownOperationException' });
});
