/** What native producers were seen to do, sent again byte by byte. */

import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { footage, fragment, head } from '../../kit/producer-media.ts';
import { until } from '../../kit/until.ts';
import { startPutMedia } from './put-media-kit.ts';

const media = footage({ beginTimecode: 0, fragments: 3 }).map(fragment);
const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = media;
const half = second.length >> 1;

test('(58) who goes on in the middle after the connection broke is told to send it again, and nothing is lost', async () => {
  const { produce, clusters } = await startPutMedia();
  const broken = await produce();
  await broken.send(Buffer.concat([head(), first, second.subarray(0, half)]));
  await broken.untilTold('PERSISTED', 1);
  broken.socket.destroy();

  const confused = await produce();
  await confused.send(second.subarray(half));
  await confused.untilTold('ERROR', 1);
  const anew = await produce();
  await anew.send(Buffer.concat([head(), ...media.slice(1)]));
  anew.end();
  await anew.untilTold('PERSISTED', 2);

  expect(confused.acks).toEqual([{ EventType: 'ERROR', ErrorId: 4000, ErrorCode: 'STREAM_READ_ERROR' }]);
  expect(await clusters()).toHaveLength(3);
});

test('an upload goes on past the time that other requests have', { timeout: 90_000 }, async () => {
  const { produce } = await startPutMedia();
  const producer = await produce();
  await producer.send(Buffer.concat([head(), first]));

  // A request's last byte is due after 30 s.
  for (let second = 0; second < 33 && !producer.isEnded; second++) {
    await systemClock.sleep(1_000);
    if (second % 5 === 0) await producer.send(Buffer.from('ec80', 'hex'));
  }
  await producer.send(Buffer.concat(media.slice(1)));
  producer.end();
  await until('the answer has ended', () => producer.isEnded);

  expect(producer.isWhole).toBe(true);
  expect(producer.acks.filter(({ EventType }) => EventType === 'PERSISTED')).toHaveLength(3);
});
