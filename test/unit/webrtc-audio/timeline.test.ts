import { expect, test } from 'vitest';
import { Timeline } from '../../../gateway/webrtc/audio/timeline.ts';

test('places between two marks have the time of the first one and what lies between', () => {
  const timeline = new Timeline();
  timeline.mark(0, 5_000_000);
  timeline.mark(20_000, 5_020_000);

  expect([0, 7_500, 20_000, 31_000].map((place) => timeline.timeAt(place))).toEqual([
    5_000_000, 5_007_500, 5_020_000, 5_031_000,
  ]);
});

test('samples that an encoder puts in front come before the first unit', () => {
  const timeline = new Timeline();
  timeline.mark(0, 1_000_000);

  expect(timeline.timeAt(-2_500)).toBe(997_500);
});

test('a hole in what went in is a hole in what comes out, from its place on', () => {
  const timeline = new Timeline();
  timeline.mark(0, 0);
  timeline.mark(20_000, 520_000);

  expect(timeline.timeAt(10_000)).toBe(10_000);
  expect(timeline.timeAt(20_000)).toBe(520_000);
});

test('a place that is rounded to just before a mark belongs to it', () => {
  const timeline = new Timeline();
  timeline.mark(0, 0);
  timeline.mark(21_333.333, 500_000);

  expect(Math.round(timeline.timeAt(21_333) ?? 0)).toBe(500_000);
});

test('what came out is forgotten, and what is on its way is known', () => {
  const timeline = new Timeline();
  for (let i = 0; i < 1_000; i++) timeline.mark(i * 20_000, i * 20_000);

  timeline.timeAt(990 * 20_000);

  expect(timeline.ahead).toBe(9);
});
