import { expect, test } from 'vitest';
import { startGstCamera } from '../../kit/gst-camera.ts';
import { until } from '../../kit/until.ts';
import {
  ledgerLines,
  numbersIn,
  plannedOf,
  planOf,
  probedFrames,
  sourceOf,
  startIngest,
  storedFiles,
  streamId,
} from './ingest-kit.ts';

const isConsecutive = (numbers: readonly number[]) =>
  numbers.every((n, i) => i === 0 || n === (numbers[i - 1] ?? 0) + 1);

async function committedSeconds(paths: Parameters<typeof storedFiles>[0]): Promise<number> {
  const files = await storedFiles(paths);
  return files.flatMap((file) => file.fragments).reduce((sum, fragment) => sum + fragment.durationMs, 0) / 1_000;
}

test('twenty seconds of a real camera are stored frame by frame, with sound, and ffprobe finds every one', async () => {
  const camera = await startGstCamera({ audio: 'aac', gopFrames: 50 });
  const { ingest, paths, states } = await startIngest();

  await ingest.apply(planOf(plannedOf(sourceOf(camera))));
  await until('20 s are committed', async () => (await committedSeconds(paths)) >= 20, 60_000);
  expect(states.get(streamId)).toMatchObject({ state: 'live', isRecording: true, runsLastHour: 1 });
  expect(states.get(streamId)?.reason).toBeUndefined();
  await ingest.close();

  const files = await storedFiles(paths);
  expect(files.every((file) => file.path.startsWith(paths.journalFinished))).toBe(true);
  const numbers = await numbersIn(files);
  expect(numbers.length).toBeGreaterThanOrEqual(500);
  expect(isConsecutive(numbers)).toBe(true);
  for (const file of files) {
    const samples = [1, 2].map((trackNumber) =>
      file.fragments.reduce((sum, f) => sum + (f.tracks.find((t) => t.trackNumber === trackNumber)?.samples ?? 0), 0),
    );
    expect(await probedFrames(file.path)).toEqual(samples);
  }
  const fragments = files.flatMap((file) => file.fragments);
  for (const [i, fragment] of fragments.entries()) {
    const previous = fragments[i - 1];
    if (previous === undefined) continue;
    expect(fragment.mediaTimeMs).toBe(previous.mediaTimeMs + previous.durationMs);
    // Server time leaves a late first arrival behind at up to half speed; it never runs ahead.
    const serverMs = fragment.serverTimestampMs - previous.serverTimestampMs;
    expect(serverMs).toBeLessThanOrEqual(previous.durationMs + 2);
    expect(serverMs).toBeGreaterThanOrEqual(previous.durationMs / 2 - 2);
    expect(fragment.number > previous.number).toBe(true);
  }
  expect((await ledgerLines(paths)).map((line) => line.kind)).toEqual(['wanted', 'run-began', 'run-ended']);
});

test('a camera that is killed and comes back gives another run, and the ledger says why seconds are missing', async () => {
  const camera = await startGstCamera({ audio: 'pcma' });
  const { ingest, paths, states } = await startIngest();
  await ingest.apply(planOf(plannedOf(sourceOf(camera))));
  await until('3 s are committed', async () => (await committedSeconds(paths)) >= 3);

  await camera.kill();
  await until('the state says why', () => states.get(streamId)?.state === 'retrying');
  const retrying = states.get(streamId);
  await camera.restart();
  await until('it is live again', () => states.get(streamId)?.state === 'live');
  const before = await committedSeconds(paths);
  await until('3 s more are committed', async () => (await committedSeconds(paths)) >= before + 3);
  await ingest.close();

  expect(['source-closed', 'refused']).toContain(retrying?.reason);
  expect(retrying?.hint).toBeTypeOf('string');
  const files = await storedFiles(paths);
  const runIds = [...new Set(files.map((file) => file.head.runId))];
  expect(runIds).toHaveLength(2);
  for (const runId of runIds) {
    expect(isConsecutive(await numbersIn(files.filter((file) => file.head.runId === runId)))).toBe(true);
  }
  const ledger = await ledgerLines(paths);
  expect(ledger.filter((line) => line.kind === 'run-ended')).toMatchObject([
    { reason: 'source-closed' },
    { reason: 'shutdown' },
  ]);
  expect(ledger.map((line) => line.kind)).toContain('waiting');
  expect(files.at(-1)?.head.runReason).toBe('source-closed');
});

test('sound that vanishes is left out and taken in again, and no picture is missing', async () => {
  const camera = await startGstCamera({ audio: 'aac' });
  const { ingest, paths } = await startIngest();
  const runs = async () => [...new Map((await storedFiles(paths)).map(({ head }) => [head.runId, head])).values()];
  await ingest.apply(planOf(plannedOf(sourceOf(camera))));
  await until('a run with sound', async () => (await committedSeconds(paths)) >= 2);

  await camera.stopAudio();
  await until('a run without sound', async () => (await runs()).length === 2);
  await camera.startAudio();
  await until('a run with sound again', async () => (await runs()).length === 3);
  const before = await committedSeconds(paths);
  await until('it goes on', async () => (await committedSeconds(paths)) >= before + 2);
  await ingest.close();

  const heads = await runs();
  expect(heads.map((head) => head.tracks.length)).toEqual([2, 1, 2]);
  expect(heads.map((head) => head.runReason)).toEqual(['connecting', 'track-silent', 'track-returned']);
  expect(isConsecutive(await numbersIn(await storedFiles(paths)))).toBe(true);
});

test('sound that is described and never comes does not hold up the picture', async () => {
  const camera = await startGstCamera({ audio: 'aac', isAudioStopped: true });
  const { ingest, paths } = await startIngest();

  await ingest.apply(planOf(plannedOf(sourceOf(camera))));
  await until('it records', async () => (await committedSeconds(paths)) >= 2);
  await ingest.close();

  // GStreamer may let a first frame through.
  expect((await storedFiles(paths)).at(-1)?.head.tracks.map((track) => track.kind)).toEqual(['video']);
  expect(isConsecutive(await numbersIn(await storedFiles(paths)))).toBe(true);
});
