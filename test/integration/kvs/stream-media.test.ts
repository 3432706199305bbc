/** What becomes of media when clients change the stream that it is in. Numbers are those of the checklist. */

import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  UpdateDataRetentionCommand,
} from '@aws-sdk/client-kinesis-video';
import { ListFragmentsCommand, type ListFragmentsInput } from '@aws-sdk/client-kinesis-video-archived-media';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { startMediaSite } from './media-kit.ts';

const notFound = { name: 'ResourceNotFoundException' };
const hourMs = 3_600_000;

async function startRecorded() {
  const site = await startMediaSite();
  const control = site.sdk();
  const { id: streamId, name: StreamName } = site.streams.front;
  const run = await site.beginRun({ streamId, beginMs: systemClock.wallMs() - 5 * hourMs, firstCounter: 1 });
  await run.commitAll(3);
  await run.end();
  const archive = site.archiveClient();
  const TimestampRange = { StartTimestamp: new Date(0), EndTimestamp: new Date(systemClock.wallMs() + hourMs) };
  const FragmentSelector = { FragmentSelectorType: 'SERVER_TIMESTAMP', TimestampRange } as const;
  const list = async (of: Pick<ListFragmentsInput, 'StreamName' | 'StreamARN'>) =>
    (await archive.send(new ListFragmentsCommand({ ...of, FragmentSelector }))).Fragments?.length;
  const describe = async () => (await control.send(new DescribeStreamCommand({ StreamName }))).StreamInfo ?? {};
  return { ...site, control, StreamName, list, describe };
}

test('(8) less retention hides older fragments at once, and more does not bring them back', async () => {
  const { control, StreamName, list, describe } = await startRecorded();
  const change = async (Operation: 'INCREASE_DATA_RETENTION' | 'DECREASE_DATA_RETENTION', hours: number) => {
    const { Version: CurrentVersion } = await describe();
    const input = { StreamName, CurrentVersion, Operation, DataRetentionChangeInHours: hours };
    await control.send(new UpdateDataRetentionCommand(input));
  };
  const counts: unknown[] = [await list({ StreamName })];

  await change('DECREASE_DATA_RETENTION', 18);
  counts.push(await list({ StreamName }));
  await change('DECREASE_DATA_RETENTION', 2);
  counts.push(await list({ StreamName }));
  await change('INCREASE_DATA_RETENTION', 100);
  counts.push(await list({ StreamName }));

  expect((await describe()).DataRetentionInHours).toBe(104);
  expect(counts).toEqual([3, 3, 0, 0]);
});

test('(9) a removed stream has no media for clients, nor has one of its name that is made again; people still have it', async () => {
  const { control, StreamName, list, describe, getMedia, admin, streams, beginRun } = await startRecorded();
  const { StreamARN: oldArn } = await describe();

  await control.send(new DeleteStreamCommand({ StreamARN: oldArn }));
  await expect(list({ StreamName })).rejects.toMatchObject(notFound);
  await expect(list({ StreamARN: oldArn })).rejects.toMatchObject(notFound);
  const StartSelector = { StartSelectorType: 'EARLIEST' } as const;
  await expect(getMedia({ StreamARN: oldArn, StartSelector })).rejects.toMatchObject(notFound);
  const { StreamARN } = await control.send(new CreateStreamCommand({ StreamName, DataRetentionInHours: 24 }));

  expect(await list({ StreamName })).toBe(0);
  await expect(list({ StreamARN: oldArn })).rejects.toMatchObject(notFound);
  const told = (await admin.get('/api/streams')).json.streams.filter(
    ({ name }: { name: string }) => name === StreamName,
  );
  const [made] = told.filter(({ isRemoved }: { isRemoved: boolean }) => !isRemoved);
  expect(told).toHaveLength(2);
  const run = await beginRun({ streamId: made.id, beginMs: systemClock.wallMs() - 60_000, firstCounter: 1 });
  await run.commitAll(2);
  expect(await list({ StreamARN })).toBe(2);
  expect((await admin.get(`/api/streams/${streams.front.id}`)).json).toMatchObject({
    isRemoved: true,
    name: StreamName,
  });
});
