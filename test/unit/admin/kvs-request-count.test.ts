import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { type KvsAsked, KvsRequestCount } from '../../../appliance/admin/kvs-request-count.ts';
import type { UsageExchange } from '../../../appliance/admin/usage-book.ts';
import { KvsMeter } from '../../../gateway/kvs/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

function newCount(operation: string) {
  const registry = new Registry();
  const clock = new SimulatedClock(1_800_000_000_000);
  const open = new Set<UsageExchange>();
  const exchanges: UsageExchange[] = [];
  const usage = {
    open: (exchange: UsageExchange) => {
      open.add(exchange);
      exchanges.push(exchange);
      return () => void open.delete(exchange);
    },
  };
  // The connection has served other requests.
  const socket = { bytesRead: 1_000, bytesWritten: 2_000 };
  const count = new KvsRequestCount({ clock, meter: new KvsMeter({ registry }), usage }, socket);
  const asked = { operation, stream: { id: 's', name: 'gate' } as KvsAsked['stream'] };
  const metrics = async () => {
    const text = await registry.metrics();
    return Object.fromEntries(
      [...text.matchAll(/^aws_kinesisvideo_(\w+)\{.*\} (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]),
    );
  };
  return { clock, count, asked, socket, open, exchanges, metrics };
}

test('a reader is told of when it is let in, and its bytes while they go', async () => {
  const { count, asked, socket, open, exchanges, metrics } = newCount('GetMedia');
  count.accepted(asked);
  socket.bytesWritten += 70;

  expect(exchanges).toMatchObject([{ streamId: 's', direction: 'out', protocol: 'get-media' }]);
  expect(exchanges[0]?.totalBytes()).toBe(70);
  expect(await metrics()).toMatchObject({ get_media_requests_sum: 1, get_media_success_sum: 1 });

  count.over(asked, { isSuccess: true });
  expect(open.size).toBe(0);
  expect(await metrics()).toMatchObject({ get_media_requests_sum: 1, get_media_requests_count: 1 });
  expect(await metrics()).not.toHaveProperty('get_media_latency_count');
});

test('of an upload the bytes are counted that come, and the rest is told by whoever records it', async () => {
  const { count, asked, socket, open, exchanges, metrics } = newCount('PutMedia');
  count.accepted(asked);
  socket.bytesRead += 50;

  expect(exchanges).toMatchObject([{ streamId: 's', direction: 'in', protocol: 'put-media' }]);
  expect(exchanges[0]?.totalBytes()).toBe(50);
  count.over(asked, { isSuccess: true });
  expect(open.size).toBe(0);
  expect(await metrics()).not.toHaveProperty('put_media_requests_sum');
});

test('the latency of an upload is the time to its head, that of a clip the time to its end, and readers have none', async () => {
  const latencyOf = async (operation: string) => {
    const { clock, count, asked, metrics } = newCount(operation);
    await clock.advance(30);
    count.accepted(asked);
    await clock.advance(60_000);
    count.over(asked, { isSuccess: true });
    return Object.entries(await metrics()).filter(([name]) => name.includes('latency'));
  };

  expect(await latencyOf('PutMedia')).toEqual([
    ['put_media_latency_sum', 30],
    ['put_media_latency_count', 1],
  ]);
  expect(await latencyOf('GetClip')).toEqual([
    ['get_clip_latency_sum', 60_030],
    ['get_clip_latency_count', 1],
  ]);
  expect(await latencyOf('GetMedia')).toEqual([]);
  expect(await latencyOf('GetMediaForFragmentList')).toEqual([]);
});

test('an upload that is refused has no latency', async () => {
  const { count, asked, metrics } = newCount('PutMedia');
  count.over(asked, { isSuccess: false });

  expect(await metrics()).toEqual({});
});

test('what is refused is counted once, and what has no stream, or AWS does not count, not at all', async () => {
  const refused = newCount('GetMedia');
  refused.count.over(refused.asked, { isSuccess: false });
  expect(await refused.metrics()).toMatchObject({ get_media_requests_sum: 1, get_media_success_sum: 0 });
  expect(refused.exchanges).toHaveLength(1);
  expect(refused.open.size).toBe(0);

  const unknown = newCount('GetMedia');
  unknown.count.over({ operation: 'GetMedia' }, { isSuccess: false });
  const other = newCount('DescribeStream');
  other.count.over(other.asked, { isSuccess: true });
  for (const { metrics, exchanges } of [unknown, other]) {
    expect(await metrics()).toEqual({});
    expect(exchanges).toEqual([]);
  }
});
