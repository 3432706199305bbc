import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { mapSchedule } from '../../../gateway/kvs/edge/quartz.ts';

const spansOf = (expression: string, durationS: number) => {
  const mapped = mapSchedule({ expression, durationS });
  if (mapped?.kind !== 'spans') return mapped;
  return mapped.spans.map((span) => [span.weekday, span.beginMinute, span.endMinute]);
};
const everyDay = (beginMinute: number, endMinute: number) =>
  [1, 2, 3, 4, 5, 6, 7].map((weekday) => [weekday, beginMinute, endMinute]);

describe('schedules of edge agents as spans of a week', () => {
  it.each([
    ['0 0 8 ? * *', 3_600, everyDay(480, 540)],
    ['0 0 8-9 * * ?', 3_600, everyDay(480, 600)],
    ['0 0/5 * ? * *', 300, everyDay(0, 1_440)],
    ['0 * * * * *', 60, everyDay(0, 1_440)],
    // Quartz counts weekdays from Sunday.
    ['0 30 6 ? * 2', 600, [[1, 390, 400]]],
    [
      '0 30 6 ? * MON,sun',
      600,
      [
        [1, 390, 400],
        [7, 390, 400],
      ],
    ],
    [
      '0 0 12 ? * FRI-MON',
      60,
      [
        [1, 720, 721],
        [5, 720, 721],
        [6, 720, 721],
        [7, 720, 721],
      ],
    ],
    // A night is two spans, and the week goes round.
    [
      '0 30 23 ? * SUN',
      3_600,
      [
        [1, 0, 30],
        [7, 1_410, 1_440],
      ],
    ],
    // Never a second less: minutes that are begun count whole.
    ['30 0 8 ? * 2 *', 90, [[1, 480, 482]]],
    ['0,45 0 8 ? * 2', 60, [[1, 480, 482]]],
  ])('%s for %i s', (expression, durationS, spans) => {
    expect(spansOf(expression, durationS)).toEqual(spans);
  });

  it.each([
    '0 0 8 1 * ?',
    '0 0 8 L * ?',
    '0 0 8 15W * ?',
    '0 0 8 ? JAN *',
    '0 0 8 ? * 6#3',
    '0 0 8 ? * 6L',
    '0 0 8 ? * * 2030',
  ])('%s is none of a week, which is said', (expression) => {
    expect(spansOf(expression, 60)).toMatchObject({ kind: 'unmappable', reason: expect.stringContaining('of a week') });
  });

  it('more spans than a schedule may have are counted and refused', () => {
    expect(spansOf('0 0/2 * ? * *', 60)).toMatchObject({ reason: expect.stringContaining('5040 spans') });
  });

  it.each([
    'every day at 8',
    '0 0 24 ? * *',
    '0 60 * ? * *',
    '0 0 8 ? *',
    '0 0 8 ? * ?',
    '0 0 8 ? * 8',
    '0 0/0 8 ? * *',
    '',
    '0 0 8 ? * MOO',
  ])('"%s" is no expression', (expression) => {
    expect(spansOf(expression, 60)).toBeUndefined();
  });
});

test('whatever text comes, spans are those of a schedule: in order, not overlapping, within their days', () => {
  const field = fc.oneof(
    fc.constantFrom('*', '?', '0', '5-50/7', '58-2', '0/15', 'MON-FRI', 'L', '1,2,3'),
    fc.string({ maxLength: 8 }),
  );
  const expression = fc.array(field, { minLength: 0, maxLength: 8 }).map((fields) => fields.join(' '));
  fc.assert(
    fc.property(expression, fc.integer({ min: 60, max: 3_600 }), (text, durationS) => {
      const mapped = mapSchedule({ expression: text, durationS });
      if (mapped?.kind !== 'spans') return;
      for (const [i, { weekday, beginMinute, endMinute }] of mapped.spans.entries()) {
        expect(beginMinute).toBeLessThan(endMinute);
        expect([beginMinute >= 0, endMinute <= 1_440]).toEqual([true, true]);
        const before = mapped.spans[i - 1];
        if (before?.weekday === weekday) expect(before.endMinute).toBeLessThan(beginMinute);
        else if (before !== undefined) expect(before.weekday).toBeLessThan(weekday);
      }
    }),
  );
});
