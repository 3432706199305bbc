/** Figures of the last hours: what counters grew by, in slots of wall time. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FigureRing } from '../../../appliance/health/index.ts';

const noClock = { offsetMs: undefined, driftPpm: undefined };
const counted = (bytes: number, units = 0, packetsLost = 0) => ({ bytes, units, packetsLost });

test('counters are told per second from the second sample on', () => {
  const ring = new FigureRing({ slotMs: 10_000, slots: 6 });

  ring.record(100_000, counted(0), { offsetMs: -40, driftPpm: 3 });
  ring.record(110_000, counted(125_000, 250, 2), { offsetMs: -41, driftPpm: 3 });

  expect(ring.between(0, 200_000)).toEqual({
    beginMs: 60_000,
    bitsPerSecond: [null, null, null, null, null, 100_000],
    framesPerSecond: [null, null, null, null, null, 25],
    packetsLost: [null, null, null, null, null, 2],
    clockOffsetMs: [null, null, null, null, -40, -41],
    clockDriftPpm: [null, null, null, null, 3, 3],
  });
});

test('counters of a new process and a long silence tell nothing', () => {
  const ring = new FigureRing({ slotMs: 10_000, slots: 4 });

  ring.record(100_000, counted(1_000_000, 100), noClock);
  ring.record(110_000, counted(5_000, 2), noClock);
  ring.record(150_000, counted(90_000, 90), noClock);

  expect(ring.between(0, 200_000).bitsPerSecond).toEqual([null, null, null, null]);
});

test('a clock that steps back an hour begins anew', () => {
  const ring = new FigureRing({ slotMs: 10_000, slots: 4 });
  ring.record(10_000_000, counted(0), noClock);
  ring.record(10_010_000, counted(12_500), noClock);

  ring.record(6_400_000, counted(25_000), noClock);
  ring.record(6_410_000, counted(37_500), noClock);

  expect(ring.between(0, 20_000_000).bitsPerSecond).toEqual([null, null, null, 10_000]);
  expect(ring.between(0, 20_000_000).beginMs).toBe(6_380_000);
});

test('whatever the times are, no more than its slots are told and none lies outside what was asked for', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3_000_000), { maxLength: 60 }), fc.nat(3_000_000), (times, beginMs) => {
      const ring = new FigureRing({ slotMs: 10_000, slots: 30 });
      times.forEach((atMs, i) => {
        ring.record(atMs, counted(i, i), noClock);
      });

      const told = ring.between(beginMs, beginMs + 600_000);

      expect(told.bitsPerSecond.length).toBeLessThanOrEqual(30);
      expect(told.bitsPerSecond.length * 10_000 + told.beginMs).toBeLessThanOrEqual(
        Math.max(told.beginMs, beginMs + 610_000),
      );
    }),
  );
});
