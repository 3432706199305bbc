import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MediaLoss } from '../../../gateway/record/fragment-sink.ts';
import { Fragmenter } from '../../../gateway/record/fragmenter.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import type { Track } from '../../../storage/model/track.ts';
import { audio, FragmentChecker, unitOf, video } from './fragment-checker.ts';

const endless = { take: () => true, give: () => {} };

/** What the fragments of one session tell to be missing. */
function lossesOf(tracks: readonly Track[], units: readonly AccessUnit[]) {
  const checker = new FragmentChecker();
  const fragmenter = new Fragmenter({ sink: checker, budget: endless }, { tracks });
  for (const unit of units) fragmenter.push(unit);
  fragmenter.end('shutdown');
  const fragments = checker.runs.flatMap((run) => run.fragments);
  for (const { hasLoss, losses } of fragments) expect(hasLoss).toBe(losses.length > 0);
  const losses: MediaLoss[] = fragments.flatMap((fragment) => fragment.losses);
  return { runs: checker.runs.length, fragments, losses };
}

type Pictures = { periodMs: number; count: number; gop: number; isReordered: boolean };

/** Pictures in decode order (P B B where reordered), without those that `isSent` refuses by number of presentation. */
function pictures({ periodMs, count, gop, isReordered }: Pictures, isSent: (shown: number) => boolean): AccessUnit[] {
  return Array.from({ length: count }, (_, i) => {
    const inGop = i % gop;
    const isWhole = inGop > 0 && i - inGop + 3 * Math.ceil(inGop / 3) < Math.min(count, i - inGop + gop);
    const shown = !isReordered || !isWhole ? i : (inGop - 1) % 3 === 0 ? i + 2 : i - 1;
    return {
      shown,
      unit: unitOf({ track: video, timeMs: shown * periodMs, receivedMs: i * periodMs, isKey: inGop === 0 }),
    };
  })
    .filter(({ shown }) => isSent(shown))
    .map(({ unit }) => unit);
}

test('pictures that a camera leaves out are told with their exact span and nothing else is, in any order and GOP', () => {
  const cameras = fc.record({
    periodMs: fc.constantFrom(20, 40, 66, 100),
    gop: fc.integer({ min: 12, max: 100 }),
    isReordered: fc.boolean(),
    holeAt: fc.integer({ min: 30, max: 150 }),
    holePictures: fc.integer({ min: 0, max: 60 }),
  });
  fc.assert(
    fc.property(cameras, ({ holeAt, holePictures, ...camera }) => {
      const { periodMs, gop } = camera;
      const isInHole = (shown: number) => shown >= holeAt && shown < holeAt + holePictures;
      const units = pictures({ ...camera, count: 260 }, (shown) => !isInHole(shown));

      const { losses, runs } = lossesOf([video], units);

      const shown = units.map((unit) => Math.round(unit.presentationTimeUs / 1_000 / periodMs)).sort((a, b) => a - b);
      const expected: MediaLoss[] = [];
      for (let i = 1; i < shown.length; i++) {
        const [beforeMs, afterMs] = [(shown[i - 1] ?? 0) * periodMs, (shown[i] ?? 0) * periodMs];
        if (afterMs - beforeMs > Math.max(250, 3 * periodMs)) {
          expected.push({ beginMs: beforeMs + periodMs, endMs: afterMs, reason: 'source-silent' });
        }
      }
      expect(runs).toBe(1);
      expect(losses, `GOP ${gop}`).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test('cameras of few pictures, of pairs of pictures and of a shaking clock have no holes', () => {
  const rhythms: readonly (readonly [name: string, timeMs: (i: number) => number, gop: number])[] = [
    ['one picture in five seconds', (i) => i * 5_000, 1],
    ['one a second', (i) => i * 1_000, 10],
    ['five a second', (i) => i * 200, 25],
    ['pairs of pictures', (i) => Math.floor(i / 2) * 1_000 + (i % 2) * 40, 8],
    ['two a second by a shaking clock', (i) => i * 500 + ((i * 37) % 100) * 3, 4],
    ['25 a second with a picture left out now and then', (i) => (i + Math.floor(i / 20)) * 40, 50],
  ];
  for (const [name, timeMs, gop] of rhythms) {
    const units = Array.from({ length: 100 }, (_, i) =>
      unitOf({ track: video, timeMs: timeMs(i), isKey: i % gop === 0 }),
    );

    const { losses, runs } = lossesOf([video], units);

    expect({ name, runs, losses }).toEqual({ name, runs: 1, losses: [] });
  }
});

test('a camera of two pictures in three seconds that leaves some out has a hole', () => {
  const units = pictures({ periodMs: 1_500, count: 30, gop: 1, isReordered: false }, () => true);

  const { losses } = lossesOf(
    [video],
    units.filter((_, i) => i < 15 || i > 17),
  );

  expect(losses).toEqual([{ beginMs: 22_500, endMs: 27_000, reason: 'source-silent' }]);
});

test('a camera that becomes slow is believed after a few pictures', () => {
  const timeMs = (i: number) => (i < 100 ? i * 40 : 4_000 + (i - 100) * 1_000);
  const units = Array.from({ length: 160 }, (_, i) => unitOf({ track: video, timeMs: timeMs(i), isKey: i % 5 === 0 }));

  const { losses } = lossesOf([video], units);

  expect(losses.length).toBeGreaterThan(0);
  expect(Math.max(...losses.map((loss) => loss.endMs))).toBeLessThanOrEqual(4_000 + 12_000);
});

test('a hole that the source told as lost packets keeps that reason', () => {
  const all = pictures({ periodMs: 40, count: 150, gop: 50, isReordered: false }, () => true);

  const { losses } = lossesOf(
    [video],
    all.filter((_, i) => i < 60 || i >= 80).map((unit, i) => ({ ...unit, isAfterLoss: i === 60 })),
  );

  expect(losses).toEqual([{ beginMs: 59 * 40, endMs: 80 * 40, reason: 'packet-loss' }]);
});

test('a camera that sends neither pictures nor sound for some seconds has one hole', () => {
  const isSent = (unit: AccessUnit) => unit.receivedMonotonicMs < 3_000 || unit.receivedMonotonicMs >= 6_000;
  const sounds = Array.from({ length: 500 }, (_, i) => unitOf({ track: audio, timeMs: i * 20 }));
  const all = [...pictures({ periodMs: 40, count: 250, gop: 50, isReordered: false }, () => true), ...sounds];
  const units = all.filter(isSent).sort((a, b) => a.receivedMonotonicMs - b.receivedMonotonicMs);

  const { losses } = lossesOf([video, audio], units);

  expect(losses).toEqual([{ beginMs: 3_000, endMs: 6_000, reason: 'source-silent' }]);
});

test('sound alone is judged by how long its frames last', () => {
  const frameMs = 1_024 / 48;
  const sounds = Array.from({ length: 500 }, (_, i) => unitOf({ track: audio, timeMs: i * frameMs }));

  const { losses } = lossesOf(
    [audio],
    sounds.filter((_, i) => (i < 100 || i >= 130) && (i < 300 || i >= 308)),
  );

  expect(losses).toEqual([
    { beginMs: Math.round(100 * frameMs), endMs: Math.round(130 * frameMs), reason: 'source-silent' },
  ]);
});
