import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type TimelineGap, timelineOf } from '../../../gateway/playback/index.ts';

const range = { beginMs: 0, endMs: 100_000 };

describe('a timeline', () => {
  test('joins fragments that touch, and keeps real gaps apart', () => {
    const recorded = [
      { beginMs: 4_000, endMs: 6_000 },
      { beginMs: 0, endMs: 2_000 },
      { beginMs: 2_003, endMs: 3_998 },
      { beginMs: 20_000, endMs: 30_000 },
    ];

    const timeline = timelineOf({ recorded, gaps: [], range, resolutionMs: 0 });

    expect(timeline.spans).toEqual([
      { beginMs: 0, endMs: 6_000 },
      { beginMs: 20_000, endMs: 30_000 },
    ]);
    expect(timeline.recordedMs).toBe(16_000);
  });

  test('shows neighbours closer than a pixel as one, and tells how much is really there', () => {
    const recorded = Array.from({ length: 10 }, (_, at) => ({ beginMs: at * 10_000, endMs: at * 10_000 + 9_000 }));

    const timeline = timelineOf({ recorded, gaps: [], range, resolutionMs: 5_000 });

    expect(timeline.spans).toEqual([{ beginMs: 0, endMs: 99_000 }]);
    expect(timeline.recordedMs).toBe(90_000);
  });

  test('joins gaps with the reason that took most time first', () => {
    const gaps: TimelineGap[] = [
      { beginMs: 10_000, endMs: 11_000, reason: 'connection-lost' },
      { beginMs: 11_000, endMs: 60_000, reason: 'unreachable', detail: 'no route' },
      { beginMs: 60_500, endMs: 61_000, reason: 'connection-lost' },
    ];

    const timeline = timelineOf({ recorded: [], gaps, range, resolutionMs: 1_000 });

    expect(timeline.gaps).toEqual([
      {
        beginMs: 10_000,
        endMs: 61_000,
        reason: 'unreachable',
        detail: 'no route',
        reasons: ['unreachable', 'connection-lost'],
        missingMs: 50_500,
      },
    ]);
  });

  test('cuts everything to the range', () => {
    const timeline = timelineOf({
      recorded: [{ beginMs: -5_000, endMs: 5_000 }],
      gaps: [{ beginMs: 90_000, endMs: 200_000, reason: 'appliance-off' }],
      range,
      resolutionMs: 0,
    });

    expect(timeline.spans).toEqual([{ beginMs: 0, endMs: 5_000 }]);
    expect(timeline.gaps[0]).toMatchObject({ beginMs: 90_000, endMs: 100_000 });
  });

  test('has spans in order that cover all that was recorded, whatever comes in', () => {
    const span = fc.tuple(fc.integer({ min: -50_000, max: 150_000 }), fc.integer({ min: 0, max: 30_000 }));

    fc.assert(
      fc.property(fc.array(span), fc.integer({ min: 0, max: 20_000 }), (spans, resolutionMs) => {
        const recorded = spans.map(([beginMs, lengthMs]) => ({ beginMs, endMs: beginMs + lengthMs }));

        const timeline = timelineOf({ recorded, gaps: [], range, resolutionMs });

        timeline.spans.forEach((shown, at) => {
          const next = timeline.spans[at + 1];
          expect(shown.endMs).toBeGreaterThan(shown.beginMs);
          if (next !== undefined) expect(next.beginMs - shown.endMs).toBeGreaterThan(resolutionMs);
        });
        for (const { beginMs, endMs } of recorded) {
          const middleMs = (beginMs + endMs) / 2;
          if (endMs === beginMs || middleMs <= range.beginMs || middleMs >= range.endMs) continue;
          expect(timeline.spans.some((shown) => shown.beginMs <= middleMs && middleMs <= shown.endMs)).toBe(true);
        }
      }),
    );
  });
});
