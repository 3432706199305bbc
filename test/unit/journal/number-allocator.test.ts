import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLog } from '../../../storage/base/log.ts';
import { highestJournalCounter, NumberAllocator } from '../../../storage/journal/index.ts';
import { parseFragmentNumber } from '../../../storage/model/fragment-number.ts';
import { limits } from '../../../storage/model/limits.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { startWriter, streamId, writeFragment } from './kit.ts';

async function startAllocator(
  directory: string,
  changes: { clock?: SimulatedClock; knownCounter?: () => Promise<number> } = {},
): Promise<NumberAllocator> {
  const { clock = new SimulatedClock(), ...options } = changes;
  const deps = { clock, log: silentLog, random: () => 0.5 };
  const allocator = new NumberAllocator(deps, { directory, streamId: 's', ...options });
  await allocator.start();
  return allocator;
}

const path = (directory: string) => join(directory, 's.json');

/** The newest generation; between two of them only the older one has its name. */
async function reservedEnd(directory: string): Promise<number> {
  const text = await readFile(path(directory), 'utf8').catch(() => readFile(`${path(directory)}.previous`, 'utf8'));
  return JSON.parse(text).end;
}

test('numbers increase by one within a life and jump to the next block after a restart', async () => {
  const directory = await temporaryDirectory();
  const first = await startAllocator(directory);
  const a = first.next(1_000);
  const b = first.next(500);
  await first.close();

  const c = (await startAllocator(directory)).next(0);

  expect(b.counter).toBe(a.counter + 1);
  expect(b.number > a.number).toBe(true);
  expect(c.counter).toBe(a.counter + limits.numberBlock);
  expect(c.number > b.number).toBe(true);
});

test('blocks follow each other without a pause and are on disk before they are used', async () => {
  const directory = await temporaryDirectory();
  const allocator = await startAllocator(directory);
  const first = allocator.next(0).counter;

  for (let i = 1; i < 3 * limits.numberBlock; i++) {
    const { counter } = await until('a number is reserved', () => {
      try {
        return allocator.next(0);
      } catch {
        return undefined;
      }
    });
    expect(counter).toBe(first + i);
    if (i % 250 === 0) expect(await reservedEnd(directory)).toBeGreaterThan(counter);
  }
  await allocator.close();
});

test('a clock that stepped back does not take numbers back', async () => {
  const directory = await temporaryDirectory();
  const clock = new SimulatedClock();
  const before = (await startAllocator(directory, { clock })).next(clock.wallMs());
  clock.stepWall(-10 * 365 * 86_400_000);

  const after = (await startAllocator(directory, { clock })).next(clock.wallMs());

  expect(after.number > before.number).toBe(true);
});

test('a stream that other recording processes had meanwhile goes on above their numbers, whatever the clock says', async () => {
  const state = await temporaryDirectory();
  const numbersOf = (ingest: string) => join(state, ingest, 'numbers');
  const clock = new SimulatedClock();
  const own = (await startAllocator(numbersOf('ingest-0'), { clock })).next(0);
  clock.stepWall(365 * 86_400_000);
  const others = (await startAllocator(numbersOf('ingest-1'), { clock })).next(0);
  clock.stepWall(-2 * 365 * 86_400_000);
  await writeFile(join(state, 'plan.json'), '{}');

  const again = (await startAllocator(numbersOf('ingest-0'), { clock })).next(0);
  await writeFile(path(numbersOf('ingest-0')), '{"end": 7');
  const afterDamage = (await startAllocator(numbersOf('ingest-0'), { clock })).next(0);

  expect(others.number > own.number).toBe(true);
  expect(again.number > others.number).toBe(true);
  expect(afterDamage.number > again.number).toBe(true);
});

test('a reservation out of a backup is behind, and the clock makes up for it', async () => {
  const directory = await temporaryDirectory();
  const clock = new SimulatedClock();
  await (await startAllocator(directory, { clock })).close();
  const backup = await readFile(path(directory));
  let last = 0;
  for (let i = 0; i < 3; i++) {
    await clock.advance(60_000);
    last = (await startAllocator(directory, { clock })).next(0).counter;
  }
  await writeFile(path(directory), backup);
  await clock.advance(60_000);

  const { counter } = (await startAllocator(directory, { clock })).next(0);

  expect(counter).toBeGreaterThan(last);
});

test('numbers made in a far future can be read, and leave as many again', async () => {
  const directory = await temporaryDirectory();
  const clock = new SimulatedClock(Date.UTC(2400, 0, 1));

  const { number, counter } = (await startAllocator(directory, { clock })).next(clock.wallMs());

  expect(parseFragmentNumber(number)).toBe(number);
  expect(counter).toBeLessThanOrEqual(2 ** 39);
});

test('a corrupt reservation falls back to the older one, again and again', async () => {
  const directory = await temporaryDirectory();
  let last = (await startAllocator(directory)).next(0).counter;

  for (let i = 0; i < 5; i++) {
    await writeFile(path(directory), '{"end": 7');
    const allocator = await startAllocator(directory);
    const { counter } = allocator.next(0);
    await allocator.close();
    expect(counter).toBeGreaterThan(last);
    expect(counter).toBeLessThan(last + 5 * limits.numberBlock);
    last = counter;
  }
});

test('with the state directory lost, counting goes on above all that the clock and the files allow for', async () => {
  const directory = await temporaryDirectory();
  const clock = new SimulatedClock();
  const allocator = await startAllocator(directory, { clock });
  let last = 0;
  for (let i = 0; i < limits.numberBlock / 2; i++) last = allocator.next(0).counter;
  await allocator.close();
  await rm(directory, { recursive: true });
  await clock.advance(60_000);

  const byClock = (await startAllocator(directory, { clock })).next(0).counter;
  await rm(directory, { recursive: true });
  clock.stepWall(-3 * 365 * 86_400_000);
  const byFiles = (await startAllocator(directory, { clock, knownCounter: async () => byClock })).next(0).counter;

  expect(byClock).toBeGreaterThan(last);
  expect(byFiles).toBeGreaterThan(byClock);
});

test('a state directory that cannot be written stops numbers only when the block is used up, and heals', async () => {
  const directory = await temporaryDirectory();
  const clock = new SimulatedClock();
  const allocator = await startAllocator(directory, { clock });
  await rm(directory, { recursive: true });
  await writeFile(directory, 'no directory');

  for (let i = 0; i < limits.numberBlock; i++) allocator.next(0);
  await until('the attempt to reserve failed', () => {
    try {
      allocator.next(0);
      return false;
    } catch (error) {
      expect(error).toMatchObject({ code: 'unavailable' });
      return true;
    }
  });
  await rm(directory);
  await (await startAllocator(directory)).close();
  await clock.advance(2_000);

  await until('a number again', () => {
    try {
      return allocator.next(0);
    } catch {
      return undefined;
    }
  });
  await allocator.close();
});

test('names of open and finished files tell a counter to go on from', async () => {
  const root = await temporaryDirectory();
  const { writer, finished } = await startWriter(root);
  for (const counter of [7, 90]) writeFragment(writer, counter);
  await until('the first file is finished', () => finished().length === 1);
  const paths = { journalOpen: join(root, 'open'), journalFinished: join(root, 'finished') };

  expect(await highestJournalCounter(paths, streamId)).toBe(90);
  expect(await highestJournalCounter(paths, 'other')).toBe(0);
  await writer.end('shutdown');
});
