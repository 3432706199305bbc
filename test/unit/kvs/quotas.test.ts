import { expect, test } from 'vitest';
import { Quotas, thingOf } from '../../../gateway/kvs/quotas/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const clock = () => new SimulatedClock(1_800_000_000_000);

function admitted(quotas: Quotas, times: number, path = '/describeStream', input: Record<string, unknown> = {}) {
  let count = 0;
  for (let i = 0; i < times; i++) {
    try {
      quotas.admit(path, input, thingOf({ StreamName: 'gate', ...input }));
      count++;
    } catch (error) {
      expect(error).toMatchObject({ context: { awsName: 'ClientLimitExceededException' } });
    }
  }
  return count;
}

test('(109) with the factor 1 it is what AWS allows: five describes of a stream in a second, and five more a second later', async () => {
  const time = clock();
  const quotas = new Quotas({ clock: time }, { factor: 1 });

  expect(admitted(quotas, 20)).toBe(5);
  expect(admitted(quotas, 20, '/describeStream', { StreamName: 'yard' })).toBe(5);
  await time.advance(1_000);
  expect(admitted(quotas, 20)).toBe(5);
});

test('all streams together have a quota of their own', () => {
  const quotas = new Quotas({ clock: clock() }, { factor: 1 });
  let count = 0;
  for (let i = 0; i < 1_000; i++) count += admitted(quotas, 1, '/describeStream', { StreamName: `stream-${i}` });

  expect(count).toBe(300);
});

test('fragments are counted by what a request asks for, and one large request is allowed', async () => {
  const time = clock();
  const quotas = new Quotas({ clock: time }, { factor: 1 });
  const list = { Fragments: Array.from({ length: 1_000 }, () => '1') };

  expect(admitted(quotas, 3, '/getMediaForFragmentList', list)).toBe(1);
  await time.advance(1_000);
  expect(admitted(quotas, 3, '/getMediaForFragmentList', list)).toBe(0);
  await time.advance(1_000);
  expect(admitted(quotas, 3, '/getMediaForFragmentList', list)).toBe(1);
  expect(admitted(quotas, 20, '/listFragments', { MaxResults: 1_000 })).toBe(10);
});

test('the factor 0 bounds nothing, a tiny one lets a first request in', () => {
  expect(admitted(new Quotas({ clock: clock() }, { factor: 0 }), 10_000)).toBe(10_000);
  expect(admitted(new Quotas({ clock: clock() }, { factor: 0.001 }), 100)).toBe(1);
});

test('a stream is the same by its name and by its ARN, and a channel of that name is another thing', () => {
  const arn = (type: string) => `arn:aws:kinesisvideo:eu-west-1:000000000000:${type}/gate/1795263502114`;

  expect(thingOf({ StreamARN: arn('stream') })).toBe(thingOf({ StreamName: 'gate' }));
  expect(thingOf({ ChannelARN: arn('channel') })).toBe(thingOf({ ChannelName: 'gate' }));
  expect(thingOf({ ChannelName: 'gate' })).not.toBe(thingOf({ StreamName: 'gate' }));
  expect(thingOf({ StreamName: 7, Tags: {} })).toBeUndefined();
});
