import fc from 'fast-check';
import { expect, test } from 'vitest';
import { completenessOf, union } from '../../../storage/index/completeness.ts';
import { Calendar, type Gap } from '../../../storage/index/index.ts';

const hourMs = 3_600_000;
const hoursOf = (timeZone: string, day: string) => {
  const { beginMs, endMs } = new Calendar(timeZone).spanOf(day);
  return (endMs - beginMs) / hourMs;
};

test('days have the hours that their zone gives them', () => {
  expect(hoursOf('UTC', '2026-03-29')).toBe(24);
  expect(hoursOf('Europe/Berlin', '2026-03-29')).toBe(23);
  expect(hoursOf('Europe/Berlin', '2026-10-25')).toBe(25);
  expect(hoursOf('America/New_York', '2026-11-01')).toBe(25);
  expect(hoursOf('Australia/Lord_Howe', '2026-04-05')).toBe(24.5);
  expect(hoursOf('Asia/Kolkata', '2026-01-01')).toBe(24);
});

test('a day may begin at another hour than midnight, or not be there at all', () => {
  expect(new Calendar('America/Sao_Paulo').spanOf('2018-11-04').beginMs).toBe(Date.UTC(2018, 10, 4, 3));
  expect(hoursOf('America/Sao_Paulo', '2018-11-04')).toBe(23);
  expect(hoursOf('Pacific/Apia', '2011-12-30')).toBe(0);
  const days = new Calendar('Pacific/Apia').daysWithin({
    beginMs: Date.UTC(2011, 11, 29, 12),
    endMs: Date.UTC(2011, 11, 31, 12),
  });
  expect(days.map(({ day }) => day)).toEqual(['2011-12-29', '2011-12-31', '2012-01-01']);
});

test('days of any zone follow each other without a hole', () => {
  const zones = ['Europe/Berlin', 'America/St_Johns', 'Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Africa/Cairo'];
  fc.assert(
    fc.property(fc.constantFrom(...zones), fc.integer({ min: 0, max: 900 }), (timeZone, days) => {
      const beginMs = Date.UTC(2024, 0, 1) + days * 24 * hourMs;
      const found = new Calendar(timeZone).daysWithin({ beginMs, endMs: beginMs + 72 * hourMs });
      for (const [i, { span }] of found.entries()) {
        const next = found[i + 1];
        if (next !== undefined) expect(next.span.beginMs).toBe(span.endMs);
      }
      expect(found[0]?.span.beginMs).toBeLessThanOrEqual(beginMs);
      expect(found.at(-1)?.span.endMs).toBeGreaterThanOrEqual(beginMs + 72 * hourMs);
    }),
    { numRuns: 40 },
  );
});

test('refuses what is no zone and no date', () => {
  expect(() => new Calendar('Mars/Base')).toThrow(/no such time zone/);
  expect(() => new Calendar('UTC').spanOf('2026-02-30')).toThrow(/no such date/);
  expect(() => new Calendar('UTC').spanOf('yesterday')).toThrow(/no such date/);
});

test('time that is both in a segment and in a gap counts as missing, overlapping runs count once', () => {
  const gap = (beginMs: number, endMs: number | undefined, reason: Gap['reason']): Gap => ({
    gapId: beginMs,
    streamId: 'door',
    beginMs,
    endMs,
    reason,
    detail: undefined,
    runId: undefined,
    origin: 'loss',
  });
  const days = [
    { day: '1', span: { beginMs: 0, endMs: 100 } },
    { day: '2', span: { beginMs: 100, endMs: 200 } },
  ];

  const found = completenessOf(
    days,
    [
      [0, 60],
      [30, 90],
      [90, 130],
    ],
    [gap(50, 55, 'packet-loss'), gap(130, undefined, 'unreachable')],
    180,
  );

  expect(found.map(({ recordedMs, missingMs }) => [recordedMs, missingMs])).toEqual([
    [95, 5],
    [30, 50],
  ]);
  expect(found[1]?.missingMsByReason).toEqual({ unreachable: 50 });
});

test('a union covers the same moments with spans that do not touch', () => {
  const span = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 9 }));
  fc.assert(
    fc.property(fc.array(span), (pairs) => {
      const spans = pairs
        .map(([beginMs, ms]) => ({ beginMs, endMs: beginMs + ms }))
        .sort((a, b) => a.beginMs - b.beginMs);
      const merged = union(spans);
      const isIn = (list: typeof spans, at: number) => list.some((s) => s.beginMs <= at && at < s.endMs);
      for (let at = 0; at < 70; at++) expect(isIn(merged, at)).toBe(isIn(spans, at));
      merged.forEach((s, i) => {
        expect(s.beginMs).toBeGreaterThan(merged[i - 1]?.endMs ?? -1);
      });
    }),
  );
});
