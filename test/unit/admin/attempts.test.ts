import { expect, test } from 'vitest';
import { AttemptLimiter } from '../../../appliance/admin/attempts.ts';
import { Turns } from '../../../appliance/admin/turns.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const wrong = { free: 3, delayMsMax: 8_000 };

function limiter() {
  const clock = new SimulatedClock();
  return { clock, limiter: new AttemptLimiter({ clock }, { delayMsFirst: 1_000, keysMax: 3, forgetMs: 60_000 }) };
}

test('delays begin after the free attempts, double, and are bounded', () => {
  const { limiter: attempts } = limiter();

  const waits = Array.from({ length: 8 }, () => {
    attempts.wrong('k', wrong);
    return attempts.waitMs('k');
  });

  expect(waits).toEqual([0, 0, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
});

test('a right attempt and a long time are forgiven', async () => {
  const { clock, limiter: attempts } = limiter();
  for (let i = 0; i < 4; i++) attempts.wrong('k', wrong);

  attempts.right('k');
  const afterRight = attempts.wrong('k', wrong);
  await clock.advance(60_001);
  const afterLong = attempts.wrong('k', wrong);

  expect([afterRight, afterLong]).toEqual([1, 1]);
});

test('waiting ends by time that passed, not by a clock that is set', async () => {
  const { clock, limiter: attempts } = limiter();
  for (let i = 0; i < 4; i++) attempts.wrong('k', wrong);

  clock.stepWall(3_600_000);
  expect(attempts.waitMs('k')).toBe(2_000);
  await clock.advance(2_000);

  expect(attempts.waitMs('k')).toBe(0);
});

test('memory is bounded: who was wrong the longest ago is forgotten', () => {
  const { limiter: attempts } = limiter();

  for (let i = 0; i < 100; i++) attempts.wrong(`k${i}`, wrong);

  expect(attempts.size).toBe(3);
  expect(attempts.wrong('k98', wrong)).toBe(2);
});

test('few things happen at once, the others in turn, and too many are turned away', async () => {
  const turns = new Turns({ atOnceMax: 2, waitingMax: 1, what: 'logins' });
  const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
  const begun: number[] = [];
  const take = (at: number) =>
    turns.take(async () => {
      begun.push(at);
      await gates[at]?.promise;
      if (at === 0) throw new Error('first');
    });
  const running = [take(0), take(1), take(2)];
  const first = expect(running[0]).rejects.toThrow('first');

  await expect(turns.take(async () => {})).rejects.toMatchObject({ code: 'resource_exhausted' });
  expect(begun).toEqual([0, 1]);
  gates[0]?.resolve();
  await first;
  gates[1]?.resolve();
  gates[2]?.resolve();
  await Promise.all(running.slice(1));

  expect(begun).toEqual([0, 1, 2]);
  await expect(turns.take(async () => 'free again')).resolves.toBe('free again');
});
