/** Which ages the storage page shows and changes. */

import { expect, test } from 'vitest';
import type { Recording } from '../../../appliance/page/src/api.ts';
import { daysToHours, keptAges } from '../../../appliance/page/src/storage/kept-ages.ts';

const always: Recording = {
  ...{ mode: 'continuous', schedule: null, retentionHours: 168, eventRetentionHours: null, preRollMinutes: 10 },
};
const nights = (mode: Recording['mode']) => ({
  timeZone: 'UTC',
  spans: [{ weekday: 1, beginMinute: 0, endMinute: 360, mode }],
});
const everything = { setting: 'retentionHours', hours: 168, word: 'everything' };
const events = { setting: 'eventRetentionHours', hours: 720, word: 'events' };

test('what is recorded always has one age, and events one of their own where it is longer', () => {
  expect(keptAges(always)).toEqual([everything]);
  expect(keptAges({ ...always, eventRetentionHours: 24 })).toEqual([everything]);
  expect(keptAges({ ...always, eventRetentionHours: 720 })).toEqual([everything, events]);
});

test('mode events has the age of events, which is that of the rest when none is said', () => {
  expect(keptAges({ ...always, mode: 'events', eventRetentionHours: 720 })).toEqual([events]);
  expect(keptAges({ ...always, mode: 'events' })).toEqual([{ ...events, hours: 168 }]);
});

test('a schedule has the ages of all its modes, and what is live only has none', () => {
  expect(keptAges({ ...always, mode: 'live' })).toEqual([]);
  expect(keptAges({ ...always, mode: 'live', schedule: nights('continuous') })).toEqual([everything]);
  expect(keptAges({ ...always, eventRetentionHours: 24, schedule: nights('events') })).toEqual([
    everything,
    { ...events, hours: 24 },
  ]);
});

test('days become whole hours, and an emptied field none', () => {
  expect([7, 0.01, 1.02].map(daysToHours)).toEqual([168, 1, 24]);
  expect([Number.NaN, 0, -1].map(daysToHours)).toEqual([undefined, undefined, undefined]);
});
