import { once } from 'node:events';
import { connect } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import {
  aac,
  cluster,
  endOfFragment,
  footage,
  fragment,
  h264,
  head,
  picture,
  pictures,
  tags,
} from '../../kit/producer-media.ts';
import { until } from '../../kit/until.ts';
import { startPutMedia } from './put-media-kit.ts';

const beginMs = 1_795_263_502_114;

test('(33, 34, 39, 40, 41, 42, 57) a producer of clusters of unknown size is told all it has to know, and its bytes lie there as they came', async () => {
  const { produce, clusters, stored, log, site } = await startPutMedia();
  const sent = footage({ beginTimecode: beginMs, fragments: 3 });
  const producer = await produce({ headers: { expect: '100-continue' } });
  await until('100 and 200 come before any media', () => producer.status === 200);
  const latencies = 'aws_kinesisvideo_put_media_latency_count{stream_name="door"} 1\n';
  expect(await site.registry.metrics()).toContain(latencies);

  await producer.send(Buffer.concat([head(), ...sent.map(fragment)]));
  await producer.untilTold('PERSISTED', 2);
  const beforeEnd = producer.acks.map(({ EventType, FragmentTimecode }) => [EventType, FragmentTimecode]);
  producer.end();
  await until('the answer has ended', () => producer.isEnded);

  expect(producer.text.startsWith('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n')).toBe(true);
  expect(producer.text.toLowerCase()).toContain('transfer-encoding: chunked');
  expect(producer.text).toMatch(/x-amzn-RequestId: [0-9a-f-]{36}/);
  expect(beforeEnd.filter(([event]) => event === 'BUFFERING')).toHaveLength(3);
  for (const { timecode } of sent) {
    const told = producer.acks.filter(({ FragmentTimecode }) => FragmentTimecode === timecode);
    expect(told.map(({ EventType }) => EventType)).toEqual(['BUFFERING', 'RECEIVED', 'PERSISTED']);
    expect(new Set(told.map(({ FragmentNumber }) => FragmentNumber)).size).toBe(1);
  }
  expect(producer.chunks.slice(0, -1)).toEqual(
    producer.acks
      .map((ack) => `${JSON.stringify(ack)}\n`)
      .map((line) => expect.stringMatching(new RegExp(`^${escaped(line)}$`))),
  );
  expect(producer.isWhole).toBe(true);
  for (const read of producer.reads.slice(1)) expect(read.length).toBeLessThanOrEqual(1_024);
  expect(await clusters()).toEqual(sent.map(cluster));
  const files = await stored();
  const fragments = files.flatMap((file) => file.fragments);
  expect(fragments.map(({ number }) => number)).toEqual(producer.told('PERSISTED').map((ack) => ack.FragmentNumber));
  expect(fragments.map(({ producerTimestampMs }) => producerTimestampMs)).toEqual(sent.map(({ timecode }) => timecode));
  expect(files.map((file) => Buffer.from(file.head.producerHead))).toEqual(files.map(() => head()));
  expect(log.filter((line) => /"level":"(error|warn)"/.test(line))).toEqual([]);
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

test('(47) an end of fragment is stored and told while the body stays open', async () => {
  const { produce, reader, streamId } = await startPutMedia();
  const producer = await produce();

  await producer.send(
    Buffer.concat([
      head(),
      tags({ lane: '3' }),
      cluster(pictures({ timecode: beginMs, firstId: 1 })),
      tags({ last: 'yes' }),
      endOfFragment,
    ]),
  );
  await producer.untilTold('PERSISTED', 1);

  const [found] = await until('it can be read', async () => {
    const all = await reader.fragmentsBetween(streamId, { beginMs: 0, endMs: 2 ** 45 });
    return all.length > 0 ? all : undefined;
  });
  const { tags: own } = await reader.fragmentBytes(found as never, 1_000_000);
  expect(own).toEqual([
    { name: 'lane', value: '3' },
    { name: 'last', value: 'yes' },
  ]);
  producer.end();
  await until('the answer has ended', () => producer.isWhole && producer.isEnded);
});

test('(39) nothing is told to be persisted where nothing is kept', async () => {
  const { produce } = await startPutMedia({ retentionHours: 0 });
  const producer = await produce();
  await producer.send(Buffer.concat([head(), ...footage({ beginTimecode: 0, fragments: 2 }).map(fragment)]));

  producer.end();
  await until('the answer has ended', () => producer.isEnded);

  expect(producer.acks.map(({ EventType }) => EventType)).toEqual(['BUFFERING', 'RECEIVED', 'BUFFERING', 'RECEIVED']);
});

test('(62) who wants no acknowledgements is told errors alone', async () => {
  const { produce } = await startPutMedia();
  const quiet = { headers: { 'x-amzn-fragment-acknowledgment-required': '0' } };
  const good = await produce(quiet);
  await good.send(Buffer.concat([head(), ...footage({ beginTimecode: 0, fragments: 2 }).map(fragment)]));
  good.end();
  await until('the answer has ended', () => good.isEnded);

  const bad = await produce(quiet);
  await bad.send(Buffer.from('no matroska at all'));
  await bad.untilTold('ERROR', 1);

  expect(good.acks).toEqual([]);
  expect(good.isWhole).toBe(true);
  expect(bad.acks).toEqual([{ EventType: 'ERROR', ErrorId: 4006, ErrorCode: 'INVALID_MKV_DATA' }]);
});

test('(35, 36) a stream goes by name and by ARN, the target may be absolute, and the head is judged before the 200', async () => {
  const { produce, streamArn, site } = await startPutMedia();
  const statusOf = async (change: Parameters<typeof produce>[0]) => {
    const producer = await produce(change);
    const status = await until('an answer', () => producer.status);
    const name = /x-amzn-ErrorType: (\w+)/.exec(producer.text)?.[1];
    producer.socket.destroy();
    return name ?? status;
  };
  const arn = { 'x-amzn-stream-name': undefined, 'x-amzn-stream-arn': streamArn };

  expect(await statusOf({})).toBe(200);
  expect(await statusOf({ headers: arn })).toBe(200);
  expect(await statusOf({ target: `https://localhost:${site.port}/putMedia` })).toBe(200);
  expect(await statusOf({ headers: { 'x-amzn-stream-name': undefined } })).toBe('InvalidArgumentException');
  expect(await statusOf({ headers: { 'x-amzn-stream-name': 'other' } })).toBe('ResourceNotFoundException');
  expect(await statusOf({ headers: { 'x-amzn-fragment-timecode-type': 'NEITHER' } })).toBe('InvalidArgumentException');
  expect(await statusOf({ headers: { 'x-amzn-producer-start-timestamp': 'yesterday' } })).toBe(
    'InvalidArgumentException',
  );
  expect(await statusOf({ credentials: { accessKeyId: 'AKIDUNKNOWN12345', secretAccessKey: 'x' } })).toBe(
    'UnrecognizedClientException',
  );
});

test.each(['sdk', 'producer-c', 'producer-java', 'sdk-java-v1'] as const)(
  '(28, 29) the head is verified as %s signs it, whatever the body is',
  async (signer) => {
    const { produce, clusters } = await startPutMedia();
    const [sent] = footage({ beginTimecode: beginMs, fragments: 1 });
    if (sent === undefined) return expect.fail();
    // Native producers leave the port out of the host.
    const native = signer === 'producer-c' ? { host: 'localhost', connection: 'keep-alive' } : {};
    const producer = await produce({ signer, headers: native });

    await producer.send(Buffer.concat([head(), fragment(sent)]));
    producer.end();
    await until('the answer has ended', () => producer.isEnded);

    expect(producer.status).toBe(200);
    expect(producer.told('PERSISTED')).toHaveLength(1);
    expect(await clusters()).toEqual([cluster(sent)]);
  },
);

test('(63) a producer that would rather speak HTTP/2 is not offered it', async () => {
  const { site } = await startPutMedia();
  const socket = connect({ port: site.port, host: 'localhost', ca: site.ca, ALPNProtocols: ['h2', 'http/1.1'] });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');

  expect(socket.alpnProtocol).toBe('http/1.1');
});

test('a key sends to the streams that its policies name, and to no others', async () => {
  const { admin, produce, streamArn } = await startPutMedia();
  const keyFor = async (name: string, resource: string) => {
    const statements = [{ effect: 'allow', actions: ['kinesisvideo:PutMedia'], resources: [resource] }];
    await admin.post('/api/policies', { name, statements });
    const { json } = await admin.post('/api/access-keys', { name, policies: [name] });
    return { accessKeyId: json.accessKey.id as string, secretAccessKey: json.secretAccessKey as string };
  };
  const own = await produce({ credentials: await keyFor('own', streamArn) });
  const other = await produce({ credentials: await keyFor('other', streamArn.replace('/door/', '/gate/')) });
  await until('both are answered', () => own.status !== undefined && other.status !== undefined);

  expect(own.status).toBe(200);
  expect(other.text).toMatch(/^HTTP\/1.1 403 [\s\S]*x-amzn-ErrorType: AccessDeniedException/);
});

test('(37, 38) relative timecodes count from every form of a start', async () => {
  const { produce, stored } = await startPutMedia();
  const starts = {
    '1711124585': 1_711_124_585_000,
    '1711124585.823': 1_711_124_585_823,
    '1711124585.5': 1_711_124_585_500,
    '0': 0,
    '2024-03-22T16:23:05.823Z': 1_711_124_585_823,
  };
  for (const [start, ms] of Object.entries(starts)) {
    const headers = { 'x-amzn-fragment-timecode-type': 'RELATIVE', 'x-amzn-producer-start-timestamp': start };
    const producer = await produce({ headers });
    await producer.send(Buffer.concat([head(), cluster(pictures({ timecode: 40, firstId: 1 }))]));
    producer.end();
    await until('the answer has ended', () => producer.isEnded);
    expect(producer.told('PERSISTED')).toMatchObject([{ FragmentTimecode: 40 }]);
    const newest = (await stored()).flatMap(({ fragments }) => fragments).at(-1);
    expect(newest?.producerTimestampMs).toBe(ms + 40);
  }
});

test('(56) a body of known length is taken, and answered to its end', async () => {
  const { produce, clusters } = await startPutMedia();
  const sent = footage({ beginTimecode: 0, fragments: 3 });
  const body = Buffer.concat([head(), ...sent.map(fragment)]);
  const producer = await produce({ isSized: body.length });

  await producer.send(body);
  await until('the answer has ended', () => producer.isEnded);

  expect(producer.told('PERSISTED')).toHaveLength(3);
  expect(producer.isWhole).toBe(true);
  expect(await clusters()).toEqual(sent.map(cluster));
});

test('(58) after a broken upload its whole fragments are there, and the one that comes again is there once', async () => {
  const { produce, clusters } = await startPutMedia();
  const [first, second, third] = footage({ beginTimecode: beginMs, fragments: 3 });
  if (first === undefined || second === undefined || third === undefined) return expect.fail();
  const broken = await produce();
  await broken.send(Buffer.concat([head(), fragment(first), fragment(second).subarray(0, 200)]));
  await broken.untilTold('PERSISTED', 1);
  await broken.untilTold('BUFFERING', 2);
  broken.socket.destroy();

  const again = await produce();
  await again.send(Buffer.concat([head(), fragment(second), fragment(third)]));
  again.end();
  await until('the answer has ended', () => again.isEnded);

  expect(again.told('PERSISTED')).toHaveLength(2);
  expect(await clusters()).toEqual([first, second, third].map(cluster));
});

test('(59) two connections of one producer lose nothing, a third is refused, and its place comes back', async () => {
  const { produce, clusters, stored } = await startPutMedia();
  const sent = footage({ beginTimecode: beginMs, fragments: 4 });
  const [a, b, c, d] = sent;
  if (a === undefined || b === undefined || c === undefined || d === undefined) return expect.fail();
  const old = await produce();
  await old.send(Buffer.concat([head(), fragment(a), fragment(b)]));
  await old.untilTold('BUFFERING', 2);

  const fresh = await produce();
  await fresh.send(Buffer.concat([head(), fragment(c), fragment(d)]));
  await fresh.untilTold('BUFFERING', 2);
  const third = await produce();
  await until('an answer', () => third.status);
  old.end();
  fresh.end();
  await until('both have ended', () => old.isEnded && fresh.isEnded);
  const fourth = await produce();
  await until('an answer', () => fourth.status);

  expect(third.text).toMatch(/^HTTP\/1.1 400 [\s\S]*x-amzn-ErrorType: ConnectionLimitExceededException/);
  expect(fourth.status).toBe(200);
  expect([...old.told('PERSISTED'), ...fresh.told('PERSISTED')]).toHaveLength(4);
  expect(await clusters()).toEqual(expect.arrayContaining(sent.map(cluster)));
  const numbers = (await stored()).flatMap(({ fragments }) => fragments.map(({ number }) => number));
  expect(new Set(numbers).size).toBe(4);
});

test('a camera feeds it: no other media are taken', async () => {
  const { produce, admin } = await startPutMedia();
  await admin.post('/api/cameras', {
    name: 'Gate',
    source: { kind: 'rtsp', url: 'rtsp://192.0.2.1/' },
    recording: { retentionHours: 1 },
  });

  const producer = await produce({ headers: { 'x-amzn-stream-name': 'Gate' } });
  await until('an answer', () => producer.status);

  expect(producer.text).toMatch(/^HTTP\/1.1 400 [\s\S]*ResourceInUseException/);
});

test.each<[string, Buffer, number, string, number | undefined]>([
  [
    '(48)',
    Buffer.concat([tags({ AWS_MINE: '' }), cluster(pictures({ timecode: 900, firstId: 9 }))]),
    4009,
    'FRAGMENT_METADATA_LIMIT_REACHED',
    900,
  ],
  [
    '(49)',
    cluster({ timecode: 900, frames: [{ track: 7, relative: 0, payload: picture(1, { isKey: true }) }] }),
    4010,
    'TRACK_NUMBER_MISMATCH',
    900,
  ],
  ['(50)', Buffer.from('1654ae6b80', 'hex'), 4006, 'INVALID_MKV_DATA', undefined],
  ['(51)', cluster(pictures({ timecode: 40, firstId: 9 })), 4004, 'FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS', 40],
  ['(52)', cluster(pictures({ timecode: 900, firstId: 9, bytes: 300_000 })), 4001, 'MAX_FRAGMENT_SIZE_REACHED', 900],
  [
    '(52)',
    cluster({
      timecode: 900,
      frames: [{ track: 1, relative: 20_500, isKey: true, payload: picture(1, { isKey: true }) }],
    }),
    4002,
    'MAX_FRAGMENT_DURATION_REACHED',
    900,
  ],
])(
  '%s what is wrong is told by its number, and ends the connection after what was whole',
  async (_, wrong, id, code, about) => {
    const { produce, clusters } = await startPutMedia({ quotas: { fragmentBytesMax: 1_000_000 } });
    const good = cluster(pictures({ timecode: 100, firstId: 1 }));
    const producer = await produce();

    await producer.send(Buffer.concat([head(), good, wrong]));
    await producer.untilTold('ERROR', 1);
    producer.end();
    await until('the answer has ended', () => producer.isEnded);

    const [error] = producer.told('ERROR');
    expect(error).toMatchObject({
      ErrorId: id,
      ErrorCode: code,
      ...(about === undefined ? {} : { FragmentTimecode: about }),
    });
    expect(producer.acks.at(-1)).toEqual(error);
    expect(producer.told('PERSISTED')).toMatchObject([{ FragmentTimecode: 100 }]);
    expect(producer.isWhole).toBe(true);
    expect(await clusters()).toEqual([good]);
  },
);

test('(49) a declared track without a frame, and a fourth track', async () => {
  const { produce } = await startPutMedia();
  const missing = await produce();
  await missing.send(
    Buffer.concat([head([h264, aac]), cluster(pictures({ timecode: 100, firstId: 1 })), endOfFragment]),
  );
  const four = await produce();
  await four.send(
    Buffer.concat([
      head([1, 2, 3, 4].map((number) => ({ ...h264, number }))),
      cluster(pictures({ timecode: 0, firstId: 1 })),
    ]),
  );

  expect(await missing.untilTold('ERROR', 1)).toMatchObject([
    { ErrorId: 4011, ErrorCode: 'FRAMES_MISSING_FOR_TRACK', FragmentTimecode: 100 },
  ]);
  expect(await four.untilTold('ERROR', 1)).toMatchObject([
    { ErrorId: 4012, ErrorCode: 'MORE_THAN_ALLOWED_TRACKS_FOUND' },
  ]);
});

test('(53) a connection that is too old ends at the beginning of a fragment, which is named and not taken', async () => {
  const { produce, clusters } = await startPutMedia({ quotas: { connectionMsMax: 300 } });
  const [first, second] = footage({ beginTimecode: beginMs, fragments: 2 });
  if (first === undefined || second === undefined) return expect.fail();
  const producer = await produce();
  await producer.send(Buffer.concat([head(), cluster(first), endOfFragment]));
  await producer.untilTold('PERSISTED', 1);

  await until('it is told', async () => {
    if (!producer.isEnded)
      await producer.send(cluster({ ...second, timecode: second.timecode + producer.reads.length })).catch(() => {});
    return producer.told('ERROR').length > 0;
  });

  expect(producer.told('ERROR')).toMatchObject([{ ErrorId: 4003, ErrorCode: 'MAX_CONNECTION_DURATION_REACHED' }]);
  expect((await clusters())[0]).toEqual(cluster(first));
  expect(await clusters()).toHaveLength(producer.told('PERSISTED').length);
});

test('(54) a stream that is deleted ends its uploads, after what was whole', async () => {
  const { produce, ingest, clusters } = await startPutMedia();
  const [first, second] = footage({ beginTimecode: beginMs, fragments: 2 });
  if (first === undefined || second === undefined) return expect.fail();
  const producer = await produce();
  await producer.send(Buffer.concat([head(), fragment(first), fragment(second)]));
  await producer.untilTold('BUFFERING', 2);

  await ingest.apply({ version: 2, sources: [], devices: [] });
  await producer.untilTold('ERROR', 1);

  expect(producer.acks.at(-1)).toMatchObject({
    ErrorId: 4008,
    ErrorCode: 'STREAM_NOT_ACTIVE',
    FragmentTimecode: second.timecode,
  });
  expect(await clusters()).toEqual([cluster(first)]);
});

test('a recording process that ends keeps what is whole, and producers try again', async () => {
  const { produce, ingest, clusters } = await startPutMedia();
  const [first, second] = footage({ beginTimecode: beginMs, fragments: 2 });
  if (first === undefined || second === undefined) return expect.fail();
  const producer = await produce();
  await producer.send(Buffer.concat([head(), fragment(first), fragment(second)]));
  await producer.untilTold('BUFFERING', 2);

  await ingest.close();
  await producer.untilTold('ERROR', 1);
  const refused = await produce();
  await until('an answer', () => refused.status);

  expect(producer.told('PERSISTED')).toMatchObject([{ FragmentTimecode: first.timecode }]);
  expect(producer.acks.at(-1)).toMatchObject({ ErrorId: 5000, FragmentTimecode: second.timecode });
  expect(producer.isWhole).toBe(true);
  expect(refused.text).toMatch(/^HTTP\/1.1 503 [\s\S]*ServiceUnavailableException/);
  expect(await clusters()).toEqual([cluster(first)]);
});

test('a serve that ends lets producers know', async () => {
  const { produce, site, clusters } = await startPutMedia();
  const [first, second] = footage({ beginTimecode: beginMs, fragments: 2 });
  if (first === undefined || second === undefined) return expect.fail();
  const producer = await produce();
  await producer.send(Buffer.concat([head(), fragment(first), fragment(second)]));
  await producer.untilTold('BUFFERING', 2);

  await site.close();

  expect(producer.told('PERSISTED')).toMatchObject([{ FragmentTimecode: first.timecode }]);
  expect(producer.acks.at(-1)).toMatchObject({ EventType: 'ERROR', ErrorId: 4000, FragmentTimecode: second.timecode });
  expect(await clusters()).toEqual([cluster(first)]);
});

test('a refused producer that writes before it reads gets its answer', async () => {
  const { produce } = await startPutMedia();
  const producer = await produce({ headers: { 'x-amzn-stream-name': 'other' } });
  producer.socket.pause();

  for (let i = 0; i < 64; i++) await producer.send(Buffer.alloc(64 * 1024));
  producer.end();
  producer.socket.resume();
  await until('an answer', () => producer.isEnded);

  expect(producer.status).toBe(404);
});
