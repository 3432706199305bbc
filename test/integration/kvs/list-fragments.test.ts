/** ListFragments and GetMediaForFragmentList by the AWS SDK for JavaScript. Numbers are those of the checklist. */

import { rm } from 'node:fs/promises';
import {
  type FragmentSelector,
  ListFragmentsCommand,
  type ListFragmentsInput,
  type ListFragmentsOutput,
  paginateListFragments,
} from '@aws-sdk/client-kinesis-video-archived-media';
import { expect, test } from 'vitest';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import { readDocuments, splitAtEbmlHeads } from '../../kit/kvs-documents.ts';
import { fragmentMs, type RecordedFragment, startMediaSite } from './media-kit.ts';

const minutesAgo = (minutes: number) => Date.now() - minutes * 60_000;
const numbers = (fragments: readonly RecordedFragment[]) => fragments.map(({ number }) => number);
const told = ({ Fragments = [] }: ListFragmentsOutput) => Fragments.map(({ FragmentNumber }) => FragmentNumber);
const between = (axis: 'SERVER' | 'PRODUCER', firstMs: number, lastMs: number): FragmentSelector => ({
  FragmentSelectorType: `${axis}_TIMESTAMP`,
  TimestampRange: { StartTimestamp: new Date(firstMs), EndTimestamp: new Date(lastMs) },
});

async function recordedSite(count = 10) {
  const site = await startMediaSite();
  const beginMs = minutesAgo(30);
  const streamId = site.streams.front.id;
  const run = await site.beginRun({ streamId, beginMs, firstCounter: 1, producerOffsetMs: -3_600_000 });
  const recorded = await run.commitAll(count);
  const client = site.archiveClient();
  const list = (input: Partial<ListFragmentsInput>) =>
    client.send(new ListFragmentsCommand({ StreamName: site.streams.front.name, ...input }));
  return { ...site, beginMs, run, recorded, client, list };
}

test('(74, 75) fragments that begin within a span are told with sizes and lengths, both ends counted, by either time', async () => {
  const { list, recorded, reader, streams } = await recordedSite();
  const [, , third, , fifth] = recorded;
  if (third === undefined || fifth === undefined) throw new Error('nothing was recorded');

  const byServer = await list({
    FragmentSelector: between('SERVER', third.serverTimestampMs, fifth.serverTimestampMs),
  });
  const byProducer = await list({
    FragmentSelector: between('PRODUCER', third.producerTimestampMs, fifth.producerTimestampMs),
  });
  const inside = await list({
    FragmentSelector: between('SERVER', third.serverTimestampMs + 1, fifth.serverTimestampMs - 1),
  });
  const whole = await list({ FragmentSelector: between('SERVER', 0, Date.now()) });

  expect(told(byServer)).toEqual(numbers(recorded.slice(2, 5)));
  expect(told(byProducer)).toEqual(numbers(recorded.slice(2, 5)));
  expect(told(inside)).toEqual(numbers(recorded.slice(3, 4)));
  expect(byServer.NextToken).toBeUndefined();
  const [reference] = await reader.fragmentsAfter(streams.front.id, recorded[1]?.number);
  expect(byServer.Fragments?.[0]).toEqual({
    FragmentNumber: third.number,
    FragmentSizeInBytes: reference?.fragment.byteLength,
    ProducerTimestamp: new Date(third.producerTimestampMs),
    ServerTimestamp: new Date(third.serverTimestampMs),
    FragmentLengthInMilliseconds: fragmentMs,
  });
  const lengthMs = whole.Fragments?.reduce((sum, fragment) => sum + (fragment.FragmentLengthInMilliseconds ?? 0), 0);
  expect(lengthMs).toBe(recorded.length * fragmentMs);
});

test('(74) the second page is asked for by its token alone, and a page is of 100 where nobody says otherwise', async () => {
  const { list, recorded, client, streams } = await recordedSite(120);
  const FragmentSelector = between('SERVER', 0, Date.now());

  const usual = await list({ FragmentSelector });
  const rest = await list({ NextToken: usual.NextToken });
  const pages: string[][] = [];
  let NextToken: string | undefined;
  do {
    const page: ListFragmentsOutput = await list(
      NextToken === undefined ? { FragmentSelector, MaxResults: 33 } : { NextToken },
    );
    pages.push(told(page).map((number) => number ?? ''));
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  const paginated: (string | undefined)[] = [];
  const input = { StreamName: streams.front.name, FragmentSelector };
  for await (const page of paginateListFragments({ client, pageSize: 50 }, input)) paginated.push(...told(page));

  expect([usual.Fragments?.length, rest.Fragments?.length, rest.NextToken]).toEqual([100, 20, undefined]);
  expect(pages.map((page) => page.length)).toEqual([33, 33, 33, 21]);
  expect(pages.flat()).toEqual(numbers(recorded));
  expect(paginated).toEqual(numbers(recorded));
});

test('(74) an empty span is an empty list, as is a stream that keeps nothing', async () => {
  const { list, beginRun, streams } = await recordedSite(1);
  const ring = await beginRun({ streamId: streams.yard.id, beginMs: minutesAgo(1), firstCounter: 1 });
  await ring.commit();

  const empty = await list({ FragmentSelector: between('SERVER', minutesAgo(10), minutesAgo(5)) });
  const kept = await list({ StreamName: streams.yard.name, FragmentSelector: between('SERVER', 0, Date.now()) });

  expect([empty.Fragments, empty.NextToken, kept.Fragments]).toEqual([[], undefined, []]);
});

test('(74) what is not asked for properly is refused by name', async () => {
  const { list, admin, streams } = await recordedSite(3);
  const FragmentSelector = between('SERVER', 0, Date.now());
  const { NextToken = '' } = await list({ FragmentSelector, MaxResults: 1 });
  const refused = (input: Partial<ListFragmentsInput>) =>
    expect(list(input)).rejects.toMatchObject({
      name: 'InvalidArgumentException',
      $metadata: { httpStatusCode: 400 },
    });
  const ofAnother = { StreamName: streams.yard.name, NextToken };

  await refused({});
  await refused({ FragmentSelector, MaxResults: 0 });
  await refused({ FragmentSelector, MaxResults: 1_001 });
  await refused({ FragmentSelector: between('SERVER', 2_000, 1_000) });
  await refused({ FragmentSelector: { ...FragmentSelector, FragmentSelectorType: 'TIME' as 'SERVER_TIMESTAMP' } });
  await refused({ FragmentSelector: { FragmentSelectorType: 'SERVER_TIMESTAMP', TimestampRange: undefined } });
  await refused({ NextToken: 'AAAA' });
  await refused({ NextToken: `${NextToken.slice(0, 20)}x${NextToken.slice(21)}` });
  await refused(ofAnother);
  await expect(list({ StreamName: 'nothing', FragmentSelector })).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
  await admin.delete(`/api/cameras/${streams.front.cameraId}`);
  await expect(list({ NextToken })).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});

test('(8, 74) a shorter retention hides what is older at once, for pages that go on too', async () => {
  const { list, admin, streams, beginRun, mediaOf } = await recordedSite(3);
  const old = await beginRun({ streamId: streams.front.id, beginMs: minutesAgo(300), firstCounter: 100 });
  const older = await old.commitAll(5);
  await old.end();
  const FragmentSelector = between('SERVER', 0, Date.now());
  const { Fragments: before, NextToken } = await list({ FragmentSelector, MaxResults: 2 });

  await admin.patch(`/api/cameras/${streams.front.cameraId}`, { recording: { retentionHours: 1 } });

  expect(before?.map(({ FragmentNumber }) => FragmentNumber)).toEqual(numbers(older.slice(0, 2)));
  expect((await list({ NextToken })).Fragments).toHaveLength(2);
  expect((await list({ FragmentSelector })).Fragments).toHaveLength(3);
  await expect(mediaOf(streams.front.name, numbers(older.slice(0, 1)))).rejects.toMatchObject({
    message: 'Fragment numbers are invalid',
  });
});

test('(73, 76, 77) media of a list of fragments come in its order, each a document with the tags of either spelling', async () => {
  const { mediaOf, streams, recorded, run, counted } = await recordedSite(4);
  const tags = [{ name: 'gate', value: 'ö\u{1F600}' }];
  const tagged = await run.commit({ tags });
  const asked = [tagged, recorded[2], recorded[0], tagged].filter((fragment) => fragment !== undefined);

  const { bytes, contentType } = await mediaOf(streams.front.name, numbers(asked));

  const documents = readDocuments(bytes);
  expect(contentType).toBe('video/webm');
  expect(splitAtEbmlHeads(bytes)).toHaveLength(4);
  for (const [i, { before, after, user, cluster }] of documents.entries()) {
    const { number, serverTimestampMs, producerTimestampMs, payload } = asked[i] ?? tagged;
    const [server, producer] = [serverTimestampMs, producerTimestampMs].map((ms) => (ms / 1_000).toFixed(3));
    expect(before).toEqual({
      AWS_KINESISVIDEO_FRAGMENT_NUMBER: number,
      AWS_KINESISVIDEO_SERVER_TIMESTAMP: server,
      AWS_KINESISVIDEO_PRODUCER_TIMESTAMP: producer,
      AWS_KINESISVIDEO_SERVER_SIDE_TIMESTAMP: server,
      AWS_KINESISVIDEO_PRODUCER_SIDE_TIMESTAMP: producer,
    });
    expect(after).toEqual({});
    expect(user).toEqual(number === tagged.number ? tags : []);
    expect(cluster.includes(payload)).toBe(true);
  }
  expect(counted.get(`GetMediaForFragmentList.OutgoingFragments ${streams.front.name}`)).toBe(4);
  expect(counted.get(`GetMediaForFragmentList.OutgoingBytes ${streams.front.name}`)).toBe(bytes.length);
});

test('(76) a number that is not there, none at all, or more than a thousand are refused before anything is sent', async () => {
  const { mediaOf, streams, recorded } = await recordedSite(2);
  const name = streams.front.name;
  const [first] = numbers(recorded);
  const invalid = {
    name: 'InvalidArgumentException',
    message: 'Fragment numbers are invalid',
    $metadata: { httpStatusCode: 400 },
  };

  await expect(mediaOf(name, [first ?? '', fragmentNumber(99, Date.now(), 0)])).rejects.toMatchObject(invalid);
  await expect(mediaOf(name, ['12'])).rejects.toMatchObject(invalid);
  await expect(mediaOf(streams.yard.name, [first ?? ''])).rejects.toMatchObject(invalid);
  await expect(mediaOf(name, [])).rejects.toMatchObject({ name: 'InvalidArgumentException' });
  await expect(
    mediaOf(
      name,
      Array.from({ length: 1_001 }, () => first ?? ''),
    ),
  ).rejects.toMatchObject({
    name: 'InvalidArgumentException',
  });
  const thousand = await mediaOf(
    name,
    Array.from({ length: 1_000 }, (_, i) => numbers(recorded)[i % 2] ?? ''),
  );
  expect(readDocuments(thousand.bytes)).toHaveLength(1_000);
});

test('(75) a list reads nothing of the media, and shows at once what is gone', async () => {
  const { list, run, recorded, reader, streams } = await recordedSite(5);
  await run.end();
  const FragmentSelector = between('PRODUCER', 0, Date.now());
  const before = await list({ FragmentSelector });
  const read = { ranges: 0 };
  const { openRange } = reader;
  reader.openRange = (...args) => {
    read.ranges++;
    return openRange.apply(reader, args);
  };

  const after = await list({ FragmentSelector });

  expect(told(after)).toEqual(numbers(recorded));
  expect(after.Fragments).toEqual(before.Fragments);
  expect(read.ranges).toBe(0);
  for (const path of run.finishedPaths()) await rm(path);
  expect((await list({ FragmentSelector })).Fragments).toEqual([]);
  expect(await reader.fragmentsAfter(streams.front.id, undefined)).toEqual([]);
});
