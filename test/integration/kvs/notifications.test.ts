/** Fragments tagged for it are told to a topic, and the topic leads to a webhook. */

import { UpdateNotificationConfigurationCommand } from '@aws-sdk/client-kinesis-video';
import { expect, test } from 'vitest';
import { recordRun } from '../../kit/recorded-runs.ts';
import { until } from '../../kit/until.ts';
import { startReceiver } from '../alarms/receiver.ts';
import { everything, startKvsSite } from './kit.ts';

const beginMs = Date.UTC(2026, 0, 1);
const tag = { name: 'AWS_KINESISVIDEO_NOTIFICATION', value: '' };

async function siteWithReceiver() {
  const { site, sdk, admin } = await startKvsSite([everything], { followsTags: true });
  const { cameras } = (await admin.get('/api/cameras')).json;
  const camera = cameras.find((each: { name: string }) => each.name === 'Front door');
  const [{ id: streamId, name: StreamName }] = camera.streams;
  const receiver = await startReceiver();
  const webhook = { name: 'Doors', url: receiver.url, codes: [] };
  const { webhook: made } = (await admin.post('/api/webhooks', webhook)).json;
  const lead = () => admin.put('/api/topics/doors', { webhookId: made.id });
  const configure = (Status: 'ENABLED' | 'DISABLED') =>
    sdk().send(
      new UpdateNotificationConfigurationCommand({
        StreamName,
        NotificationConfiguration: {
          Status,
          DestinationConfig: { Uri: 'arn:aws:sns:eu-west-1:111122223333:doors' },
        },
      }),
    );
  let runs = 0;
  /** Six fragments, of which those of these places are tagged. */
  const record = (tagged: readonly number[]) => {
    const seed = `run-${runs}`;
    const firstCounter = 1_000 + 10 * runs;
    const run = { streamId, seed, firstCounter, beginMs: beginMs + 60_000 * runs++, fragments: 6 };
    return recordRun(site.paths, {
      ...run,
      tagsOf: (i) => (tagged.includes(i) ? [tag, { name: 'door', value: `opened by ${i} "ü"` }] : []),
    });
  };
  const told = () => receiver.told().map(({ json }) => JSON.parse(json.Message));
  return { admin, receiver, lead, configure, record, told, StreamName };
}

test('(107) each tagged fragment is told once, in the envelope of SNS, and what is not tagged or was there before is not', async () => {
  const { receiver, lead, configure, record, told, StreamName } = await siteWithReceiver();
  await lead();
  await record([0, 1]);
  await configure('ENABLED');
  // Begins after what was there when it was switched on.
  await record([2]);
  const [first] = await until('the first is told', () => (told().length > 0 ? told() : undefined));
  await record([0, 5]);
  await until('three are told', () => told().length >= 3);

  expect(first).toEqual({
    StreamArn: expect.stringMatching(new RegExp(`^arn:aws:kinesisvideo:us-east-1:000000000000:stream/${StreamName}/`)),
    FragmentNumber: expect.stringMatching(/^\d{47}$/),
    FragmentStartProducerTimestamp: expect.any(Number),
    FragmentStartServerTimestamp: expect.any(Number),
    NotificationType: 'PERSISTED',
    NotificationPayload: { door: 'opened by 2 "ü"' },
  });
  expect(told().map(({ NotificationPayload }) => NotificationPayload.door)).toEqual([
    'opened by 2 "ü"',
    'opened by 0 "ü"',
    'opened by 5 "ü"',
  ]);
  expect(receiver.received[0]?.json).toMatchObject({
    Type: 'Notification',
    MessageId: receiver.received[0]?.id,
    TopicArn: 'arn:aws:sns:eu-west-1:111122223333:doors',
    Subject: 'Kinesis Video Streams Notification',
  });
});

test('a topic is answered with the ARN that clients name it by', async () => {
  const { admin, lead } = await siteWithReceiver();

  const led = await lead();

  expect(led.json.arn).toBe('arn:aws:sns:us-east-1:000000000000:doors');
  expect((await admin.get('/api/topics')).json.topics).toEqual([led.json]);
});

test('(107) a topic that leads nowhere loses nothing: its messages come when it leads somewhere', async () => {
  const { admin, lead, configure, record, told } = await siteWithReceiver();
  await lead();
  await configure('ENABLED');
  await record([1]);
  await until('the first is told', () => told().length === 1);
  await admin.delete('/api/topics/doors');
  await record([3]);
  await lead();
  await until('the second is told', () => told().length === 2);

  expect(told().map(({ NotificationPayload }) => NotificationPayload.door)).toEqual([
    'opened by 1 "ü"',
    'opened by 3 "ü"',
  ]);
});
