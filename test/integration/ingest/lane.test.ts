import { open } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { LaneEvent, LaneUnit } from '../../../storage/lane/index.ts';
import { readCluster } from '../../../storage/media/index.ts';
import { startGstCamera } from '../../kit/gst-camera.ts';
import { until } from '../../kit/until.ts';
import { plannedOf, planOf, sourceOf, startIngest, storedFiles, streamId } from './ingest-kit.ts';

type Seen = { trackNumber: number; timeUs: number; byteLength: number };

/** The bytes of a lane's beginning: what lies in the file, then what was on its way there. */
async function beginningOf(event: Extract<LaneEvent, { kind: 'joined' }>): Promise<Seen[]> {
  const { from } = event;
  if (from === undefined) return [];
  const file = await open(from.path, 'r');
  onTestFinished(() => file.close());
  const inFile = Buffer.alloc(from.joinOffset - from.clusterOffset);
  await file.read(inFile, 0, inFile.length, from.clusterOffset);
  const { timecode, blocks } = readCluster(Buffer.concat([inFile, from.tail]));
  return blocks.map(({ trackNumber, relative, begin, end }) => ({
    trackNumber,
    timeUs: (timecode + relative) * 1_000 + from.sessionOffsetUs,
    byteLength: end - begin,
  }));
}

const seenOf = (unit: LaneUnit): Seen => ({
  trackNumber: unit.trackNumber,
  timeUs: unit.presentationTimeUs,
  byteLength: unit.bytes.length,
});

test('lanes that join at any moment begin in the journal and go on live, without a missing or doubled unit', async () => {
  const camera = await startGstCamera({ audio: 'aac', gopFrames: 50 });
  const { ingest, paths, client } = await startIngest();
  await ingest.apply(planOf(plannedOf(sourceOf(camera))));
  await until('it records', async () => (await storedFiles(paths)).length > 0);
  const abort = new AbortController();
  const lanes: { begun: Seen[]; live: LaneUnit[]; isFromJournal: boolean; kinds: string[] }[] = [];

  const join = async () => {
    const lane = { begun: [] as Seen[], live: [] as LaneUnit[], isFromJournal: false, kinds: [] as string[] };
    lanes.push(lane);
    const options = { onOverflow: 'drop-to-key-frame', bytesMax: 8_000_000, signal: abort.signal } as const;
    for await (const event of client.subscribe(streamId, options)) {
      lane.kinds.push(event.kind);
      if (event.kind === 'joined') {
        lane.isFromJournal = event.from !== undefined;
        lane.begun = await beginningOf(event);
      } else if (event.kind === 'unit') lane.live.push(event.unit);
    }
  };
  const joins: Promise<void>[] = [];
  for (let i = 0; i < 25; i++) {
    joins.push(join());
    const due = lanes[0];
    const count = due?.live.length ?? 0;
    await until('some more units', () => (due?.live.length ?? 0) >= count + 9);
  }
  await until('the last lane is live', () => (lanes.at(-1)?.live.length ?? 0) > 100);
  abort.abort();
  await Promise.all(joins);
  await ingest.close();

  expect(lanes.filter((lane) => lane.isFromJournal).length).toBeGreaterThan(15);
  const reference = lanes[0]?.live ?? [];
  for (const lane of lanes) {
    expect(lane.kinds.filter((kind) => kind !== 'unit' && kind !== 'joined')).toEqual([]);
    const all = [...lane.begun, ...lane.live.map(seenOf)];
    for (const trackNumber of [1, 2]) {
      const own = all.filter((unit) => unit.trackNumber === trackNumber);
      // Units in the file have times rounded to milliseconds.
      const from = reference.filter((unit) => unit.trackNumber === trackNumber).map(seenOf);
      const at = from.findIndex((unit) => Math.abs(unit.timeUs - (own[0]?.timeUs ?? 0)) <= 501);
      if (at < 0) continue;
      const count = Math.min(own.length, from.length - at);
      expect(count).toBeGreaterThan(20);
      for (let i = 0; i < count; i++) {
        expect(own[i]?.byteLength).toBe(from[at + i]?.byteLength);
        expect(Math.abs((own[i]?.timeUs ?? 0) - (from[at + i]?.timeUs ?? 0))).toBeLessThanOrEqual(501);
      }
    }
  }
});

test('a lane of a camera that is not there yet is joined, and its session begins with a key frame', async () => {
  const camera = await startGstCamera({});
  await camera.kill();
  const { ingest, client, states } = await startIngest();
  await ingest.apply(planOf(plannedOf(sourceOf(camera))));
  await until('it retries', () => states.get(streamId)?.state === 'retrying');
  const events: LaneEvent[] = [];
  void (async () => {
    const options = { onOverflow: 'newest-wins', bytesMax: 8_000_000 } as const;
    for await (const event of client.subscribe(streamId, options)) events.push(event);
  })();
  await until('joined', () => events.length > 0);

  await camera.restart();
  await until('units', () => events.filter((event) => event.kind === 'unit').length > 10);
  await ingest.apply(planOf());
  await until('the lane is over', () => events.at(-1)?.kind === 'ended');

  expect(events[0]).toMatchObject({ kind: 'joined', tracks: [], from: undefined });
  expect(events[1]).toMatchObject({ kind: 'session' });
  const [first] = events.filter((event) => event.kind === 'unit');
  expect(first?.unit.isKey).toBe(true);
  expect(events.at(-1)).toEqual({ kind: 'ended', reason: 'camera-removed' });
});
