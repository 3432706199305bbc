import { expect, test } from 'vitest';
import { Arrivals } from '../../../gateway/rtmp/arrivals.ts';
import { rtmpLimits } from '../../../gateway/rtmp/limits.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const { arrivalsMax, arrivalsOfAddressMax, arrivalsPeriodMs } = rtmpLimits;

function taken(arrivals: Arrivals, groups: readonly string[]): number {
  return groups.filter((group) => arrivals.takes(group)).length;
}

test('one address brings no more than its share, and others come in beside it', () => {
  const arrivals = new Arrivals({ clock: new SimulatedClock() });

  const ofOne = taken(arrivals, Array(1_000).fill('192.0.2.1'));

  expect(ofOne).toBe(arrivalsOfAddressMax);
  expect(arrivals.takes('192.0.2.2')).toBe(true);
});

test('many addresses bring no more than all together may, and the next period begins anew', async () => {
  const clock = new SimulatedClock();
  const arrivals = new Arrivals({ clock });
  const groups = Array.from({ length: 1_000 }, (_, index) => `192.0.2.${index}`);

  const first = taken(arrivals, groups);
  await clock.advance(arrivalsPeriodMs);
  const next = taken(arrivals, groups);

  expect([first, next]).toEqual([arrivalsMax, arrivalsMax]);
});
