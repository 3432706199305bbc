/** How long the space lasts. */

import { expect, test } from 'vitest';
import { cameraForecast, daysUntilFull } from '../../../appliance/page/src/storage/forecast.ts';

const gigabyte = 1e9;
const flow = { storedBytes: 10 * gigabyte, bytesPerDay: gigabyte, days: 30, bytesMax: null };

test('a camera without a bound ends at its age', () => {
  expect(cameraForecast(flow)).toEqual({ endBytes: 30 * gigabyte, daysByQuota: null, daysUntilQuota: null });
});

test('a camera whose bound comes first says when, and how much it keeps then', () => {
  expect(cameraForecast({ ...flow, bytesMax: 15 * gigabyte })).toEqual({
    endBytes: 15 * gigabyte,
    daysByQuota: 15,
    daysUntilQuota: 5,
  });
});

test('a camera that does not record grows no more', () => {
  expect(cameraForecast({ ...flow, bytesPerDay: 0 }).endBytes).toBe(10 * gigabyte);
});

test('enough place is never full', () => {
  expect(daysUntilFull([flow, flow], 60 * gigabyte)).toBeNull();
});

test('too little place is full when it is, also after the first camera came of age', () => {
  const young = { storedBytes: 0, bytesPerDay: gigabyte, days: 10, bytesMax: null };
  const old = { storedBytes: 0, bytesPerDay: 2 * gigabyte, days: 100, bytesMax: null };

  // Ten days of both are 30 GB; then the old one alone adds 2 GB a day.
  expect(daysUntilFull([young, old], 50 * gigabyte)).toBe(20);
});

test('what is too much already is full now', () => {
  expect(daysUntilFull([flow], 5 * gigabyte)).toBe(0);
});
