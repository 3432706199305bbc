/** Where on the timeline what lies. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  dayMs,
  hourMs,
  lengthOf,
  minuteMs,
  ticksOf,
  viewMsMax,
  viewMsMin,
  windowOf,
  zoomed,
} from '../../../appliance/page/src/timeline/scale.ts';

const nowMs = Date.UTC(2026, 10, 21, 18);
const views = fc
  .tuple(fc.integer({ min: 0, max: nowMs - viewMsMax }), fc.integer({ min: viewMsMin, max: viewMsMax }))
  .map(([beginMs, lengthMs]) => ({ beginMs, endMs: beginMs + lengthMs }));

test('what lies under the pointer stays there when it is zoomed', () => {
  const view = { beginMs: nowMs - 2 * hourMs, endMs: nowMs };
  const atMs = nowMs - 90 * minuteMs;

  const closer = zoomed(view, { atMs, factor: 0.5, lastMs: nowMs });

  expect(lengthOf(closer)).toBe(hourMs);
  expect((atMs - closer.beginMs) / lengthOf(closer)).toBeCloseTo(0.25);
});

test('no zoom shows less than a minute, more than a year, or much of the future', () => {
  fc.assert(
    fc.property(views, fc.double({ min: 0.001, max: 1_000, noNaN: true }), (view, factor) => {
      const next = zoomed(view, { atMs: view.endMs, factor, lastMs: nowMs });

      expect(lengthOf(next)).toBeGreaterThanOrEqual(viewMsMin - 1);
      expect(lengthOf(next)).toBeLessThanOrEqual(viewMsMax + 1);
      expect(next.endMs).toBeLessThanOrEqual(nowMs + lengthOf(next) / 5 + 1);
    }),
  );
});

test('what is asked for holds the view, is not much longer, and is fine enough for its pixels', () => {
  fc.assert(
    fc.property(views, (view) => {
      const { beginMs, endMs, resolutionMs } = windowOf(view);

      expect(beginMs).toBeLessThanOrEqual(view.beginMs);
      expect(endMs).toBeGreaterThanOrEqual(view.endMs);
      expect(endMs - beginMs).toBeLessThanOrEqual(5 * lengthOf(view));
      expect(resolutionMs).toBeLessThanOrEqual(lengthOf(view) / 1_500);
    }),
  );
});

test('small movements ask for nothing new', () => {
  const beginMs = 1_700_000_000_000;

  const asked = windowOf({ beginMs, endMs: beginMs + hourMs });
  const moved = windowOf({ beginMs: beginMs + minuteMs, endMs: beginMs + hourMs + minuteMs });

  expect(moved).toEqual(asked);
});

test('ticks lie in the view, in order, and are neither too many nor missing', () => {
  fc.assert(
    fc.property(views, fc.integer({ min: 3, max: 20 }), (view, ticksMax) => {
      const ticks = ticksOf(view, ticksMax);

      // A month longer than others and hours of another length: one or two more than wished.
      expect(ticks.length).toBeLessThanOrEqual(ticksMax + 3);
      for (const [i, { atMs }] of ticks.entries()) {
        expect(atMs).toBeGreaterThanOrEqual(view.beginMs);
        expect(atMs).toBeLessThan(view.endMs);
        if (i > 0) expect(atMs).toBeGreaterThan(ticks[i - 1]?.atMs ?? 0);
      }
      if (lengthOf(view) < 5 * dayMs || lengthOf(view) > 250 * dayMs) expect(ticks.length).toBeGreaterThan(0);
    }),
  );
});
