import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { startGstCamera } from '../../kit/gst-camera.ts';
import { cluster, element, footage, fragment, head, openElement, pictures } from '../../kit/producer-media.ts';
import { until } from '../../kit/until.ts';
import { numbersIn, plannedOf, planOf, sourceOf, storedFiles } from '../ingest/ingest-kit.ts';
import { startPutMedia } from './put-media-kit.ts';

const good = fragment(footage({ beginTimecode: 5, fragments: 1 })[0] ?? expect.fail());

/** Bodies that no producer sends, without an end. */
const bodies: Readonly<Record<string, () => Uint8Array>> = {
  noise: () => randomBytes(65_536),
  'noise behind a good head': () => Buffer.concat([head(), good, randomBytes(65_536)]),
  'a head without an end': () => element('ec', Buffer.alloc(60_000)),
  'voids without an end': () => Buffer.concat([head(), good, Buffer.alloc(60_000, Buffer.from('ec80', 'hex'))]),
  'a frame of a gigabyte': () =>
    Buffer.concat([head(), openElement('1f43b675'), Buffer.from('e78101a30840000000', 'hex')]),
  'clusters of a few bytes': () =>
    Buffer.concat([
      head(),
      ...Array.from({ length: 2_000 }, (_, i) => cluster(pictures({ timecode: i + 1, firstId: 1, count: 1 }))),
    ]),
  'frames that are cut off': () => Buffer.concat([head(), good.subarray(0, good.length - 30), good]),
};

test('uploads that are broken, endless or hostile cost their own connection, and a camera beside them loses no picture', async () => {
  const { produce, ingest, planned, paths, clusters, log } = await startPutMedia({
    quotas: { connectionsOfStreamMax: 8 },
  });
  const camera = await startGstCamera({ gopFrames: 25 });
  const cameraPlan = plannedOf(sourceOf(camera), { streamId: 'camera', cameraId: 'camera' });
  await ingest.apply(planOf(planned, cameraPlan));
  const files = () => until('files lie still', () => storedFiles(paths, 'camera'));
  const recorded = async () => (await files()).flatMap(({ fragments }) => fragments).length;
  await until('the camera is recorded', async () => (await recorded()) > 1);
  const used = process.memoryUsage().rss;

  const ended: string[] = [];
  const attack = async (name: string, body: () => Uint8Array) => {
    for (let round = 0; round < 3; round++) {
      const producer = await produce();
      onTestFinished(() => void producer.socket.destroy());
      const bytes = body();
      for (let sent = 0; sent < 6 && !producer.isEnded && producer.told('ERROR').length === 0; sent++) {
        await producer.send(bytes).catch(() => {});
      }
      producer.end();
      await until(`${name} ends: ${producer.text.slice(-300)}`, () => producer.isEnded);
      ended.push(name);
    }
  };
  await Promise.all(Object.entries(bodies).map(([name, body]) => attack(name, body)));
  const after = await recorded();
  await until('the camera is recorded on', async () => (await recorded()) > after + 1);
  const honest = await produce();
  await honest.send(Buffer.concat([head(), good]));
  honest.end();
  await until('an honest producer is served', () => honest.isEnded);
  await ingest.close();

  expect(ended).toHaveLength(3 * Object.keys(bodies).length);
  expect(honest.told('PERSISTED')).toHaveLength(1);
  expect((await clusters()).at(-1)).toEqual(good);
  const numbers = await numbersIn(await files());
  expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] ?? 0) + i));
  expect(process.memoryUsage().rss - used).toBeLessThan(400_000_000);
  expect(log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});
