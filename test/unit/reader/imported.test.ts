import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { fragmentNumber, fragmentNumberParts } from '../../../storage/model/fragment-number.ts';
import { StreamReader } from '../../../storage/reader/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { facts, runStartServerMs, startWriter, streamId, writeBlocks } from '../journal/kit.ts';

const secondMs = 1_000;

/** Writes a run with a fragment of 2 s at each of these seconds, and finishes it. */
async function run(
  root: string,
  options: { readonly firstCounter: number; readonly seconds: readonly number[]; readonly isImported?: boolean },
): Promise<string> {
  const { firstCounter, seconds, isImported = false } = options;
  const { writer, finishedDirectory } = await startWriter(root, {
    runId: firstCounter.toString(16).padStart(32, '0'),
    ...(isImported ? { runReason: 'import' } : {}),
  });
  for (const [i, second] of seconds.entries()) {
    const serverTimestampMs = runStartServerMs + second * secondMs;
    const counter = firstCounter + i;
    const times = { serverTimestampMs, producerTimestampMs: serverTimestampMs, mediaTimeMs: i * 2 * secondMs };
    writer.begin({ number: fragmentNumber(counter, serverTimestampMs, 0), counter, ...times });
    writeBlocks(writer, i + 1, [160, 160]);
    writer.commit(facts(i + 1, [160, 160]));
  }
  await writer.end('source-closed');
  return finishedDirectory;
}

test('footage brought in later lies between what was recorded, by time, whatever its numbers and the limit', async () => {
  const root = await temporaryDirectory();
  await run(root, { firstCounter: 100, seconds: [0, 2, 10, 12] });
  await run(root, { firstCounter: 200, seconds: [14, 16] });
  await run(root, { firstCounter: 300, seconds: [4, 6, 8], isImported: true });
  const journalFinished = await run(root, { firstCounter: 400, seconds: [-6, -4], isImported: true });
  const reader = new StreamReader({
    clock: systemClock,
    log: silentLog,
    paths: { journalOpen: join(root, 'open'), journalFinished },
  });
  const counters = async (limit?: number) => {
    const span = { beginMs: runStartServerMs - 10 * secondMs, endMs: runStartServerMs + 60 * secondMs };
    const found = await reader.fragmentsBetween(streamId, limit === undefined ? span : { ...span, limit });
    return found.map(({ fragment }) => fragmentNumberParts(fragment.number).counter);
  };
  const byTime = [400, 401, 100, 101, 300, 301, 302, 102, 103, 200, 201];

  expect(await counters()).toEqual(byTime);
  for (const limit of [1, 3, 5, 8]) expect(await counters(limit)).toEqual(byTime.slice(0, limit));
  expect(fragmentNumberParts((await reader.latest(streamId))?.fragment.number ?? fragmentNumber(1, 0, 0)).counter).toBe(
    201,
  );
  const after = await reader.fragmentsAfter(streamId, undefined);
  expect(after.map(({ fragment }) => fragmentNumberParts(fragment.number).counter)).toEqual(
    byTime.toSorted((a, b) => a - b),
  );
});
