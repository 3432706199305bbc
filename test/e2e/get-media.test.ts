/** A camera and a KVS producer in a whole appliance, read by clients of KVS while they record. Numbers are those of the checklist. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  KinesisVideoClient,
} from '@aws-sdk/client-kinesis-video';
import {
  GetMediaForFragmentListCommand,
  KinesisVideoArchivedMediaClient,
  ListFragmentsCommand,
} from '@aws-sdk/client-kinesis-video-archived-media';
import { KinesisVideoMediaClient } from '@aws-sdk/client-kinesis-video-media';
import { expect, onTestFinished, test } from 'vitest';
import { bytesOf, openMedia } from '../integration/kvs/media-kit.ts';
import { startAppliance } from '../kit/appliance.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addCamera } from '../kit/footage.ts';
import { checkFindings } from '../kit/judge.ts';
import { readDocuments } from '../kit/kvs-documents.ts';
import { cluster, head, pictures, tags } from '../kit/producer-media.ts';
import { RawProducer } from '../kit/raw-producer.ts';
import { runCommand } from '../kit/run-command.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

type Made = { accessKey: { id: string }; secretAccessKey: string };

const earliest = { StartSelectorType: 'EARLIEST' } as const;

test('(64, 66, 68, 69, 76, 77) a camera and a producer are read live and afterwards, byte for byte as they were stored', async () => {
  const dataDirectory = await temporaryDirectory();
  const simulator = await startCameraSimulator({ cameras: 1, mode: 'paced' });
  onTestFinished(() => simulator.close());
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const statements = [{ effect: 'allow', actions: ['kinesisvideo:*'], resources: ['*'] }];
  await appliance.call('POST', '/api/policies', { name: 'clients', statements });
  const made = (await appliance.call('POST', '/api/access-keys', { name: 'client', policies: ['clients'] })) as Made;
  const credentials = { accessKeyId: made.accessKey.id, secretAccessKey: made.secretAccessKey };
  const port = Number(new URL(appliance.url).port);
  const options = { endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials };
  const control = new KinesisVideoClient(options);
  const media = new KinesisVideoMediaClient(options);
  const archive = new KinesisVideoArchivedMediaClient(options);
  await control.send(new CreateStreamCommand({ StreamName: 'door', DataRetentionInHours: 24 }));
  await addCamera(appliance, 'Yard', { url: simulator.url(0) });

  // The producer, whose reader waits before there is a fragment.
  const live = await openMedia(media, { StreamName: 'door', StartSelector: { StartSelectorType: 'NOW' } });
  const producer = await RawProducer.open({ port, credentials, headers: { 'x-amzn-stream-name': 'door' } });
  onTestFinished(() => {
    producer.socket.destroy();
  });
  const beginMs = Date.now();
  const sent = Array.from({ length: 6 }, (_, i) =>
    pictures({
      timecode: beginMs + i * 200,
      firstId: 5 * i + 1,
      bytes: 20_000,
      tags: { index: `${i}`, ort: 'Süd \u{1F600}' },
    }),
  );
  await producer.send(head());
  for (const fragment of sent) {
    await producer.send(Buffer.concat([tags(fragment.tags ?? {}), cluster(fragment)]));
  }
  producer.end();
  const acks = await producer.untilTold('PERSISTED', sent.length);
  const documents = await live.until(sent.length);
  expect(documents.map(({ cluster: bytes }) => bytes.toString('base64'))).toEqual(
    sent.map((fragment) => cluster(fragment).toString('base64')),
  );
  expect(documents.map(({ before }) => before.AWS_KINESISVIDEO_FRAGMENT_NUMBER)).toEqual(
    acks.map(({ FragmentNumber }) => FragmentNumber),
  );
  for (const [i, document] of documents.entries()) {
    expect(document.head.equals(head())).toBe(true);
    expect(document.user).toEqual([
      { name: 'index', value: `${i}` },
      { name: 'ort', value: 'Süd \u{1F600}' },
    ]);
    expect(document.before.AWS_KINESISVIDEO_PRODUCER_TIMESTAMP).toBe(((beginMs + i * 200) / 1_000).toFixed(3));
  }

  // The camera: live, on with a token, and what it left is listed and asked for.
  const camera = await openMedia(media, { StreamName: 'Yard', StartSelector: { StartSelectorType: 'NOW' } });
  const first = await camera.until(2);
  camera.close();
  const ContinuationToken = first.at(-1)?.after.AWS_KINESISVIDEO_CONTINUATION_TOKEN;
  const on = await openMedia(media, {
    StreamName: 'Yard',
    StartSelector: { StartSelectorType: 'CONTINUATION_TOKEN', ContinuationToken },
  });
  const seen = [...first, ...(await on.until(2))];
  const FragmentSelector = {
    FragmentSelectorType: 'SERVER_TIMESTAMP',
    TimestampRange: { StartTimestamp: new Date(0), EndTimestamp: new Date() },
  } as const;
  const listed = await archive.send(new ListFragmentsCommand({ StreamName: 'Yard', FragmentSelector }));
  const numbers = seen.map(({ before }) => before.AWS_KINESISVIDEO_FRAGMENT_NUMBER ?? '');
  const asked = await archive.send(new GetMediaForFragmentListCommand({ StreamName: 'Yard', Fragments: numbers }));
  const bytes = await bytesOf(asked.Payload);

  expect(listed.Fragments?.map(({ FragmentNumber }) => FragmentNumber)).toEqual(expect.arrayContaining(numbers));
  expect(readDocuments(bytes).map(({ cluster: stored }) => stored.toString('base64'))).toEqual(
    seen.map(({ cluster: stored }) => stored.toString('base64')),
  );
  expect(new Set(seen.map(({ head: bytesOfHead }) => bytesOfHead.toString('hex'))).size).toBe(1);
  expect(bytes.includes('WEIR_')).toBe(false);
  expect([...numbers].sort()).toEqual(numbers);
  const path = join(dataDirectory, 'yard.mkv');
  await writeFile(path, bytes);
  const entries = ['-count_frames', '-select_streams', 'v', '-show_entries', 'stream=codec_name,nb_read_frames'];
  const probed = await runCommand('ffprobe', ['-v', 'error', ...entries, '-of', 'json', path]);
  const [video] = JSON.parse(probed.out).streams;
  expect(video.codec_name).toBe('h264');
  expect(Number(video.nb_read_frames)).toBeGreaterThan(60);

  // The recording process dies and comes back: who reads goes on with the next run.
  const before = on.documents().length;
  await appliance.kill('ingest');
  const runs = await until('fragments of the next run came', () => {
    const heads = new Set(on.documents().map(({ head: bytesOfHead }) => bytesOfHead.toString('hex')));
    return heads.size > 1 ? on.documents() : undefined;
  });
  const order = runs.map(({ before: tagsBefore }) => tagsBefore.AWS_KINESISVIDEO_FRAGMENT_NUMBER ?? '');
  expect(runs.length).toBeGreaterThan(before);
  expect(order).toEqual([...new Set(order)].sort());

  // A stream that is removed has no readers.
  const earlier = await openMedia(media, { StreamName: 'door', StartSelector: earliest });
  await earlier.until(sent.length);
  const { StreamInfo: { StreamARN } = {} } = await control.send(new DescribeStreamCommand({ StreamName: 'door' }));
  await control.send(new DeleteStreamCommand({ StreamARN }));
  expect(readDocuments(await earlier.untilEnd())).toHaveLength(sent.length);
  await live.untilEnd();
  expect(on.isEnded()).toBe(false);
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
