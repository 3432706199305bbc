import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RunClock, WallWatch } from '../../../gateway/record/run-clock.ts';

test('server time follows late arrivals by half a millisecond a second at most, and never goes back', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -5_000, max: 5_000 }), { maxLength: 200 }), (errors) => {
      const clock = new RunClock({ startServerMs: 1_000_000, startMonotonicMs: 0 });
      let lastMs = clock.toServerMs(0);
      for (const [i, errorMs] of errors.entries()) {
        const mediaMs = (i + 1) * 2_000;
        clock.follow(mediaMs, 1_000_000 + mediaMs + errorMs);
        const serverMs = clock.toServerMs(mediaMs);
        expect(serverMs - lastMs).toBeLessThanOrEqual(2_001 + 1e-6);
        expect(serverMs - lastMs).toBeGreaterThanOrEqual(1_000 - 1e-6);
        lastMs = serverMs;
      }
    }),
  );
});

test('a run that begins behind a backlog is on time again after as much media', () => {
  const clock = new RunClock({ startServerMs: 1_000_000, startMonotonicMs: 0 });

  // 24 s of media come at once, then one fragment every two seconds.
  for (let mediaMs = 0; mediaMs <= 24_000; mediaMs += 2_000) clock.follow(mediaMs, 1_000_000);
  for (let mediaMs = 26_000; mediaMs <= 50_000; mediaMs += 2_000) clock.follow(mediaMs, 1_000_000 + mediaMs - 24_000);

  expect(clock.toServerMs(50_000)).toBeCloseTo(1_026_000, 6);
});

test('a run that ends in the middle of its backlog does not end before it began', () => {
  const clock = new RunClock({ startServerMs: 1_000_000, startMonotonicMs: 0 });

  for (let mediaMs = 0; mediaMs <= 8_000; mediaMs += 2_000) clock.follow(mediaMs, 1_000_000);

  expect(clock.serverMsAt(10)).toBe(1_000_000);
});

test('server time arrives at a clock that differs and stays there', () => {
  const clock = new RunClock({ startServerMs: 0, startMonotonicMs: 0 });

  for (let mediaMs = 0; mediaMs <= 1_000_000; mediaMs += 2_000) clock.follow(mediaMs, mediaMs + 300);

  expect(clock.toServerMs(1_000_000)).toBeCloseTo(1_000_300, 6);
});

test('a wall clock that is set is seen once, one that NTP pulls is not', () => {
  const watch = new WallWatch();
  watch.reset(1_000_000, 0);
  const seen: number[] = [];

  for (let ms = 500; ms <= 3_600_000; ms += 500) {
    const pulledMs = ms * 0.0004;
    const stepMs = ms >= 1_800_000 ? -7_000 : 0;
    if (watch.hasStepped(1_000_000 + ms + pulledMs + stepMs, ms)) seen.push(ms);
  }

  expect(seen).toEqual([1_800_000]);
});
