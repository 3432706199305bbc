import { open } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { LaneEvent } from '../../../storage/lane/index.ts';
import { readCluster } from '../../../storage/media/index.ts';
import { cluster, footage, fragment, head } from '../../kit/producer-media.ts';
import { until } from '../../kit/until.ts';
import { startPutMedia } from './put-media-kit.ts';

/** Numbers of the pictures with which a lane begins: what lies in the file, then what was on its way there. */
async function numbersOf({ from }: Extract<LaneEvent, { kind: 'joined' }>): Promise<number[]> {
  if (from === undefined) return [];
  const inFile = Buffer.alloc(from.joinOffset - from.clusterOffset);
  if (inFile.length > 0) {
    const file = await open(from.path, 'r');
    onTestFinished(() => file.close());
    await file.read(inFile, 0, inFile.length, from.clusterOffset);
  }
  const bytes = Buffer.concat([inFile, from.tail]);
  return readCluster(bytes).blocks.map(({ begin }) => bytes.readUInt32BE(begin + 5));
}

test('viewers see a fragment while it arrives, join in the middle of one, and follow the newest connection', async () => {
  const { produce, client, streamId, states } = await startPutMedia();
  const [first, second, third] = footage({ beginTimecode: 1_795_263_502_114, fragments: 3 });
  if (first === undefined || second === undefined || third === undefined) return expect.fail();
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const seen: number[] = [];
  const kinds: string[] = [];
  const times: number[] = [];
  const watch = async () => {
    const options = { onOverflow: 'drop-to-key-frame', bytesMax: 8_000_000, signal: abort.signal } as const;
    for await (const event of client.subscribe(streamId, options)) {
      if (event.kind !== 'unit') kinds.push(event.kind);
      if (event.kind === 'joined') seen.push(...(await numbersOf(event)));
      if (event.kind === 'unit') {
        seen.push(Buffer.from(event.unit.bytes).readUInt32BE(5));
        times.push(event.unit.producerTimestampMs ?? 0);
      }
    }
  };
  const producer = await produce();
  const bytes = Buffer.concat([head(), fragment(first)]);
  // Up to the middle of its fourth picture.
  const middle = bytes.length - 120;
  await producer.send(bytes.subarray(0, middle));
  await producer.untilTold('BUFFERING', 1);

  const watching = watch();
  await until('it joined', () => kinds.length > 0);
  await producer.send(bytes.subarray(middle));
  await until('all of it is seen', () => seen.length === 5);
  const next = fragment(second);
  await producer.send(next.subarray(0, next.length - 120));
  await until('a fragment that is not whole is seen', () => seen.length >= 8);
  await producer.send(next.subarray(next.length - 120));
  const fresh = await produce();
  await fresh.send(Buffer.concat([head(), cluster(third)]));
  await until('the newest connection is seen', () => seen.length === 15);
  const state = states.get(streamId);
  producer.end();
  fresh.end();
  await until('it is over', () => kinds.includes('ended'));

  expect(seen).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
  expect(kinds).toEqual(['joined', 'session', 'ended']);
  expect(times.at(-1)).toBe(third.timecode + 160);
  expect(state).toMatchObject({ state: 'live', isRecording: true, tracks: [{ codec: 'h264' }] });
  abort.abort();
  await watching;
});
