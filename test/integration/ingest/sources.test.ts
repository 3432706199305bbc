import { expect, test } from 'vitest';
import type { PlannedSource } from '../../../storage/model/camera.ts';
import { type GstCamera, startGstCamera } from '../../kit/gst-camera.ts';
import { recordingPolicy } from '../../kit/plans.ts';
import { until } from '../../kit/until.ts';
import { ledgerLines, numbersIn, plannedOf, planOf, sourceOf, startIngest, storedFiles } from './ingest-kit.ts';

const small = { widthPixels: 320, heightPixels: 180, kilobitsPerSecond: 150 } as const;

function plannedFrom(camera: GstCamera, facts: Partial<PlannedSource>): PlannedSource {
  return plannedOf(sourceOf(camera), facts);
}

/** Producer times of a stream's fragments by the number of their first picture. */
async function producerTimes(paths: Parameters<typeof storedFiles>[0], streamId: string): Promise<Map<number, number>> {
  const times = new Map<number, number>();
  for (const file of await storedFiles(paths, streamId)) {
    const numbers = await numbersIn([file]);
    let at = 0;
    for (const fragment of file.fragments) {
      const number = numbers[at];
      if (number !== undefined) times.set(number, fragment.producerTimestampMs);
      at += fragment.tracks[0]?.samples ?? 0;
    }
  }
  return times;
}

test('main and sub are recorded side by side; sender reports give the same picture the same producer time in both', async () => {
  const epochMs = Date.now();
  const main = await startGstCamera({ epochMs });
  const sub = await startGstCamera({ ...small, gopFrames: 40, epochMs });
  const { ingest, paths, states } = await startIngest();

  await ingest.apply(
    planOf(
      plannedFrom(main, { streamId: 'main', role: 'main' }),
      plannedFrom(sub, { streamId: 'sub', role: 'sub', recording: recordingPolicy() }),
    ),
  );
  const isStored = async (streamId: string) => (await producerTimes(paths, streamId)).size >= 8;
  await until('both are stored', async () => (await isStored('main')) && (await isStored('sub')), 60_000);
  const state = await until(
    'the offset is told',
    () => states.get('sub')?.mainOffsetMs !== undefined && states.get('sub'),
  );
  await ingest.close();

  expect(states.get('main')).not.toHaveProperty('mainOffsetMs', expect.any(Number));
  expect(Math.abs(state.mainOffsetMs ?? Number.NaN)).toBeLessThan(1_500);
  const [ofMain, ofSub] = [await producerTimes(paths, 'main'), await producerTimes(paths, 'sub')];
  // Sender reports come some seconds after the first pictures, which have our time until then.
  const [number = 0, producerMs = 0] = [...ofSub].at(-1) ?? [];
  const [mainNumber = 0, mainProducerMs = 0] = [...ofMain].at(-1) ?? [];
  const difference = producerMs - number * 40 - (mainProducerMs - mainNumber * 40);
  expect(Math.abs(difference)).toBeLessThanOrEqual(80);
});

test('a sub source that is live only has live media and states, and nothing of it is missed', async () => {
  const main = await startGstCamera();
  const sub = await startGstCamera(small);
  const { ingest, paths, states } = await startIngest();

  await ingest.apply(
    planOf(
      plannedFrom(main, { streamId: 'main' }),
      plannedFrom(sub, { streamId: 'sub', role: 'sub', recording: recordingPolicy({ mode: 'live' }) }),
    ),
  );
  await until('both are live', () => ['main', 'sub'].every((id) => states.get(id)?.state === 'live'));
  await until('the main source is recorded', () => states.get('main')?.isRecording === true);
  await ingest.close();

  expect(states.get('sub')?.isRecording).toBe(false);
  const wanted = (await ledgerLines(paths)).filter((line) => line.kind === 'wanted' || line.kind === 'unwanted');
  expect(wanted.map((line) => [line.streamId, line.kind])).toEqual([
    ['main', 'wanted'],
    ['sub', 'unwanted'],
  ]);
});
