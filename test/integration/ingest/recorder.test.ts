import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type JournalPlace, Recorder } from '../../../gateway/record/index.ts';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { ByteBudget, Durability, readSegment } from '../../../storage/journal/index.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { Hint } from '../../../storage/model/hint.ts';
import type { LedgerLine } from '../../../storage/model/ledger.ts';
import { limits } from '../../../storage/model/limits.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { unitOf, video } from '../../unit/record/fragment-checker.ts';

type Facts = { budgetBytes?: number; sync?: () => Promise<void>; numbers?: () => void };

async function startRecorder(facts: Facts = {}) {
  const root = await temporaryDirectory();
  const clock = new SimulatedClock();
  const durability = new Durability(
    { clock, log: silentLog, syncFileSystem: facts.sync ?? (() => Promise.resolve()) },
    { directory: root, periodMs: 100 },
  );
  const place: JournalPlace = {
    root,
    openDirectory: join(root, 'open', 'ingest-0.1'),
    finishedDirectory: join(root, 'finished'),
    isPlaceExpected: false,
    durability,
  };
  const budget = new ByteBudget(facts.budgetBytes ?? 64 << 20);
  const ledger: LedgerLine[] = [];
  const hints: Hint[] = [];
  const failures: string[] = [];
  let counter = 0;
  let runs = 0;
  const isBlocked = { value: false };
  const better: { place: JournalPlace | undefined } = { place: undefined };
  const recorder = new Recorder(
    {
      ...{ clock, log: silentLog, budget },
      numbers: {
        next: (serverTimestampMs) => {
          facts.numbers?.();
          return { number: fragmentNumber(++counter, serverTimestampMs, 0), counter };
        },
      },
      places: {
        pick: () => (isBlocked.value ? undefined : (better.place ?? place)),
        failed: (_, reason) => failures.push(reason),
        succeeded: () => {},
        hasBetterThan: (current) => better.place !== undefined && current !== better.place,
      },
      ledger: { add: (line) => ledger.push(line) },
      onHint: (hint) => hints.push(hint),
      onChange: () => {},
      createRunId: () => String(++runs).padStart(32, '0'),
    },
    { streamId: 's1', segmentOffsetMs: 0 },
  );
  onTestFinished(async () => {
    const closing = recorder.close('shutdown');
    await clock.advance(1_000);
    await closing;
  });
  let sentMs = 0;
  /** Video of 25 frames a second, a key frame a second, as time passes. */
  const send = async (durationMs: number, byteLength = 1_000) => {
    for (const endMs = sentMs + durationMs; sentMs < endMs; sentMs += 40) {
      recorder.unit(
        unitOf({
          track: video,
          timeMs: sentMs,
          receivedMs: clock.monotonicMs(),
          isKey: sentMs % 1_000 === 0,
          byteLength,
        }),
      );
      if (sentMs % 200 === 0) recorder.tick();
      await clock.advance(40);
    }
  };
  const ends = () => ledger.flatMap((line) => (line.kind === 'run-ended' ? [line.reason] : []));
  const finished = async () => {
    const paths = hints.flatMap((hint) => (hint.kind === 'finished' ? [hint.finishedPath] : []));
    const segments = await Promise.all(paths.map((path) => readSegment(path)));
    return segments.sort((a, b) => a.firstCounter - b.firstCounter);
  };
  return { recorder, clock, ledger, hints, failures, send, ends, finished, isBlocked, better, place, budget };
}

test('a run has the server time of its beginning and follows the wall clock slowly', async () => {
  const { recorder, clock, send, finished } = await startRecorder();
  const beganMs = clock.wallMs();
  recorder.session([video], 'source-closed');

  await send(3_000);
  clock.stepWall(1_000);
  await send(3_000);
  const closing = recorder.close('shutdown');
  await clock.advance(1_000);
  await closing;

  const [segment] = await finished();
  const offsets = segment?.fragments.map((each) => each.serverTimestampMs - beganMs - each.mediaTimeMs);
  expect(segment?.runStartServerMs).toBe(beganMs);
  expect(offsets?.slice(0, 3)).toEqual([0, 0, 0]);
  expect(offsets?.at(-1)).toBeGreaterThan(0);
  expect(offsets?.at(-1)).toBeLessThanOrEqual(2);
});

test('a wall clock that is set ends the run at the next key frame, and not one unit is lost', async () => {
  const { recorder, clock, send, ends, finished } = await startRecorder();
  recorder.session([video], 'source-closed');

  await send(2_400);
  clock.stepWall(-3_600_000);
  await send(2_000);
  clock.stepWall(7_200_000);
  await send(2_000);
  const closing = recorder.close('shutdown');
  await clock.advance(1_000);
  await closing;

  expect(ends()).toEqual(['clock-step', 'clock-step', 'shutdown']);
  const segments = await finished();
  expect(
    segments.flatMap((each) => each.fragments).reduce((sum, each) => sum + (each.tracks[0]?.samples ?? 0), 0),
  ).toBe(160);
  expect(segments.map((each) => each.runReason)).toEqual(['connecting', 'clock-step', 'clock-step']);
  const starts = segments.map((each) => each.runStartServerMs);
  expect((starts[1] ?? 0) - (starts[0] ?? 0)).toBe(3_000 - 3_600_000);
  expect((starts[2] ?? 0) - (starts[1] ?? 0)).toBe(2_000 + 7_200_000);
  expect(recorder.dropped.size).toBe(0);
});

test('a preferred directory that takes writes again has the next run, and not one unit is lost', async () => {
  const { recorder, send, ends, finished, hints, better, place, clock } = await startRecorder();
  recorder.session([video], 'source-closed');
  await send(2_400);

  const finishedDirectory = join(place.root, 'preferred', 'finished');
  better.place = { ...place, openDirectory: join(place.root, 'preferred', 'open'), finishedDirectory };
  await send(2_000);
  const closing = recorder.close('shutdown');
  await clock.advance(1_000);
  await closing;

  expect(ends()).toEqual(['journal-moved', 'shutdown']);
  const samples = (await finished()).map((each) => each.fragments.map(({ tracks }) => tracks[0]?.samples ?? 0));
  expect(samples).toEqual([
    [25, 25, 25],
    [25, 10],
  ]);
  const paths = hints.flatMap((hint) => (hint.kind === 'finished' ? [hint.finishedPath] : []));
  expect(paths.filter((path) => path.startsWith(finishedDirectory))).toHaveLength(1);
});

test('where there are other places nothing is written into one that went away', async () => {
  const { recorder, send, failures, place, better } = await startRecorder();
  better.place = { ...place, openDirectory: join(place.root, 'gone', 'open'), isPlaceExpected: true };
  recorder.session([video], 'source-closed');

  await until('it is told', async () => {
    await send(200);
    return failures.length > 0;
  });

  expect(failures[0]).toBe('write-failed');
  await expect(stat(join(place.root, 'gone'))).rejects.toThrow('ENOENT');
});

test('a used-up budget ends the run as a stalled disk, and recording goes on with a key frame', async () => {
  const { recorder, send, ends, failures } = await startRecorder({ budgetBytes: 1 << 20 });
  recorder.session([video], 'source-closed');

  await send(4_000, 60_000);
  await until('recording goes on', async () => {
    await send(200);
    return recorder.isRunning && recorder.failure === undefined;
  });

  expect(ends().slice(0, 1)).toEqual(['disk-stalled']);
  expect(failures[0]).toBe('disk-stalled');
  expect(recorder.isRunning).toBe(true);
  expect(recorder.failure).toBeUndefined();
  expect(recorder.dropped.get('before-key')).toBeGreaterThan(0);
});

test('a stream that floods a disk that writes nothing takes a quarter of the memory and leaves the rest to others', async () => {
  const { recorder, clock, ends, budget } = await startRecorder({ budgetBytes: limits.recorderBytesMax });
  recorder.session([video], 'source-closed');

  // The disk gets no turn in between.
  for (let i = 0; i < 200; i++) {
    const facts = { timeMs: i * 40, receivedMs: clock.monotonicMs() + i * 40, isKey: i % 10 === 0 };
    recorder.unit(unitOf({ track: video, ...facts, byteLength: 1_000_000 }));
  }

  expect(budget.used).toBeLessThanOrEqual(limits.recorderBytesMax / 4);
  expect(budget.used).toBeGreaterThan(limits.recorderBytesMax / 8);
  expect(ends()).toEqual(['disk-stalled']);
  await recorder.close('shutdown');
  expect(budget.used).toBe(0);
});

test('a failed sync ends the run, and the next one begins when the disk syncs again', async () => {
  let isBroken = false;
  const sync = () => (isBroken ? Promise.reject(appError('data_loss', 'input/output error')) : Promise.resolve());
  const { recorder, send, ends } = await startRecorder({ sync });
  recorder.session([video], 'source-closed');
  await send(3_000);

  // Files are real and the clock is not: time goes on until the disk has told.
  isBroken = true;
  await until('the run ended', async () => {
    await send(200);
    return ends().length > 0;
  });
  isBroken = false;
  await until('another one runs', async () => {
    await send(200);
    return recorder.isRunning && recorder.failure === undefined;
  });

  expect(ends()[0]).toBe('sync-failed');
});

test('without a place to write the state says so, and recording begins by itself when there is one', async () => {
  const { recorder, send, ledger, isBlocked } = await startRecorder();
  isBlocked.value = true;
  recorder.session([video], 'source-closed');

  await send(3_000);
  const failure = recorder.failure;
  isBlocked.value = false;
  await send(3_000);

  expect(failure).toMatchObject({ reason: 'write-failed' });
  expect(ledger.filter((line) => line.kind === 'waiting')).toHaveLength(1);
  expect(recorder.isRunning).toBe(true);
});

test('a stream without a number waits for it and says nothing against the place, where others begin', async () => {
  let hasNumbers = false;
  const numbers = () => {
    if (!hasNumbers) throw appError('unavailable', 'fragment numbers could not be reserved yet');
  };
  const { recorder, send, ends, failures } = await startRecorder({ numbers });
  recorder.session([video], 'source-closed');

  await send(3_000);
  const failure = recorder.failure;
  hasNumbers = true;
  await send(3_000);

  expect(failure).toMatchObject({ message: 'fragment numbers could not be reserved yet' });
  expect(ends()).toContain('write-failed');
  expect(failures).toEqual([]);
  expect(recorder.isRunning).toBe(true);
});

test('a source that begins run after run is slowed down', async () => {
  const { recorder, ledger, clock } = await startRecorder();

  for (let i = 0; i < 100; i++) {
    recorder.session([video], 'time-jump');
    recorder.unit(unitOf({ track: video, timeMs: 0, receivedMs: clock.monotonicMs(), isKey: true }));
    await clock.advance(40);
  }

  expect(ledger.filter((line) => line.kind === 'run-began')).toHaveLength(30);
  expect(recorder.runsLastHour).toBe(30);
});

test('lost packets are a line of the ledger in server time', async () => {
  const { recorder, ledger, clock } = await startRecorder();
  const beganMs = clock.wallMs();
  recorder.session([video], 'source-closed');

  for (let i = 0; i < 50; i++) {
    const isAfterLoss = i === 20;
    if (i < 15 || i >= 20)
      recorder.unit(unitOf({ track: video, timeMs: i * 40, receivedMs: i * 40, isKey: i === 0, isAfterLoss }));
    await clock.advance(40);
  }
  recorder.sessionEnded('connection-lost');

  expect(ledger.filter((line) => line.kind === 'loss')).toEqual([
    {
      kind: 'loss',
      streamId: 's1',
      runId: '1'.padStart(32, '0'),
      beginMs: beganMs + 560,
      endMs: beganMs + 800,
      reason: 'packet-loss',
    },
  ]);
});
