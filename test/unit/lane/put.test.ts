import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { type IncomingPut, LaneClient, LaneServer, type PutAnswers } from '../../../storage/lane/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

async function setUp(take: (head: unknown, answers: PutAnswers) => IncomingPut) {
  const path = join(await temporaryDirectory(), 'owner.sock');
  const server = new LaneServer({ log: silentLog, handlers: { requests: {}, put: take } }, { path, role: 'owner' });
  await server.start();
  const client = new LaneClient({ clock: systemClock, log: silentLog }, { path, name: 'test' });
  onTestFinished(async () => {
    await client.close();
    await server.close();
  });
  return { client, server };
}

test('a put brings head and bytes in order, and its events and result back', async () => {
  const taken: Buffer[] = [];
  const { client } = await setUp((head, answers) => ({
    bytes: (bytes) => {
      taken.push(Buffer.from(bytes));
      answers.event({ taken: taken.length });
      return undefined;
    },
    end: ({ isCut }) => answers.done({ head, isCut, bytes: Buffer.concat(taken).length }),
    lost: () => {},
  }));
  const events: unknown[] = [];
  const put = await client.put({
    head: { kind: 'test', streamId: 's1' },
    onEvent: (event) => events.push(event),
    signal: new AbortController().signal,
  });
  const media = Buffer.alloc(300_000, 'abcdefg');

  await put.write(media);
  const result = await put.end({ isCut: false });

  expect(result).toEqual({ head: { kind: 'test', streamId: 's1' }, isCut: false, bytes: media.length });
  expect(Buffer.concat(taken)).toEqual(media);
  expect(events.length).toBeGreaterThan(0);
});

test('a busy owner is not sent more than the socket takes', async () => {
  let release = () => {};
  const busy = new Promise<void>((resolve) => {
    release = resolve;
  });
  let bytesTaken = 0;
  const { client } = await setUp((_, answers) => ({
    bytes: (bytes) => {
      bytesTaken += bytes.length;
      return busy;
    },
    end: () => answers.done(bytesTaken),
    lost: () => {},
  }));
  const put = await client.put({ head: { kind: 'test' }, signal: new AbortController().signal });
  const bytesMax = 64 * 1024 * 1024;

  let sent = 0;
  let isSending = true;
  const sending = (async () => {
    for (; sent < bytesMax; sent += 65_536) await put.write(new Uint8Array(65_536));
    isSending = false;
  })();
  let sentBefore = 0;
  await until('the sender waits', () => {
    const isSame = sent === sentBefore && sent > 0;
    sentBefore = sent;
    return isSame;
  });
  const sentWhileBusy = sent;
  release();
  await sending;

  expect(sentWhileBusy).toBeLessThan(4 * 1024 * 1024);
  expect(isSending).toBe(false);
  expect(await put.end({ isCut: true })).toBe(bytesMax);
});

test('a refusal reaches the sender while it writes', async () => {
  const { client } = await setUp(() => {
    throw appError('failed_precondition', 'footage lies there already', { hint: 'look' });
  });
  const put = await client.put({ head: { kind: 'test' }, signal: new AbortController().signal });

  const writing = (async () => {
    for (;;) await put.write(new Uint8Array(65_536));
  })();

  await expect(writing).rejects.toMatchObject({ code: 'failed_precondition', hint: 'look' });
});

test('the owner learns of a sender that left, and the sender of an owner that died', async () => {
  let lost = 0;
  const { client, server } = await setUp(() => ({ bytes: () => undefined, end: () => {}, lost: () => lost++ }));
  const controller = new AbortController();
  const first = await client.put({ head: { kind: 'test' }, signal: controller.signal });
  await first.write(new Uint8Array(10));
  const second = await client.put({ head: { kind: 'test' }, signal: new AbortController().signal });
  await second.write(new Uint8Array(10));

  controller.abort();
  await until('the owner knows', () => lost === 1);
  await server.close();

  await expect(second.end({ isCut: false })).rejects.toMatchObject({ code: 'unavailable' });
  expect(lost).toBe(2);
});
