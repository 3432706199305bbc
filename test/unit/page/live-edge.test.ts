/** How a live picture keeps near to what is newest. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LiveEdge } from '../../../appliance/page/src/player/live/live-edge.ts';

const range = (beginS: number, endS: number) => [{ beginS, endS }];

test('a picture that is a little late plays a little faster, one that is far behind jumps', () => {
  const edge = new LiveEdge();
  expect(edge.move(9.7, range(0, 10), 10)).toEqual({ kind: 'play', rate: 1 });
  expect(edge.move(9, range(0, 10), 10)).toMatchObject({ rate: 1.08 });
  expect(edge.move(2, range(0, 10), 10)).toEqual({ kind: 'jump', toS: 10 - edge.targetS });
  expect(edge.move(9.95, range(0, 10), 10)).toMatchObject({ rate: 0.97 });
});

test('before a hole what is left is played, then it goes on behind it', () => {
  const ranges = [...range(0, 10), ...range(14, 14.2)];
  const edge = new LiveEdge();
  expect(edge.move(9.9, [...range(0, 10), ...range(11, 11.2)], 20)).toMatchObject({ kind: 'play' });
  expect(edge.move(10, ranges, 20)).toEqual({ kind: 'jump', toS: 14 });
});

test('stalls make it stay further behind, calm brings it back', () => {
  const edge = new LiveEdge();
  const first = edge.targetS;
  for (let i = 0; i < 3; i++) edge.stalled(i);
  expect(edge.targetS).toBeGreaterThan(2 * first);
  for (let nowS = 3; nowS < 1_000; nowS += 1) edge.move(nowS, range(0, nowS + first), nowS);
  expect(edge.targetS).toBeCloseTo(first, 5);
});

test('lateness is told against the best transit of the last half minute', () => {
  const edge = new LiveEdge();
  expect(edge.behindS(1, 5)).toBeUndefined();
  edge.arrived(5, 100);
  edge.arrived(6, 103);
  expect(edge.behindS(5.5, 103)).toBeCloseTo(2.5, 5);
  for (let nowS = 104; nowS < 140; nowS++) edge.arrived(nowS - 97, nowS);
  expect(edge.behindS(43, 140)).toBeCloseTo(0, 5);
});

test('it is never sent to where nothing is', () => {
  const seconds = fc.double({ min: 0, max: 100, noNaN: true });
  fc.assert(
    fc.property(seconds, seconds, seconds, (mediaS, beginS, lengthS) => {
      const move = new LiveEdge().move(mediaS, range(beginS, beginS + lengthS), 0);
      return move.kind === 'play' || (move.toS >= beginS && move.toS <= beginS + lengthS);
    }),
  );
});
