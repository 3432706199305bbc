/** Figures of all sources, asked for every ten seconds, whoever of the processes answers. */

import { expect, onTestFinished, test } from 'vitest';
import { HealthBook } from '../../../appliance/health/index.ts';
import { appError } from '../../../storage/base/errors.ts';
import { createLog } from '../../../storage/base/log.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const log = createLog({ level: 'error', destination: { write: () => {} } });

function startBook(answers: Readonly<Record<string, () => unknown>>) {
  const clock = new SimulatedClock();
  const ingests = new Map(
    Object.entries(answers).map(([name, answer]) => [name, { request: async () => answer() }] as const),
  );
  const book = new HealthBook({ clock, log, ingests, clockOf: () => ({ offsetMs: -12, driftPpm: undefined }) });
  onTestFinished(() => book.close());
  book.start();
  return { book, clock };
}

test('what counters grew by is told, and one process away costs only its own streams', async () => {
  let asked = 0;
  const { book, clock } = startBook({
    'ingest-0': () => {
      asked++;
      return [{ streamId: 'aaaa', bytes: asked * 125_000, units: asked * 250, packetsLost: 0 }];
    },
    'ingest-1': () => {
      throw appError('unavailable', 'it is away', {});
    },
  });

  await clock.advance(35_000);

  const nowMs = clock.wallMs();
  const told = book.of('aaaa')?.between(nowMs - 60_000, nowMs);
  expect(told?.bitsPerSecond.filter((value) => value !== null).length).toBeGreaterThanOrEqual(2);
  expect(told?.framesPerSecond.at(-1)).toBeCloseTo(25, 0);
  expect(told?.clockOffsetMs.at(-1)).toBe(-12);
  expect(book.of('bbbb')).toBeUndefined();
});

test('an answer that is none is left out', async () => {
  const { book, clock } = startBook({ 'ingest-0': () => ({ streamId: 7 }) });

  await clock.advance(25_000);

  expect(book.of('aaaa')).toBeUndefined();
});

test('a stream that nobody told of for six hours is forgotten', async () => {
  let isThere = true;
  const { book, clock } = startBook({
    'ingest-0': () => (isThere ? [{ streamId: 'aaaa', bytes: 1, units: 1, packetsLost: 0 }] : []),
  });
  await clock.advance(15_000);
  isThere = false;

  await clock.advance(6.1 * 3_600_000);

  expect(book.of('aaaa')).toBeUndefined();
});
