/** GetMedia by the AWS SDK for JavaScript. Numbers are those of the checklist. */

import { open, rm } from 'node:fs/promises';
import { ListStreamsCommand } from '@aws-sdk/client-kinesis-video';
import { GetMediaCommand, type StartSelector } from '@aws-sdk/client-kinesis-video-media';
import { expect, test } from 'vitest';
import { matroskaHead, readMatroskaHead } from '../../../storage/media/index.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import { readBody, readDocuments, splitAtEbmlHeads } from '../../kit/kvs-documents.ts';
import { until } from '../../kit/until.ts';
import { everything } from './kit.ts';
import { fragmentMs, openMedia, type RecordedFragment, startMediaSite } from './media-kit.ts';

const minutesAgo = (minutes: number) => Date.now() - minutes * 60_000;
const earliest = { StartSelectorType: 'EARLIEST' } as const;
const numbers = (fragments: readonly RecordedFragment[]) => fragments.map(({ number }) => number);
const numberTag = 'AWS_KINESISVIDEO_FRAGMENT_NUMBER';

test('(64, 69) an empty stream answers its head at once, and each fragment comes when it is recorded', async () => {
  const { getMedia, beginRun, streams, site } = await startMediaSite();
  const open = await getMedia({ StreamName: streams.front.name, StartSelector: { StartSelectorType: 'NOW' } });
  const run = await beginRun({ streamId: streams.front.id, beginMs: Date.now() - 4_000, firstCounter: 1 });

  const first = await run.commit();
  const [came] = await open.until(1);
  const second = await run.commit();
  const [, next] = await open.until(2);

  expect(open.contentType).toBe('video/webm');
  expect([came?.before[numberTag], next?.before[numberTag]]).toEqual([first.number, second.number]);
  expect(next?.after.AWS_KINESISVIDEO_MILLIS_BEHIND_NOW).toBe('0');
  expect(open.isEnded()).toBe(false);
  // Told of while it reads.
  const requests = `aws_kinesisvideo_get_media_requests_sum{stream_name="${streams.front.name}"} 1\n`;
  expect(await site.registry.metrics()).toContain(requests);
});

test('(65) each kind of start selector begins where it should, by name and by ARN', async () => {
  const { getMedia, beginRun, streams, sdk } = await startMediaSite();
  const beginMs = minutesAgo(10);
  const run = await beginRun({ streamId: streams.front.id, beginMs, firstCounter: 1, producerOffsetMs: -3_600_000 });
  const recorded = await run.commitAll(6);
  const [, , third] = recorded;
  if (third === undefined) throw new Error('nothing was recorded');
  const first = async (StartSelector: StartSelector) => {
    const open = await getMedia({ StreamName: streams.front.name, StartSelector });
    const [document] = await open.until(1);
    open.close();
    const begun = document?.before[numberTag];
    return recorded.findIndex(({ number }) => number === begun);
  };
  const at = (ms: number) => new Date(ms);

  expect(await first({ StartSelectorType: 'NOW' })).toBe(5);
  expect(await first(earliest)).toBe(0);
  expect(await first({ StartSelectorType: 'FRAGMENT_NUMBER', AfterFragmentNumber: third.number })).toBe(3);
  expect(await first({ StartSelectorType: 'CONTINUATION_TOKEN', ContinuationToken: third.number })).toBe(3);
  for (const [StartSelectorType, beginsAtMs] of [
    ['SERVER_TIMESTAMP', third.serverTimestampMs],
    ['PRODUCER_TIMESTAMP', third.producerTimestampMs],
  ] as const) {
    expect(await first({ StartSelectorType, StartTimestamp: at(beginsAtMs) })).toBe(2);
    expect(await first({ StartSelectorType, StartTimestamp: at(beginsAtMs + fragmentMs - 1) })).toBe(2);
    expect(await first({ StartSelectorType, StartTimestamp: at(beginsAtMs + fragmentMs) })).toBe(3);
    expect(await first({ StartSelectorType, StartTimestamp: at(beginsAtMs - 86_400_000) })).toBe(0);
  }
  const { StreamInfoList: [{ StreamARN } = {}] = [] } = await sdk().send(new ListStreamsCommand({}));
  const byArn = await getMedia({ StreamARN, StartSelector: earliest });
  expect((await byArn.until(6)).map(({ before }) => before[numberTag])).toEqual(numbers(recorded));
});

test('(65, 68) of footage that only the index tells of, each fragment may be the first, also the last of its file', async () => {
  const { getMedia, beginRun, streams, takeIn } = await startMediaSite();
  const runs = await Promise.all(
    [20, 15].map((minutes) =>
      beginRun({ streamId: streams.front.id, beginMs: minutesAgo(minutes), firstCounter: 100 - minutes }),
    ),
  );
  const recorded: RecordedFragment[] = [];
  for (const run of runs) {
    recorded.push(...(await run.commitAll(3)));
    await run.end();
    await takeIn(run.finishedPaths());
  }
  const told = async (StartSelector: StartSelector, count: number) => {
    const open = await getMedia({ StreamName: streams.front.name, StartSelector });
    const documents = await open.until(count);
    open.close();
    return documents.map(({ before }) => before[numberTag]);
  };

  for (const [i, { serverTimestampMs, number }] of recorded.entries()) {
    const StartTimestamp = new Date(serverTimestampMs);
    const rest = numbers(recorded.slice(i));
    expect(await told({ StartSelectorType: 'SERVER_TIMESTAMP', StartTimestamp }, rest.length)).toEqual(rest);
    const after = { StartSelectorType: 'FRAGMENT_NUMBER', AfterFragmentNumber: number } as const;
    if (rest.length > 1) expect(await told(after, rest.length - 1)).toEqual(rest.slice(1));
  }
  expect(await told({ StartSelectorType: 'NOW' }, 1)).toEqual(numbers(recorded.slice(-1)));
});

test('(65) a moment that lies ahead is waited for', async () => {
  const { getMedia, beginRun, streams } = await startMediaSite();
  const beginMs = minutesAgo(1);
  const run = await beginRun({ streamId: streams.front.id, beginMs, firstCounter: 1 });
  await run.commitAll(2);
  const StartTimestamp = new Date(beginMs + 4 * fragmentMs);
  const open = await getMedia({
    StreamName: streams.front.name,
    StartSelector: { StartSelectorType: 'SERVER_TIMESTAMP', StartTimestamp },
  });

  const [, , fifth] = await run.commitAll(3);

  expect((await open.until(1)).map(({ before }) => before[numberTag])).toEqual([fifth?.number]);
});

test('(65) a selector that lacks what its type needs, or is none, is refused by name', async () => {
  const { mediaClient, streams } = await startMediaSite();
  const StreamName = streams.front.name;
  const refused = (StartSelector: unknown, name = 'InvalidArgumentException') =>
    expect(
      mediaClient().send(new GetMediaCommand({ StreamName, StartSelector: StartSelector as StartSelector })),
    ).rejects.toMatchObject({ name, $metadata: { httpStatusCode: 400 } });

  for (const StartSelectorType of ['FRAGMENT_NUMBER', 'CONTINUATION_TOKEN', 'SERVER_TIMESTAMP', 'PRODUCER_TIMESTAMP']) {
    await refused({ StartSelectorType });
  }
  await refused(undefined);
  await refused({});
  await refused({ StartSelectorType: 'LATEST' });
  await refused({ StartSelectorType: 'FRAGMENT_NUMBER', AfterFragmentNumber: '12' });
  await refused({ StartSelectorType: 'CONTINUATION_TOKEN', ContinuationToken: 'a b' });
  await expect(
    mediaClient().send(new GetMediaCommand({ StreamName: 'nothing', StartSelector: earliest })),
  ).rejects.toMatchObject({ name: 'ResourceNotFoundException', $metadata: { httpStatusCode: 404 } });
});

test('(66, 67, 73, 77) each fragment is a document: one header for a run, the tags of KVS, those of the producer, the stored cluster', async () => {
  const { getMedia, beginRun, streams, reader } = await startMediaSite();
  const beginMs = minutesAgo(3);
  const tags = [
    { name: 'door', value: 'ünïcode \u{1F600}, "quotes" and \\' },
    { name: 'empty', value: '' },
    { name: 'n'.repeat(128), value: 'v'.repeat(256) },
  ];
  const run = await beginRun({ streamId: streams.front.id, beginMs, firstCounter: 1, producerOffsetMs: -139 });
  const recorded = [await run.commit(), await run.commit({ tags }), await run.commit()];
  await run.end();
  const open = await getMedia({ StreamName: streams.front.name, StartSelector: earliest });

  const documents = await open.until(3);
  const body = open.bytes();

  expect(readDocuments(body)).toEqual(documents);
  expect(splitAtEbmlHeads(body)).toHaveLength(3);
  expect(new Set(documents.map(({ head }) => head.toString('hex'))).size).toBe(1);
  const [first] = documents;
  expect(readMatroskaHead(first?.head ?? Buffer.alloc(0))).toMatchObject({ tags: [], tracks: [{ codec: 'pcmu' }] });
  const references = await reader.fragmentsAfter(streams.front.id, undefined);
  for (const [i, { before, after, user, cluster }] of documents.entries()) {
    const { number, serverTimestampMs, producerTimestampMs, payload } = recorded[i] ?? recorded[0] ?? never();
    expect(before).toEqual({
      AWS_KINESISVIDEO_FRAGMENT_NUMBER: number,
      AWS_KINESISVIDEO_SERVER_TIMESTAMP: (serverTimestampMs / 1_000).toFixed(3),
      AWS_KINESISVIDEO_PRODUCER_TIMESTAMP: (producerTimestampMs / 1_000).toFixed(3),
    });
    expect(after).toEqual({
      AWS_KINESISVIDEO_MILLIS_BEHIND_NOW: expect.stringMatching(/^\d+$/),
      AWS_KINESISVIDEO_CONTINUATION_TOKEN: number,
    });
    expect(user).toEqual(i === 1 ? tags : []);
    expect(cluster.includes(payload)).toBe(true);
    expect(cluster.equals(await reader.clusterBytes(references[i] ?? never()))).toBe(true);
  }
  expect(documents.map(({ after }) => Number(after.AWS_KINESISVIDEO_MILLIS_BEHIND_NOW) > 100_000)).toEqual([
    true,
    true,
    false,
  ]);
});

test("(66) a producer's header is sent as it came, but that its Segment's size is not told", async () => {
  const { getMedia, beginRun, streams } = await startMediaSite();
  const unknown = Buffer.from(
    matroskaHead({ segmentUid: new Uint8Array(16).fill(9), tracks: [radar], timecodeScaleNs: 1_000_000 }),
  );
  const sizeAt = unknown.indexOf(Buffer.of(0x18, 0x53, 0x80, 0x67)) + 4;
  const known = Buffer.from(unknown);
  known.writeBigUInt64BE(0x0100000000123456n, sizeAt);
  const beginMs = minutesAgo(1);
  const run = await beginRun({ streamId: streams.front.id, beginMs, firstCounter: 1, producerHead: known });
  await run.commitAll(2);

  const open = await getMedia({ StreamName: streams.front.name, StartSelector: earliest });
  const documents = await open.until(2);

  for (const { head } of documents) expect(head.equals(unknown)).toBe(true);
});

const radar = {
  number: 7,
  kind: 'other',
  codec: 'other',
  codecId: 'X_RADAR',
  codecPrivate: Uint8Array.of(1, 2, 3),
  codecString: undefined,
} as const;

test('(68) after a break the continuation token goes on without a gap or a fragment twice', async () => {
  const { getMedia, beginRun, streams } = await startMediaSite();
  const run = await beginRun({ streamId: streams.front.id, beginMs: minutesAgo(5), firstCounter: 1 });
  const recorded = await run.commitAll(40);
  const seen: string[] = [];
  let StartSelector: StartSelector = earliest;
  while (seen.length < recorded.length) {
    const open = await getMedia({ StreamName: streams.front.name, StartSelector });
    const count = Math.min(15, recorded.length - seen.length);
    const documents = (await open.until(count)).slice(0, count);
    open.close();
    seen.push(...documents.map(({ before }) => before[numberTag] ?? ''));
    const ContinuationToken = documents.at(-1)?.after.AWS_KINESISVIDEO_CONTINUATION_TOKEN;
    StartSelector = { StartSelectorType: 'CONTINUATION_TOKEN', ContinuationToken };
  }

  expect(seen).toEqual(numbers(recorded));
});

test('(70) a fragment that a broken disk lost becomes error tags without a server timestamp, and the end', async () => {
  const { getMedia, beginRun, streams, lines, reader } = await startMediaSite();
  const run = await beginRun({
    streamId: streams.front.id,
    beginMs: minutesAgo(1),
    firstCounter: 1,
    payloadBytes: 3_000,
  });
  const [first, second] = await run.commitAll(2);
  await run.end();
  // A block of the disk that reads as zeros: the table at the end still tells of the fragment.
  const { fragment } = (await reader.fragmentsAfter(streams.front.id, first?.number))[0] ?? never();
  const file = await open(run.finishedPaths()[0] ?? '', 'r+');
  await file.write(Buffer.alloc(512), 0, 512, fragment.offset + fragment.byteLength - 256);
  await file.close();

  const media = await getMedia({ StreamName: streams.front.name, StartSelector: earliest });
  const { documents, fault } = readBody(await media.untilEnd());

  expect(documents.map(({ before }) => before[numberTag])).toEqual([first?.number]);
  expect(fault?.before).toEqual({
    AWS_KINESISVIDEO_FRAGMENT_NUMBER: second?.number,
    AWS_KINESISVIDEO_ERROR_CODE: 'INTERNAL_ERROR',
    AWS_KINESISVIDEO_ERROR_ID: '5000',
  });
  expect(fault?.head.equals(documents[0]?.head ?? Buffer.alloc(0))).toBe(true);
  expect(lines.filter((line) => line.includes('a fragment cannot be read'))).toHaveLength(1);
});

test('(70) a fragment that is removed while its reader is busy with the one before is told as not found', async () => {
  const { getMedia, beginRun, streams, reader } = await startMediaSite();
  const run = await beginRun({ streamId: streams.front.id, beginMs: minutesAgo(9), firstCounter: 1 });
  const recorded = await run.commitAll(4);
  await run.end();
  const { fragmentBytes } = reader;
  reader.fragmentBytes = async (reference, bytesMax) => {
    const isThird = reference.fragment.number === recorded[2]?.number;
    if (isThird) for (const path of run.finishedPaths()) await rm(path, { force: true });
    return fragmentBytes.call(reader, reference, bytesMax);
  };

  const media = await getMedia({ StreamName: streams.front.name, StartSelector: earliest });
  const { documents, fault } = readBody(await media.untilEnd());

  expect(documents.map(({ before }) => before[numberTag])).toEqual(numbers(recorded.slice(0, 2)));
  expect(fault?.before).toEqual({
    AWS_KINESISVIDEO_FRAGMENT_NUMBER: recorded[2]?.number,
    AWS_KINESISVIDEO_ERROR_CODE: 'FRAGMENT_NOT_FOUND',
    AWS_KINESISVIDEO_ERROR_ID: '4000',
  });
});

test('(71) with the factor 1 a stream has three connections as at AWS: a fourth is refused, and a place is free when another ends', async () => {
  const { getMedia, mediaClient, streams, counted } = await startMediaSite({ kvsQuotaFactor: 1 });
  const input = { StreamName: streams.front.name, StartSelector: earliest };
  const first = await getMedia(input);
  await getMedia(input);
  await getMedia(input);

  await expect(mediaClient().send(new GetMediaCommand(input))).rejects.toMatchObject({
    name: 'ConnectionLimitExceededException',
    $metadata: { httpStatusCode: 400 },
  });
  await getMedia({ ...input, StreamName: streams.yard.name });
  first.close();

  await until('the place is free', async () => {
    try {
      await getMedia(input);
      return true;
    } catch {
      return false;
    }
  });
  expect(counted.get(`GetMedia.ConnectionErrors ${streams.front.name}`)).toBeGreaterThan(0);
});

test('(9) readers of a stream that is removed end, and readers of others do not', async () => {
  const { getMedia, beginRun, streams, admin } = await startMediaSite();
  const run = await beginRun({ streamId: streams.front.id, beginMs: minutesAgo(1), firstCounter: 1 });
  await run.commit();
  const gone = await getMedia({ StreamName: streams.front.name, StartSelector: earliest });
  const other = await getMedia({ StreamName: streams.yard.name, StartSelector: earliest });
  await gone.until(1);

  await admin.delete(`/api/cameras/${streams.front.cameraId}`);

  expect(readDocuments(await gone.untilEnd())).toHaveLength(1);
  expect(other.isEnded()).toBe(false);
});

test('(8) what a shorter retention covers no more is gone for readers at once, and leapt over', async () => {
  const { getMedia, beginRun, streams, admin } = await startMediaSite();
  const old = await beginRun({ streamId: streams.front.id, beginMs: minutesAgo(180), firstCounter: 1 });
  await old.commitAll(40);
  await old.end();
  const young = await beginRun({ streamId: streams.front.id, beginMs: minutesAgo(10), firstCounter: 100 });
  const kept = await young.commitAll(3);
  await admin.patch(`/api/cameras/${streams.front.cameraId}`, { recording: { retentionHours: 1 } });

  for (const StartSelector of [
    earliest,
    { StartSelectorType: 'FRAGMENT_NUMBER', AfterFragmentNumber: fragmentNumber(3, 0, 0) },
    { StartSelectorType: 'SERVER_TIMESTAMP', StartTimestamp: new Date(minutesAgo(170)) },
    { StartSelectorType: 'PRODUCER_TIMESTAMP', StartTimestamp: new Date(minutesAgo(170)) },
  ] as const) {
    const open = await getMedia({ StreamName: streams.front.name, StartSelector });
    const documents = await open.until(3);
    expect(documents.map(({ before }) => before[numberTag])).toEqual(numbers(kept));
    open.close();
  }
});

test('a stream that keeps nothing is followed live like any', async () => {
  const { getMedia, beginRun, streams } = await startMediaSite();
  const run = await beginRun({ streamId: streams.yard.id, beginMs: minutesAgo(1), firstCounter: 1 });
  const before = await run.commit();
  const open = await getMedia({ StreamName: streams.yard.name, StartSelector: { StartSelectorType: 'NOW' } });

  const after = await run.commit();

  expect((await open.until(2)).map((document) => document.before[numberTag])).toEqual(numbers([before, after]));
});

test('footage brought in from files comes by its numbers, but not to who asked for now', async () => {
  const { getMedia, beginRun, streams } = await startMediaSite();
  const camera = await beginRun({ streamId: streams.front.id, beginMs: minutesAgo(30), firstCounter: 1 });
  const recorded = await camera.commitAll(2);
  const live = await getMedia({ StreamName: streams.front.name, StartSelector: { StartSelectorType: 'NOW' } });
  await live.until(1);
  const all = await getMedia({ StreamName: streams.front.name, StartSelector: earliest });
  const from = (ms: number) =>
    getMedia({
      StreamName: streams.front.name,
      StartSelector: { StartSelectorType: 'SERVER_TIMESTAMP', StartTimestamp: new Date(ms) },
    });

  const files = await beginRun({
    streamId: streams.front.id,
    beginMs: minutesAgo(600),
    firstCounter: 100,
    isImported: true,
  });
  const imported = await files.commitAll(3);
  await files.end();
  const later = await beginRun({ streamId: streams.front.id, beginMs: minutesAgo(20), firstCounter: 200 });
  const then = await later.commit();

  const told = (documents: readonly { before: Readonly<Record<string, string>> }[]) =>
    documents.map(({ before }) => before[numberTag]);
  expect(told(await all.until(6))).toEqual(numbers([...recorded, ...imported, then]));
  expect(told(await live.until(2))).toEqual(numbers([recorded[1] ?? never(), then]));
  expect(told(await (await from(minutesAgo(600))).until(6))).toEqual(numbers([...recorded, ...imported, then]));
});

test('who may describe a stream may not read it without the action, nor another stream with it', async () => {
  const arn = 'arn:aws:kinesisvideo:*:*:stream/';
  const site = await startMediaSite({
    statements: [{ effect: 'allow', actions: ['kinesisvideo:Describe*'], resources: ['*'] }],
  });
  const { admin, mediaClient, streams } = site;
  const statements = [
    { ...everything, actions: ['kinesisvideo:GetMedia'], resources: [`${arn}${streams.yard.name}/*`] },
  ];
  await admin.post('/api/policies', { name: 'yard', statements });
  const { json } = await admin.post('/api/access-keys', { name: 'yard', policies: ['yard'] });
  const key = { accessKeyId: json.accessKey.id, secretAccessKey: json.secretAccessKey };
  const input = (StreamName: string) => ({ StreamName, StartSelector: earliest });
  const denied = { name: 'AccessDeniedException', $metadata: { httpStatusCode: 403 } };

  await expect(mediaClient().send(new GetMediaCommand(input(streams.yard.name)))).rejects.toMatchObject(denied);
  await expect(mediaClient(key).send(new GetMediaCommand(input(streams.front.name)))).rejects.toMatchObject(denied);
  expect((await openMedia(mediaClient(key), input(streams.yard.name))).contentType).toBe('video/webm');
});

test('a reader whose key is disabled, or whose policy is taken back, is sent nothing more', async () => {
  const { mediaClient, streams, admin, beginRun } = await startMediaSite();
  const StreamName = streams.front.name;
  const run = await beginRun({ streamId: streams.front.id, beginMs: minutesAgo(1), firstCounter: 1 });
  await run.commit();
  const statements = [everything];
  await admin.post('/api/policies', { name: 'guests', statements });
  const guest = async (name: string) => {
    const { json } = await admin.post('/api/access-keys', { name, policies: ['guests'] });
    const credentials = { accessKeyId: json.accessKey.id, secretAccessKey: json.secretAccessKey };
    return {
      id: json.accessKey.id,
      open: await openMedia(mediaClient(credentials), { StreamName, StartSelector: earliest }),
    };
  };
  const [ada, bob] = [await guest('ada'), await guest('bob')];
  await Promise.all([ada.open.until(1), bob.open.until(1)]);

  await admin.patch(`/api/access-keys/${ada.id}`, { isDisabled: true });
  await run.commit();
  expect(readDocuments(await ada.open.untilEnd())).toHaveLength(1);
  await bob.open.until(2);
  await admin.put('/api/policies/guests', { statements: [{ ...everything, effect: 'deny' }] });
  await run.commit();

  expect(readDocuments(await bob.open.untilEnd())).toHaveLength(2);
});

test('large fragments come in pieces to many readers of different speed, who share what is read', async () => {
  const { getMedia, beginRun, streams, counted } = await startMediaSite();
  const run = await beginRun({
    streamId: streams.front.id,
    beginMs: minutesAgo(2),
    firstCounter: 1,
    payloadBytes: 3_000_000,
  });
  const recorded = await run.commitAll(2);

  const readers = await Promise.all(
    Array.from({ length: 4 }, () => getMedia({ StreamName: streams.front.name, StartSelector: earliest })),
  );
  const all = await Promise.all(readers.map((open) => open.until(2)));

  for (const documents of all) {
    expect(documents.map(({ before }) => before[numberTag])).toEqual(numbers(recorded));
    for (const [i, { cluster }] of documents.entries()) {
      expect(cluster.subarray(-3_000_000).equals(recorded[i]?.payload ?? Buffer.alloc(0))).toBe(true);
    }
  }
  expect(counted.get(`GetMedia.OutgoingFragments ${streams.front.name}`)).toBe(8);
  expect(counted.get(`GetMedia.OutgoingFrames ${streams.front.name}`)).toBe(8);
  expect(counted.get(`GetMedia.OutgoingBytes ${streams.front.name}`)).toBe(
    readers.reduce((sum, open) => sum + open.bytes().length, 0),
  );
}, 60_000);

function never(): never {
  throw new Error('it was recorded');
}
