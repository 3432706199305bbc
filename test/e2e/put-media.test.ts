/** A KVS producer and a whole appliance of which the recording process and the public one die: what was persisted is there. */

import { readFile } from 'node:fs/promises';
import { CreateStreamCommand, KinesisVideoClient } from '@aws-sdk/client-kinesis-video';
import { expect, onTestFinished, test } from 'vitest';
import { readSegment } from '../../storage/journal/index.ts';
import { startAppliance } from '../kit/appliance.ts';
import { BufferingProducer } from '../kit/buffering-producer.ts';
import { checkFindings, segmentFiles } from '../kit/judge.ts';
import { pictures } from '../kit/producer-media.ts';
import { RawProducer } from '../kit/raw-producer.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

type Made = { accessKey: { id: string }; secretAccessKey: string };

test('what a producer was told to be persisted is there byte for byte, whoever is killed, and nothing that it sent is missing', async () => {
  const dataDirectory = await temporaryDirectory();
  const appliance = await startAppliance({ dataDirectory });
  const port = Number(new URL(appliance.url).port);
  const statements = [{ effect: 'allow', actions: ['kinesisvideo:*'], resources: ['*'] }];
  await appliance.call('POST', '/api/policies', { name: 'clients', statements });
  const made = (await appliance.call('POST', '/api/access-keys', { name: 'client', policies: ['clients'] })) as Made;
  const credentials = { accessKeyId: made.accessKey.id, secretAccessKey: made.secretAccessKey };
  const endpoint = `http://127.0.0.1:${port}`;
  const sdk = new KinesisVideoClient({ endpoint, region: 'us-east-1', credentials });
  onTestFinished(() => sdk.destroy());
  await sdk.send(new CreateStreamCommand({ StreamName: 'door', DataRetentionInHours: 24 }));
  const beginMs = Date.now();
  const producer = new BufferingProducer(
    {
      open: () => RawProducer.open({ port, credentials, headers: { 'x-amzn-stream-name': 'door' } }),
      // Five pictures of 20 KB: a second of a camera.
      fragmentOf: (index) => pictures({ timecode: beginMs + index * 200, firstId: 5 * index + 1, bytes: 20_000 }),
    },
    { fragmentMs: 30 },
  );
  const persistedMore = (count: number) => {
    const before = producer.persisted.size;
    return until(`${count} more are persisted`, () => producer.persisted.size >= before + count);
  };

  producer.start();
  await persistedMore(20);
  await appliance.kill('ingest');
  await persistedMore(20);
  await appliance.kill('serve');
  await persistedMore(20);
  await producer.end();
  await appliance.close();

  const cameras = JSON.parse(await readFile(`${dataDirectory}/state/plan.json`, 'utf8')).sources as {
    name: string;
    streamId: string;
  }[];
  const streamId = cameras.find(({ name }) => name === 'door')?.streamId ?? '';
  const stored = new Map<number, Buffer[]>();
  const numbers: string[] = [];
  for (const path of await segmentFiles(dataDirectory, streamId)) {
    const bytes = await readFile(path);
    for (const { mediaTimeMs, offset, byteLength, number } of (await readSegment(path)).fragments) {
      stored.set(mediaTimeMs, [...(stored.get(mediaTimeMs) ?? []), bytes.subarray(offset, offset + byteLength)]);
      numbers.push(number);
    }
  }
  expect(producer.connections).toBeGreaterThanOrEqual(3);
  expect([...producer.persisted.keys()].sort()).toEqual([...producer.sent.keys()].sort());
  for (const [timecode, bytes] of producer.sent) {
    const copies = stored.get(timecode) ?? [];
    expect(copies.length, `fragment ${timecode}`).toBeGreaterThan(0);
    for (const copy of copies) expect(copy.equals(bytes), `fragment ${timecode}`).toBe(true);
  }
  // Twice is only what was stored while its acknowledgement died with a process: those in flight at two kills.
  expect(numbers.length - stored.size).toBeLessThanOrEqual(6);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
