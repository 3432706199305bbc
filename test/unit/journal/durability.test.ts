import { expect, test } from 'vitest';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { Durability } from '../../../storage/journal/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

/** A disk whose syncs the test ends by hand. */
function setUp(options: { periodMs?: number; timeoutMs?: number } = {}) {
  const clock = new SimulatedClock();
  const syncs: { resolve: () => void; reject: (error: unknown) => void; atMs: number }[] = [];
  const syncFileSystem = () =>
    new Promise<void>((resolve, reject) => syncs.push({ resolve, reject, atMs: clock.monotonicMs() }));
  const durability = new Durability(
    { clock, log: silentLog, syncFileSystem },
    { directory: '/', periodMs: 2_000, timeoutMs: 10_000, ...options },
  );
  const alone = async () => {};
  const outcomes: string[] = [];
  const ask = (name: string, isUrgent = false) =>
    durability.synced({ alone, isUrgent }).then(
      () => outcomes.push(name),
      (error) => outcomes.push(`${name} ${error.code}`),
    );
  return { clock, syncs, durability, outcomes, ask };
}

test('one sync serves everybody who asked before it began', async () => {
  const { clock, syncs, outcomes, ask } = setUp();
  for (const name of ['a', 'b', 'c']) ask(name);
  await clock.advance(1);

  syncs[0]?.resolve();
  await clock.advance(1);

  expect(syncs).toHaveLength(1);
  expect(outcomes).toEqual(['a', 'b', 'c']);
});

test('who asks while a sync runs waits for the next one, a period after the last', async () => {
  const { clock, syncs, outcomes, ask } = setUp();
  ask('early');
  await clock.advance(1);
  ask('late');
  syncs[0]?.resolve();
  await clock.advance(1);
  const afterFirst = [...outcomes];
  await clock.advance(2_000);
  syncs[1]?.resolve();
  await clock.advance(1);

  expect(afterFirst).toEqual(['early']);
  expect(outcomes).toEqual(['early', 'late']);
  expect((syncs[1]?.atMs ?? 0) - (syncs[0]?.atMs ?? 0)).toBe(2_000);
});

test('who asks during the first sync, on a busy disk, is served by one of his own after it', async () => {
  const { clock, syncs, durability, outcomes, ask } = setUp();
  void durability.start();
  ask('early', true);
  await clock.advance(5_000);
  const during = [syncs.length, outcomes.length];

  syncs[0]?.resolve();
  await clock.advance(1);
  syncs[1]?.resolve();
  await clock.advance(1);

  expect(during).toEqual([1, 0]);
  expect([syncs.length, outcomes]).toEqual([2, ['early']]);
});

test('an urgent request does not wait for the period', async () => {
  const { clock, syncs, outcomes, ask } = setUp();
  ask('first');
  await clock.advance(1);
  syncs[0]?.resolve();
  await clock.advance(1);

  ask('patient');
  ask('urgent', true);
  await clock.advance(1);
  syncs[1]?.resolve();
  await clock.advance(1);

  expect(outcomes).toEqual(['first', 'patient', 'urgent']);
});

test('a failed sync fails everybody it was for and nobody else', async () => {
  const { clock, syncs, outcomes, ask } = setUp();
  ask('a');
  ask('b');
  await clock.advance(1);
  ask('c');
  syncs[0]?.reject(appError('data_loss', 'input/output error'));
  await clock.advance(2_000);
  syncs[1]?.resolve();
  await clock.advance(1);

  expect(outcomes).toEqual(['a data_loss', 'b data_loss', 'c']);
});

test('a sync that hangs fails at its deadline, and no second one is begun beside it', async () => {
  const { clock, syncs, outcomes, ask } = setUp();
  ask('a');
  await clock.advance(10_001);
  ask('b');
  await clock.advance(10_001);
  const whileStuck = [...outcomes];
  ask('c');
  await clock.advance(3_000);
  syncs[0]?.resolve();
  await clock.advance(1);
  syncs[1]?.resolve();
  await clock.advance(1);

  expect(whileStuck).toEqual(['a deadline_exceeded', 'b deadline_exceeded']);
  expect(syncs).toHaveLength(2);
  expect(outcomes.at(-1)).toBe('c');
});

test('where the file system cannot be synced as a whole each writer syncs its own file', async () => {
  const clock = new SimulatedClock();
  const syncFileSystem = () => Promise.reject(appError('unimplemented', 'no such option'));
  const durability = new Durability({ clock, log: silentLog, syncFileSystem }, { directory: '/', periodMs: 2_000 });
  await durability.start();
  const synced: string[] = [];
  const request = (name: string) => durability.synced({ alone: async () => void synced.push(name) });

  const both = Promise.all([request('a'), request('b')]);
  await clock.advance(1);
  await both;

  expect(synced).toEqual(['a', 'b']);
});

test('closing serves everybody who waits', async () => {
  const { clock, syncs, durability, outcomes, ask } = setUp();
  ask('a');
  await clock.advance(1);
  ask('b');
  const closed = durability.close();
  syncs[0]?.resolve();
  await clock.advance(1);
  syncs[1]?.resolve();
  await closed;

  expect(outcomes).toEqual(['a', 'b']);
  await expect(durability.synced({ alone: async () => {} })).rejects.toMatchObject({ code: 'cancelled' });
});
