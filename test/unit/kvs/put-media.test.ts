import { expect, test } from 'vitest';
import { ackLine, Unfinished } from '../../../gateway/kvs/put-media/acks.ts';
import { inputOfHeaders, wishOf } from '../../../gateway/kvs/put-media/request.ts';
import type { Ack } from '../../../gateway/put-media/index.ts';
import { isAppError } from '../../../storage/base/errors.ts';

const usual = { 'x-amzn-fragment-timecode-type': 'ABSOLUTE', 'x-amzn-producer-start-timestamp': '0' };

function wish(headers: Readonly<Record<string, string>>) {
  const all: Readonly<Record<string, string>> = { ...usual, ...headers };
  return wishOf(inputOfHeaders((name) => all[name]));
}

test.each([
  ['1711124585', 1_711_124_585_000],
  ['1711124585.823', 1_711_124_585_823],
  ['1711124585.5', 1_711_124_585_500],
  ['1711124585.05', 1_711_124_585_050],
  ['1711124585.8239999', 1_711_124_585_823],
  ['0', 0],
  ['2024-03-22T16:23:05Z', 1_711_124_585_000],
  ['2024-03-22T16:23:05.823Z', 1_711_124_585_823],
  ['2024-03-22T17:23:05.823+01:00', 1_711_124_585_823],
])('(37) a start of %s', (text, ms) => {
  expect(wish({ 'x-amzn-producer-start-timestamp': text }).producerStartMs).toBe(ms);
});

test('(37) the C producer, told by its header, prints milliseconds without leading zeros', () => {
  const ofC = (text: string) =>
    wish({ 'x-amzn-producer-start-timestamp': text, 'x-amzn-fragment-acknowledgment-required': '1' }).producerStartMs;

  expect(ofC('1711124585.5')).toBe(1_711_124_585_005);
  expect(ofC('1711124585.50')).toBe(1_711_124_585_050);
  expect(ofC('1711124585.823')).toBe(1_711_124_585_823);
});

test.each(['', 'yesterday', '-1', '1e9', '1711124585.', '999999999999', '2024-03-22', '2024-13-22T16:23:05Z'])(
  '(37) a start of "%s" is refused',
  (text) => {
    try {
      wish({ 'x-amzn-producer-start-timestamp': text });
    } catch (error) {
      expect(isAppError(error, 'invalid_argument')).toBe(true);
      return;
    }
    expect.fail('it is taken');
  },
);

test('(62) acknowledgements are wanted unless they are not', () => {
  expect(wish({}).wantsAcks).toBe(true);
  expect(wish({ 'x-amzn-fragment-acknowledgment-required': '1' }).wantsAcks).toBe(true);
  expect(wish({ 'x-amzn-fragment-acknowledgment-required': '0' }).wantsAcks).toBe(false);
});

const number = '91343852333182036507421233921329142742245756394';

test('(40) lines are as the grammar of producers wants them', () => {
  const timecodeMs = 1_795_263_502_114;

  expect(ackLine({ kind: 'persisted', timecodeMs, number })).toBe(
    `{"EventType":"PERSISTED","FragmentTimecode":1795263502114,"FragmentNumber":"${number}"}\n`,
  );
  expect(ackLine({ kind: 'idle' })).toBe('{"EventType":"IDLE"}\n');
  expect(ackLine({ kind: 'error', error: 'track-missing', timecodeMs, number })).toBe(
    `{"EventType":"ERROR","FragmentTimecode":1795263502114,"FragmentNumber":"${number}","ErrorId":4011,"ErrorCode":"FRAMES_MISSING_FOR_TRACK"}\n`,
  );
  expect(ackLine({ kind: 'error', error: 'internal' })).toBe(
    '{"EventType":"ERROR","ErrorId":5000,"ErrorCode":"INTERNAL_ERROR"}\n',
  );
});

test('an owner that dies leaves the oldest fragment to be sent again that was not told to be stored', () => {
  const told = (kind: 'buffering' | 'received' | 'persisted', timecodeMs: number): Ack => ({
    ...{ kind, timecodeMs },
    number: number.replace(/4$/, String(timecodeMs)),
  });
  const kept = new Unfinished('persisted');
  const ring = new Unfinished('received');
  for (const book of [kept, ring]) {
    for (const timecode of [1, 2, 3]) book.note(told('buffering', timecode));
    for (const timecode of [1, 2]) book.note(told('received', timecode));
    book.note(told('persisted', 1));
  }

  expect(kept.internalError()).toMatchObject({ kind: 'error', error: 'internal', timecodeMs: 2 });
  expect(ring.internalError()).toMatchObject({ timecodeMs: 3 });
  expect(new Unfinished('persisted').internalError()).toEqual({ kind: 'error', error: 'internal' });
});
