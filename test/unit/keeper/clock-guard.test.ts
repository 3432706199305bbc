import { expect, test } from 'vitest';
import { ClockGuard } from '../../../storage/keeper/clock-guard.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const minute = 60_000;
const day = 86_400_000;

test('time that really passes raises no doubt', async () => {
  const clock = new SimulatedClock();
  const guard = new ClockGuard({ clock }, undefined);

  for (let i = 0; i < 50; i++) {
    await clock.advance(day / 2);
    guard.observe();
  }

  expect(guard.doubt).toBeUndefined();
});

test.each([11 * minute, -11 * minute, 365 * day, -365 * day])(
  'a step by %d ms puts the clock in doubt',
  async (stepMs) => {
    const clock = new SimulatedClock();
    const guard = new ClockGuard({ clock }, undefined);
    await clock.advance(minute);

    clock.stepWall(stepMs);
    guard.observe();

    expect(guard.doubt?.stepMs).toBe(stepMs);
  },
);

test('a small correction is none', async () => {
  const clock = new SimulatedClock();
  const guard = new ClockGuard({ clock }, undefined);

  clock.stepWall(9 * minute);
  guard.observe();

  expect(guard.doubt).toBeUndefined();
});

test('stepping back does not take the doubt away, a person does', async () => {
  const clock = new SimulatedClock();
  const guard = new ClockGuard({ clock }, undefined);
  clock.stepWall(day);
  guard.observe();

  clock.stepWall(-day);
  guard.observe();
  expect(guard.doubt?.reason).toBe('the clock was set forward');

  guard.confirm();
  guard.observe();
  expect(guard.doubt).toBeUndefined();
});

test('a start long after the newest footage, or before it, puts the clock in doubt', () => {
  const clock = new SimulatedClock();
  const guardAfter = (newestMs: number | undefined) => {
    const guard = new ClockGuard({ clock }, undefined);
    guard.onStart(newestMs);
    return guard.doubt?.reason;
  };

  expect(guardAfter(undefined)).toBeUndefined();
  expect(guardAfter(clock.wallMs() - 23 * 60 * minute)).toBeUndefined();
  expect(guardAfter(clock.wallMs() - 25 * 60 * minute)).toMatch(/more than a day/);
  expect(guardAfter(clock.wallMs() + 20 * minute)).toMatch(/behind/);
});

test('a doubt outlives the process', () => {
  const clock = new SimulatedClock();
  const earlier = { reason: 'the clock was set forward', sinceMs: 1, stepMs: 2 };

  expect(new ClockGuard({ clock }, earlier).doubt).toBe(earlier);
});
