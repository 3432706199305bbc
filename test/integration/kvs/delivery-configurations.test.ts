/** What tagged fragments set off, as the AWS SDK for JavaScript configures it. Numbers are those of the checklist. */

import {
  DescribeImageGenerationConfigurationCommand,
  DescribeNotificationConfigurationCommand,
  DescribeStreamCommand,
  UpdateImageGenerationConfigurationCommand,
  UpdateNotificationConfigurationCommand,
} from '@aws-sdk/client-kinesis-video';
import { expect, test } from 'vitest';
import { startKvsSite } from './kit.ts';

const streamArns = 'arn:aws:kinesisvideo:*:*:stream/*';

const invalid = { name: 'InvalidArgumentException', $metadata: { httpStatusCode: 400 } };
const images = {
  Status: 'ENABLED',
  ImageSelectorType: 'SERVER_TIMESTAMP',
  DestinationConfig: { Uri: 's3://pictures/of/gates', DestinationRegion: 'us-east-1' },
  SamplingInterval: 3_000,
  Format: 'JPEG',
  FormatConfig: { JPEGQuality: '75' },
  WidthPixels: 320,
  HeightPixels: 240,
} as const;
const topic = {
  Status: 'DISABLED',
  DestinationConfig: { Uri: 'arn:aws:sns:eu-central-1:000000000000:gate-opened' },
} as const;

test('(21) image and notification configurations come back as they went in, change the version, and go when left out', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const StreamName = 'Front-door';
  const told = async () => ({
    ...(await client.send(new DescribeImageGenerationConfigurationCommand({ StreamName }))),
    ...(await client.send(new DescribeNotificationConfigurationCommand({ StreamName }))),
    $metadata: undefined,
  });
  const version = async () => (await client.send(new DescribeStreamCommand({ StreamName }))).StreamInfo?.Version;
  const put = async (ImageGenerationConfiguration?: typeof images, NotificationConfiguration?: typeof topic) => {
    await client.send(new UpdateImageGenerationConfigurationCommand({ StreamName, ImageGenerationConfiguration }));
    await client.send(new UpdateNotificationConfigurationCommand({ StreamName, NotificationConfiguration }));
    return version();
  };

  expect(await told()).toEqual({ $metadata: undefined });
  const before = await version();
  const after = await put(images, topic);
  expect(await told()).toEqual({
    ...{ ImageGenerationConfiguration: images, NotificationConfiguration: topic, $metadata: undefined },
  });
  expect(after).not.toBe(before);
  expect(await put(images, topic)).toBe(after);
  expect(await put()).not.toBe(after);
  expect(await told()).toEqual({ $metadata: undefined });
});

test('(22) what an image or notification configuration cannot be is an argument that is wrong, and nothing is kept of it', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const StreamName = 'Front-door';
  const { Format: _, ...withoutFormat } = images;
  const { DestinationConfig } = images;
  const wrongImages: object[] = [
    { ...images, SamplingInterval: 199 },
    { ...images, WidthPixels: 3_841 },
    { ...images, HeightPixels: 2_161 },
    { ...images, HeightPixels: 0 },
    { ...images, FormatConfig: { JPEGQuality: '80', Other: '1' } },
    { ...images, FormatConfig: {} },
    { ...images, FormatConfig: { JPEGQuality: '101' } },
    { ...images, FormatConfig: { JPEGQuality: '0' } },
    { ...images, Format: 'GIF' },
    { ...images, Status: 'ON' },
    { ...images, ImageSelectorType: 'CLOCK' },
    withoutFormat,
    { ...images, DestinationConfig: { ...DestinationConfig, DestinationRegion: 'eu-central-1' } },
    ...['pictures', 's3://', 'file:///etc/passwd', `s3://pictures/${'a'.repeat(250)}`].map((Uri) => ({
      ...images,
      DestinationConfig: { ...DestinationConfig, Uri },
    })),
  ];
  const wrongTopics: object[] = [
    { Status: 'ENABLED' },
    { DestinationConfig: topic.DestinationConfig },
    { ...topic, DestinationConfig: { Uri: 'https://example.org/hook' } },
    { ...topic, DestinationConfig: { Uri: 'arn:aws:sns:eu-central-1:000000000000:gate.fifo' } },
  ];

  for (const ImageGenerationConfiguration of wrongImages) {
    const command = new UpdateImageGenerationConfigurationCommand({
      StreamName,
      ImageGenerationConfiguration: ImageGenerationConfiguration as never,
    });
    await expect(client.send(command), JSON.stringify(ImageGenerationConfiguration)).rejects.toMatchObject(invalid);
  }
  for (const NotificationConfiguration of wrongTopics) {
    const command = new UpdateNotificationConfigurationCommand({
      StreamName,
      NotificationConfiguration: NotificationConfiguration as never,
    });
    await expect(client.send(command), JSON.stringify(NotificationConfiguration)).rejects.toMatchObject(invalid);
  }
  const kept = await client.send(new DescribeImageGenerationConfigurationCommand({ StreamName }));
  expect(kept.ImageGenerationConfiguration).toBeUndefined();
});

test('a stream that keeps nothing sets nothing off', async () => {
  const { sdk } = await startKvsSite();
  const client = sdk();
  const StreamName = 'Yard';
  const refused = { name: 'NoDataRetentionException', $metadata: { httpStatusCode: 400 } };

  await expect(
    client.send(new UpdateImageGenerationConfigurationCommand({ StreamName, ImageGenerationConfiguration: images })),
  ).rejects.toMatchObject(refused);
  await expect(
    client.send(new UpdateNotificationConfigurationCommand({ StreamName, NotificationConfiguration: topic })),
  ).rejects.toMatchObject(refused);
  await client.send(new UpdateNotificationConfigurationCommand({ StreamName }));
});

test('a key may name the buckets and topics of its policies, and no others', async () => {
  const resources = [streamArns, 'arn:aws:s3:::pictures', 'arn:aws:sns:*:*:gate-*'];
  const { sdk } = await startKvsSite([{ effect: 'allow', actions: ['kinesisvideo:*'], resources }]);
  const client = sdk();
  const StreamName = 'Front-door';
  const putImages = (Uri: string) =>
    client.send(
      new UpdateImageGenerationConfigurationCommand({
        StreamName,
        ImageGenerationConfiguration: { ...images, DestinationConfig: { ...images.DestinationConfig, Uri } },
      }),
    );
  const putTopic = (name: string) =>
    client.send(
      new UpdateNotificationConfigurationCommand({
        StreamName,
        NotificationConfiguration: {
          ...topic,
          DestinationConfig: { Uri: `arn:aws:sns:eu-west-1:000000000000:${name}` },
        },
      }),
    );

  await putImages('s3://pictures/of/gates');
  await putTopic('gate-opened');
  const refused = { name: 'AccessDeniedException' };
  await expect(putImages('s3://recordings')).rejects.toMatchObject(refused);
  await expect(putImages('s3://pictures-of-others/x')).rejects.toMatchObject(refused);
  await expect(putTopic('alarms')).rejects.toMatchObject(refused);
  await client.send(new UpdateImageGenerationConfigurationCommand({ StreamName }));
});
