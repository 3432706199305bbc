import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fragmenter } from '../../../gateway/record/fragmenter.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import { audio, FragmentChecker, idOf, unitOf, video } from './fragment-checker.ts';

/** Half an hour of budget: the property is about order, another test is about bounds. */
class CountingBudget {
  used = 0;
  take(bytes: number): boolean {
    this.used += bytes;
    return true;
  }
  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** A camera's video with a GOP, B-pictures, a hole and a jump; and its audio. Mapped late, so that a failure prints as these numbers. */
const videoFacts = fc.record({
  periodMs: fc.constantFrom(16.7, 33.3, 40, 200, 1_000, 4_000),
  gop: fc.integer({ min: 1, max: 60 }),
  reorder: fc.constantFrom(0, 0, 2),
  count: fc.integer({ min: 0, max: 200 }),
  lagMs: fc.integer({ min: 0, max: 700 }),
  firstKeyAt: fc.integer({ min: 0, max: 5 }),
  holeAt: fc.integer({ min: 0, max: 400 }),
  holeMs: fc.constantFrom(0, 0, 900, 6_000, 15_000),
  stepMs: fc.constantFrom(0, 0, 0, -20_000, 60_000),
  lossAt: fc.integer({ min: 0, max: 400 }),
});
const audioFacts = fc.record({
  periodMs: fc.constantFrom(2.5, 20, 21.333, 64, 125),
  count: fc.integer({ min: 0, max: 400 }),
  beginMs: fc.integer({ min: -200, max: 4_000 }),
  lagMs: fc.integer({ min: -900, max: 3_500 }),
  holeAt: fc.integer({ min: 0, max: 400 }),
  holeMs: fc.constantFrom(0, 0, 3_000, 9_000),
  stepMs: fc.constantFrom(0, 0, 0, -200, -2_000, 30_000),
  jitterMs: fc.constantFrom(0, 0, 15),
});
type Facts<T> = T extends fc.Arbitrary<infer V> ? V : never;

function videoUnits(v: Facts<typeof videoFacts>): AccessUnit[] {
  return Array.from({ length: v.count }, (_, i) => {
    const shiftMs = i >= v.holeAt ? v.holeMs : 0;
    const jumpMs = i >= v.holeAt ? v.stepMs : 0;
    // Decode order P B B: the reference comes two periods before it is shown.
    const inGop = (i - v.firstKeyAt + 10 * v.gop) % v.gop;
    const isReordered = inGop > 0 && v.reorder > 0;
    const shown = !isReordered ? i : (inGop - 1) % 3 === 0 ? i + 2 : i - 1;
    return unitOf({
      track: video,
      timeMs: shown * v.periodMs + shiftMs + jumpMs,
      receivedMs: i * v.periodMs + shiftMs + v.lagMs,
      isKey: inGop === 0,
      isAfterLoss: i === v.lossAt,
    });
  });
}

function audioUnits(a: Facts<typeof audioFacts>): AccessUnit[] {
  return Array.from({ length: a.count }, (_, i) => {
    const sentMs = a.beginMs + i * a.periodMs + (i >= a.holeAt ? a.holeMs : 0);
    const timeMs = sentMs + (i >= a.holeAt ? a.stepMs : 0) + (i % 3) * a.jitterMs;
    return unitOf({ track: audio, timeMs, receivedMs: Math.max(0, sentMs + a.lagMs) });
  });
}

const sessions = fc.record({
  video: videoFacts,
  audio: audioFacts,
  declared: fc.constantFrom<('video' | 'audio')[]>(
    ['video', 'audio'],
    ['video', 'audio'],
    ['video', 'audio'],
    ['video'],
    ['audio'],
  ),
  tickEvery: fc.integer({ min: 1, max: 50 }),
  changeAt: fc.option(fc.integer({ min: 0, max: 300 }), { nil: undefined }),
});

test('whatever a camera sends, fragments are fit for PutMedia and no unit is lost or doubled unless it is said', () => {
  fc.assert(
    fc.property(sessions, (session) => {
      const declared = session.declared.map((kind) => (kind === 'video' ? video : audio));
      const numbers = new Set(declared.map((track) => track.number));
      const units = [...videoUnits(session.video), ...audioUnits(session.audio)]
        .filter((unit) => numbers.has(unit.trackNumber))
        .map((unit, index) => ({ unit, index }))
        .sort((a, b) => a.unit.receivedMonotonicMs - b.unit.receivedMonotonicMs || a.index - b.index)
        .map(({ unit }) => unit);
      const checker = new FragmentChecker();
      const budget = new CountingBudget();
      const fragmenter = new Fragmenter({ sink: checker, budget }, { tracks: declared });

      for (const [i, unit] of units.entries()) {
        // The bytes are borrowed: whoever keeps a view of them sees garbage.
        const borrowed = { ...unit, bytes: new Uint8Array(unit.bytes) };
        fragmenter.push(borrowed);
        borrowed.bytes.fill(0xff);
        if (i % session.tickEvery === 0) fragmenter.tick(unit.receivedMonotonicMs);
        if (i === session.changeAt) fragmenter.changeRunAtKey('clock-step');
      }
      fragmenter.end('shutdown');

      const written = checker.blocks.map((block) => block.id);
      const dropped = checker.drops.map((drop) => drop.id);
      expect([...written, ...dropped].sort((a, b) => a - b)).toEqual(
        units.map((unit) => idOf(unit.bytes)).sort((a, b) => a - b),
      );
      expect(checker.runs.every((run) => run.endReason !== undefined)).toBe(true);
      expect(budget.used).toBe(0);
      for (const track of declared) {
        const order = checker.blocks.filter((block) => block.trackNumber === track.number).map((block) => block.id);
        expect(order, 'units of a track stay in decode order').toEqual([...order].sort((a, b) => a - b));
      }
    }),
    { numRuns: 500 },
  );
});
