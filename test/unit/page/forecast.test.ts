/** How long the space lasts. */

import { expect, test } from 'vitest';
import {
  bytesPerDayOf,
  cameraForecast,
  daysUntilFull,
  type Flow,
} from '../../../appliance/page/src/storage/forecast.ts';
import type { StreamRate } from '../../../appliance/page/src/storage/stream-rate.ts';

const gigabyte = 1e9;

function stream(plan: Partial<StreamRate> = {}): StreamRate {
  const parts = [{ bytesPerDay: gigabyte, days: 30, isPreRoll: false }];
  return { storedBytes: 10 * gigabyte, heldBytes: 0, parts, isKnown: true, isOfAge: false, ...plan };
}

const flowOf = (...streams: StreamRate[]): Flow => ({ streams, bytesMax: null });
const kept = (gigabytesPerDay: number, days: number) => ({
  ...{ bytesPerDay: gigabytesPerDay * gigabyte, days, isPreRoll: false },
});

test('a camera without a bound ends at its age', () => {
  expect(cameraForecast(flowOf(stream()))).toEqual({
    endBytes: 30 * gigabyte,
    daysByQuota: null,
    daysUntilQuota: null,
  });
});

test('a camera whose bound comes first says when, and how much it keeps then', () => {
  const { endBytes, daysByQuota, daysUntilQuota } = cameraForecast({ ...flowOf(stream()), bytesMax: 15 * gigabyte });

  expect(endBytes).toBe(15 * gigabyte);
  expect(daysByQuota).toBeCloseTo(15);
  expect(daysUntilQuota).toBeCloseTo(5);
});

test('a camera that adds nothing grows no more, and its bound is not in question', () => {
  const flow = flowOf(stream({ parts: [] }));

  expect(cameraForecast(flow).endBytes).toBe(10 * gigabyte);
  expect(cameraForecast({ ...flow, bytesMax: 5 * gigabyte }).daysUntilQuota).toBeNull();
});

test('main and sub grow to their own ages', () => {
  const main = stream({ storedBytes: 0, parts: [kept(10, 7)] });
  const sub = stream({ storedBytes: 0, parts: [kept(1, 90)] });

  const flow = { streams: [main, sub], bytesMax: 100 * gigabyte };
  const { endBytes, daysUntilQuota, daysByQuota } = cameraForecast(flow);

  // 77 GB in a week, then 1 GB a day.
  expect(cameraForecast(flowOf(main, sub)).endBytes).toBe(160 * gigabyte);
  expect(endBytes).toBe(100 * gigabyte);
  expect([daysUntilQuota, daysByQuota].map((days) => Math.round(days ?? 0))).toEqual([30, 30]);
  expect(bytesPerDayOf(flow)).toBe(11 * gigabyte);
});

test('events grow on when the rest is of age, and pre-roll takes its room but adds nothing', () => {
  const both = flowOf(stream({ storedBytes: 0, parts: [kept(10, 7), kept(1, 30)] }));
  const preRoll = { bytesPerDay: 144 * gigabyte, days: 10 / 1440, isPreRoll: true };
  const events = flowOf(stream({ storedBytes: gigabyte, parts: [kept(1, 14), preRoll] }));

  expect(cameraForecast(both).endBytes).toBe(100 * gigabyte);
  expect(daysUntilFull([both], 87 * gigabyte)).toBeCloseTo(17);
  expect(cameraForecast(events).endBytes).toBe(15 * gigabyte);
  expect(bytesPerDayOf(events)).toBe(gigabyte);
});

test('enough place is never full', () => {
  expect(daysUntilFull([flowOf(stream()), flowOf(stream())], 60 * gigabyte)).toBeNull();
});

test('too little place is full when it is, also after the first camera came of age', () => {
  const young = flowOf(stream({ storedBytes: 0, parts: [kept(1, 10)] }));
  const old = flowOf(stream({ storedBytes: 0, parts: [kept(2, 100)] }));

  // Ten days of both are 30 GB; then the old one alone adds 2 GB a day.
  expect(daysUntilFull([young, old], 50 * gigabyte)).toBeCloseTo(20);
});

test('what is too much already is full now', () => {
  expect(daysUntilFull([flowOf(stream())], 5 * gigabyte)).toBe(0);
});

test('a camera of age adds as much as goes: its bytes rise with its rate only', () => {
  const steady = flowOf(stream({ storedBytes: 30 * gigabyte, isOfAge: true }));
  const faster = flowOf(stream({ storedBytes: 30 * gigabyte, isOfAge: true, parts: [kept(2, 30)] }));

  expect(daysUntilFull([steady], 30 * gigabyte)).toBeNull();
  expect(daysUntilFull([faster], 45 * gigabyte)).toBeCloseTo(15);
});

test('bytes are not expected to fall where less comes than came', () => {
  expect(cameraForecast(flowOf(stream({ isOfAge: true, parts: [kept(0.1, 30)] }))).endBytes).toBe(10 * gigabyte);
});

test('what a hold keeps comes on top of what is kept by age', () => {
  const held = flowOf(stream({ storedBytes: 25 * gigabyte, heldBytes: 20 * gigabyte }));

  expect(cameraForecast(held).endBytes).toBe(50 * gigabyte);
  expect(daysUntilFull([held], 40 * gigabyte)).toBeCloseTo(15);
});

test('under a hold without end a camera grows on and on, past its bound too', () => {
  const endless = { ...flowOf(stream({ parts: [kept(1, Infinity)] })), bytesMax: 12 * gigabyte };

  expect(cameraForecast(endless)).toEqual({ endBytes: Infinity, daysByQuota: null, daysUntilQuota: null });
  expect(daysUntilFull([endless], 100 * gigabyte)).toBeCloseTo(90);
});

test('a camera of which it is not known yet adds nothing that could be told', () => {
  const unknown = flowOf(stream({ parts: [], isKnown: false }), stream());

  expect(bytesPerDayOf(unknown)).toBeUndefined();
  expect(bytesPerDayOf(flowOf(stream()))).toBe(gigabyte);
});

test('nothing stored and nothing to come needs no room', () => {
  expect(daysUntilFull([flowOf(stream({ storedBytes: 0, parts: [] }))], 0)).toBeNull();
});
