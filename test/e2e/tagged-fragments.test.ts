/** What fragments set off by their tags, in a whole appliance whose public process is killed meanwhile. Numbers are those of the checklist. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CreateStreamCommand,
  KinesisVideoClient,
  UpdateImageGenerationConfigurationCommand,
  UpdateNotificationConfigurationCommand,
} from '@aws-sdk/client-kinesis-video';
import { expect, onTestFinished, test } from 'vitest';
import { MatroskaReader, untargetedTags } from '../../storage/media/index.ts';
import { startReceiver } from '../integration/alarms/receiver.ts';
import { startAppliance } from '../kit/appliance.ts';
import { checkFindings } from '../kit/judge.ts';
import { RawProducer } from '../kit/raw-producer.ts';
import { runCommand } from '../kit/run-command.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';
import { clipBytes } from '../unit/media/clips.ts';

type Made = { accessKey: { id: string }; secretAccessKey: string };

/** Two seconds of pictures and sound in two clusters, of which the second one is tagged. */
async function taggedClip(): Promise<Buffer> {
  const clip = Buffer.from(await clipBytes('gstreamer.mkv'));
  const offsets: number[] = [];
  const sink = {
    ...{ head() {}, clusterBytes() {}, frame() {}, clusterEnd() {}, tags() {} },
    clusterBegin: ({ offset }: { readonly offset: number }) => offsets.push(offset),
  };
  new MatroskaReader({ sink }).push(clip);
  const second = offsets[1] ?? 0;
  const tags = untargetedTags([
    { name: 'AWS_KINESISVIDEO_IMAGE_GENERATION', value: '' },
    { name: 'AWS_KINESISVIDEO_IMAGE_PREFIX', value: 'opened' },
    { name: 'AWS_KINESISVIDEO_NOTIFICATION', value: '' },
    { name: 'door', value: 'left' },
  ]);
  return Buffer.concat([clip.subarray(0, second), tags, clip.subarray(second)]);
}

test('(106, 107, 108) a tagged fragment becomes pictures and a message, once, whoever is killed, and an untagged one neither', async () => {
  const dataDirectory = await temporaryDirectory();
  const appliance = await startAppliance({ dataDirectory });
  const receiver = await startReceiver();
  const statements = [{ effect: 'allow', actions: ['kinesisvideo:*'], resources: ['*'] }];
  await appliance.call('POST', '/api/policies', { name: 'clients', statements });
  const made = (await appliance.call('POST', '/api/access-keys', { name: 'client', policies: ['clients'] })) as Made;
  const webhook = { name: 'Doors', url: receiver.url, codes: [] };
  const { webhook: hook } = (await appliance.call('POST', '/api/webhooks', webhook)) as { webhook: { id: string } };
  await appliance.call('PUT', '/api/topics/doors', { webhookId: hook.id });
  const credentials = { accessKeyId: made.accessKey.id, secretAccessKey: made.secretAccessKey };
  const port = Number(new URL(appliance.url).port);
  const sdk = new KinesisVideoClient({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials });
  onTestFinished(() => sdk.destroy());
  const StreamName = 'door';
  await sdk.send(new CreateStreamCommand({ StreamName, DataRetentionInHours: 24 }));
  const images = {
    ...({ Status: 'ENABLED', ImageSelectorType: 'PRODUCER_TIMESTAMP', Format: 'JPEG', SamplingInterval: 250 } as const),
    ...{ WidthPixels: 320, HeightPixels: 200 },
    DestinationConfig: { Uri: 's3://pictures/gate', DestinationRegion: 'us-east-1' },
  };
  await sdk.send(new UpdateImageGenerationConfigurationCommand({ StreamName, ImageGenerationConfiguration: images }));
  const topic = { Status: 'ENABLED', DestinationConfig: { Uri: 'arn:aws:sns:us-east-1:000000000000:doors' } } as const;
  await sdk.send(new UpdateNotificationConfigurationCommand({ StreamName, NotificationConfiguration: topic }));
  const clip = await taggedClip();
  const upload = async (startSeconds: number) => {
    const headers = {
      'x-amzn-stream-name': StreamName,
      'x-amzn-fragment-timecode-type': 'RELATIVE',
      'x-amzn-producer-start-timestamp': String(startSeconds),
    };
    const producer = await RawProducer.open({ port, credentials, headers, isSized: clip.length });
    await producer.send(clip);
    await until('the upload is answered', () => producer.isEnded);
    expect(producer.told('PERSISTED')).toHaveLength(2);
    return producer.told('PERSISTED').map(({ FragmentNumber }) => FragmentNumber);
  };
  const folder = join(dataDirectory, 'images', 'pictures', 'gate');
  const pictures = async () => (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.jpg')).sort();
  const messages = () => receiver.told().map(({ json }) => JSON.parse(json.Message));

  const [, tagged] = await upload(1_700_000_000);
  await until('four pictures lie there', async () => (await pictures()).length === 4);
  await until('a message came', () => messages().length === 1);
  const [metrics] = [await appliance.call('GET', '/metrics')];
  await appliance.kill('serve');
  await until('it answers again', () => appliance.call('GET', '/api/cameras'));
  await upload(1_700_000_100);
  await until('eight pictures lie there', async () => (await pictures()).length === 8);
  await until('a second message came', () => messages().length === 2);

  const names = await pictures();
  expect(names[0]).toMatch(/^opened_000000000000_door_1700000001\d{3}_[0-9a-f-]{36}\.jpg$/);
  const times = names.map((name) => Number(name.split('_')[3]));
  expect(times.slice(0, 4).map((ms) => ms - (times[0] ?? 0))).toEqual([0, 250, 500, 750]);
  const probed = await runCommand('ffprobe', [
    ...['-v', 'error', '-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0'],
    join(folder, names[0] ?? ''),
  ]);
  expect(probed.out.trim()).toBe('mjpeg,320,200');
  expect(JSON.parse(await readFile(join(folder, `${names[0]}.json`), 'utf8'))).toEqual({
    contentType: 'image/jpeg',
    metadata: {
      door: 'left',
      aws_kinesisvideo_fragment_number: tagged,
      aws_kinesisvideo_producer_timestamp: String(times[0]),
      aws_kinesisvideo_server_timestamp: expect.stringMatching(/^\d{13}$/),
    },
  });
  expect(messages()[0]).toMatchObject({
    FragmentNumber: tagged,
    NotificationType: 'PERSISTED',
    NotificationPayload: { door: 'left' },
  });
  expect(String(metrics)).toContain(
    'aws_kinesisvideo_put_media_incoming_fragments_sum{role="ingest-0",stream_name="door"} 2',
  );
  expect(String(metrics)).toContain('aws_kinesisvideo_put_media_latency_count{role="serve",stream_name="door"} 1');
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
