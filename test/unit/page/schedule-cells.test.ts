import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RecordingMode } from '../../../appliance/page/src/api.ts';
import {
  cellsToSpans,
  cellTime,
  isInHalfHours,
  minuteTime,
  paint,
  spansToCells,
} from '../../../appliance/page/src/cameras/schedule-cells.ts';
import { scheduleShape } from '../../../storage/model/recording-shape.ts';

const mode = fc.constantFrom<RecordingMode | null>('continuous', 'events', 'live', null);
const week = fc.array(fc.array(mode, { minLength: 48, maxLength: 48 }), { minLength: 7, maxLength: 7 });

test('whatever is painted comes back as it was, and is a schedule that the server takes', () => {
  fc.assert(
    fc.property(week, (cells) => {
      const spans = cellsToSpans(cells);

      expect(spansToCells(spans)).toEqual(cells);
      expect(isInHalfHours(spans)).toBe(true);
      expect(scheduleShape.safeParse({ timeZone: 'Europe/Berlin', spans }).success).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test('a night over midnight is two spans, neighbours are one', () => {
  const empty = spansToCells([]);
  const evening = paint(
    empty,
    [
      { day: 0, cell: 44 },
      { day: 0, cell: 47 },
    ],
    'continuous',
  );
  const night = paint(
    evening,
    [
      { day: 1, cell: 11 },
      { day: 1, cell: 0 },
    ],
    'continuous',
  );

  expect(cellsToSpans(night)).toEqual([
    { weekday: 1, beginMinute: 1_320, endMinute: 1_440, mode: 'continuous' },
    { weekday: 2, beginMinute: 0, endMinute: 360, mode: 'continuous' },
  ]);
  expect([cellTime(0), cellTime(15), cellTime(48), minuteTime(465)]).toEqual(['00:00', '07:30', '24:00', '07:45']);
});

test('edges between half hours are noticed', () => {
  expect(isInHalfHours([{ weekday: 1, beginMinute: 465, endMinute: 480, mode: 'live' }])).toBe(false);
});
