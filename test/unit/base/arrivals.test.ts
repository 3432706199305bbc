import { expect, test } from 'vitest';
import { Arrivals } from '../../../storage/base/arrivals.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const limits = { periodMs: 1_000, ofGroupMax: 32, max: 64 };

function taken(arrivals: Arrivals, groups: readonly string[]): number {
  return groups.filter((group) => arrivals.takes(group)).length;
}

test('one address brings no more than its share, and others come in beside it', () => {
  const arrivals = new Arrivals({ clock: new SimulatedClock() }, limits);

  const ofOne = taken(arrivals, Array(1_000).fill('192.0.2.1'));

  expect(ofOne).toBe(32);
  expect(arrivals.takes('192.0.2.2')).toBe(true);
});

test('many addresses bring no more than all together may, and the next period begins anew', async () => {
  const clock = new SimulatedClock();
  const arrivals = new Arrivals({ clock }, limits);
  const groups = Array.from({ length: 1_000 }, (_, index) => `192.0.2.${index}`);

  const first = taken(arrivals, groups);
  await clock.advance(limits.periodMs);
  const next = taken(arrivals, groups);

  expect([first, next]).toEqual([64, 64]);
});

test('a few addresses that take all they can leave some for the next one', () => {
  const arrivals = new Arrivals({ clock: new SimulatedClock() }, limits);
  const groups = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'];

  const ofEach = groups.map((group) => taken(arrivals, Array(1_000).fill(group)));

  expect(ofEach).toEqual([32, 16, 8, 4]);
  expect(arrivals.takes('192.0.2.5')).toBe(true);
});
