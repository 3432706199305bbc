import { expect, test } from 'vitest';
import { Fragmenter } from '../../../gateway/record/fragmenter.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import { limits } from '../../../storage/model/limits.ts';
import type { Track } from '../../../storage/model/track.ts';
import { audio, FragmentChecker, unitOf, video } from './fragment-checker.ts';

const endless = { take: () => true, give: () => {} };

function fragmenterOf(tracks: readonly Track[]) {
  const checker = new FragmentChecker();
  return { checker, fragmenter: new Fragmenter({ sink: checker, budget: endless }, { tracks }) };
}

/** Video of 25 frames a second with a key frame each `gopMs`, media time `beginMs` up to `endMs`. */
function pictures(beginMs: number, endMs: number, gopMs = 2_000): AccessUnit[] {
  const units: AccessUnit[] = [];
  for (let t = beginMs; t < endMs; t += 40)
    units.push(unitOf({ track: video, timeMs: t, isKey: (t - beginMs) % gopMs === 0 }));
  return units;
}

/** Audio of 50 frames a second that arrives `lagMs` after its media time. */
function sounds(beginMs: number, endMs: number, lagMs = 5): AccessUnit[] {
  const units: AccessUnit[] = [];
  for (let t = beginMs; t < endMs; t += 20) units.push(unitOf({ track: audio, timeMs: t, receivedMs: t + lagMs }));
  return units;
}

function inOrder(...lists: AccessUnit[][]): AccessUnit[] {
  return lists.flat().sort((a, b) => a.receivedMonotonicMs - b.receivedMonotonicMs);
}

const shape = (checker: FragmentChecker) =>
  checker.runs.map((run) => ({
    tracks: run.tracks.map((track) => track.number),
    end: run.endReason,
    fragments: run.fragments.map((each) => [each.beginMs, each.durationMs, each.isKey]),
  }));

test('a fragment begins at each key frame and lasts up to the next', () => {
  const { checker, fragmenter } = fragmenterOf([video]);

  for (const unit of pictures(0, 5_000)) fragmenter.push(unit);
  fragmenter.end('shutdown');

  const fragments = [
    [0, 2_000, true],
    [2_000, 2_000, true],
    [4_000, 1_000, true],
  ];
  expect(shape(checker)).toEqual([{ tracks: [1], end: 'shutdown', fragments }]);
  expect(checker.drops).toEqual([]);
});

test('audio before and after the key frame goes to the fragment of its time', () => {
  const { checker, fragmenter } = fragmenterOf([video, audio]);

  for (const unit of inOrder(pictures(0, 6_000), sounds(0, 6_000, 130))) fragmenter.push(unit);
  fragmenter.end('shutdown');

  const [run] = checker.runs;
  expect(run?.fragments.map((each) => each.tracks.map((track) => track.samples))).toEqual([
    [50, 100],
    [50, 100],
    [50, 100],
  ]);
  expect(run?.fragments[1]?.tracks[1]).toMatchObject({ beginMediaMs: 2_000, endMediaMs: 4_000 });
  expect(checker.drops).toEqual([]);
});

test('audio that is far ahead of the video is held for the fragment of its time', () => {
  const { checker, fragmenter } = fragmenterOf([video, audio]);

  for (const unit of inOrder(pictures(0, 6_000), sounds(0, 6_000, -800))) fragmenter.push(unit);
  fragmenter.end('shutdown');

  expect(checker.runs[0]?.fragments.map((each) => each.tracks[1]?.samples)).toEqual([100, 100, 100]);
});

test('audio later than the wait goes to the next fragment and nothing is lost', () => {
  const { checker, fragmenter } = fragmenterOf([video, audio]);

  for (const unit of inOrder(pictures(0, 8_000), sounds(0, 8_000, 900))) fragmenter.push(unit);
  fragmenter.end('shutdown');

  expect(checker.runs).toHaveLength(1);
  expect(checker.drops).toEqual([]);
  expect(checker.runs[0]?.fragments[1]?.tracks[1]?.beginMediaMs).toBeLessThan(2_000);
});

test('without a key frame a fragment is cut by time and goes on as a continuation', () => {
  const { checker, fragmenter } = fragmenterOf([video]);

  for (const unit of pictures(0, 24_000, 100_000)) fragmenter.push(unit);
  fragmenter.end('shutdown');

  expect(checker.runs[0]?.fragments.map((each) => [each.beginMs, each.isKey])).toEqual([
    [0, true],
    [10_000, false],
    [20_000, false],
  ]);
});

test('without a key frame a fragment is cut by bytes', () => {
  const { checker, fragmenter } = fragmenterOf([video]);

  for (let i = 0; i < 40; i++) {
    fragmenter.push(unitOf({ track: video, timeMs: i * 40, isKey: i === 0, byteLength: 1 << 20 }));
  }
  fragmenter.end('shutdown');

  expect(checker.runs[0]?.fragments.map((each) => each.tracks[0]?.samples)).toEqual([16, 16, 8]);
});

test('a camera of key frames alone gets fragments of half a second', () => {
  const { checker, fragmenter } = fragmenterOf([video]);

  for (const unit of pictures(0, 2_000, 40)) fragmenter.push(unit);
  fragmenter.end('shutdown');

  expect(checker.runs[0]?.fragments.map((each) => each.durationMs)).toEqual([520, 520, 520, 440]);
});

test('audio alone is cut every two seconds', () => {
  const { checker, fragmenter } = fragmenterOf([audio]);

  for (const unit of sounds(0, 5_000)) fragmenter.push(unit);
  fragmenter.end('shutdown');

  expect(checker.runs[0]?.fragments.map((each) => [each.beginMs, each.durationMs, each.isKey])).toEqual([
    [0, 2_000, true],
    [2_000, 2_000, true],
    [4_000, 1_000, true],
  ]);
});

test('a run begins with the first key frame, and what came before is said to be dropped', () => {
  const { checker, fragmenter } = fragmenterOf([video, audio]);
  const before = pictures(-400, 0, 100_000).slice(1);

  for (const unit of inOrder(before, pictures(0, 1_000), sounds(-400, 1_000))) fragmenter.push(unit);
  fragmenter.end('shutdown');

  expect(checker.runs[0]?.fragments[0]).toMatchObject({ beginMs: 0, isKey: true });
  expect(new Set(checker.drops.map((drop) => drop.reason))).toEqual(new Set(['before-key', 'before-run']));
  expect(checker.drops).toHaveLength(9 + 20);
});

test('a declared track that does not show up in the first second is left out, and taken in when it comes', () => {
  const { checker, fragmenter } = fragmenterOf([video, audio]);

  for (const unit of inOrder(pictures(0, 8_000), sounds(2_500, 8_000))) fragmenter.push(unit);
  fragmenter.end('shutdown');

  expect(shape(checker)).toEqual([
    {
      tracks: [1],
      end: 'track-returned',
      fragments: [
        [0, 2_000, true],
        [2_000, 2_000, true],
      ],
    },
    {
      tracks: [1, 2],
      end: 'shutdown',
      fragments: [
        [0, 2_000, true],
        [2_000, 2_000, true],
      ],
    },
  ]);
  expect(checker.drops.every((drop) => drop.reason === 'track-left-out')).toBe(true);
});

test('a track silent for a whole fragment ends the run, and its video is all there', () => {
  const { checker, fragmenter } = fragmenterOf([video, audio]);

  for (const unit of inOrder(pictures(0, 10_000), sounds(0, 3_000))) fragmenter.push(unit);
  fragmenter.end('connection-lost');

  expect(shape(checker).map((run) => [run.tracks, run.end, run.fragments.length])).toEqual([
    [[1, 2], 'track-silent', 2],
    [[1], 'connection-lost', 3],
  ]);
  expect(checker.runs[1]?.offsetUs).toBe(4_000_000);
  expect(checker.drops).toEqual([]);
});

test('video that stops leaves a run of audio, and comes back with its key frame', () => {
  const { checker, fragmenter } = fragmenterOf([video, audio]);

  for (const unit of inOrder(pictures(0, 3_000), pictures(20_000, 24_000), sounds(0, 24_000))) fragmenter.push(unit);
  fragmenter.end('shutdown');

  expect(shape(checker).map((run) => [run.tracks, run.end])).toEqual([
    [[1, 2], 'track-silent'],
    [[2], 'track-returned'],
    [[1, 2], 'shutdown'],
  ]);
  expect(checker.drops).toEqual([]);
});

test('a key frame waits half a second for audio that stopped, by the clock if nothing else comes', () => {
  const { checker, fragmenter } = fragmenterOf([video, audio]);
  for (const unit of inOrder(pictures(0, 2_001), sounds(0, 1_500))) fragmenter.push(unit);

  fragmenter.tick(2_400);
  const waiting = checker.runs[0]?.fragments.length;
  fragmenter.tick(2_500);

  expect(waiting).toBe(0);
  expect(checker.runs[0]?.fragments).toHaveLength(1);
  expect(fragmenter.held).toHaveLength(1);
});

test('a jump of the media clock ends the run and the next one begins near zero', () => {
  const { checker, fragmenter } = fragmenterOf([video]);

  for (const unit of pictures(0, 3_000)) fragmenter.push(unit);
  for (const unit of pictures(3_600_000, 3_602_000)) fragmenter.push({ ...unit, receivedMonotonicMs: 3_000 });
  for (const unit of pictures(10_000, 11_000)) fragmenter.push({ ...unit, receivedMonotonicMs: 5_000 });
  fragmenter.end('shutdown');

  expect(checker.runs.map((run) => [run.endReason, run.fragments[0]?.beginMs])).toEqual([
    ['time-jump', 0],
    ['time-jump', 0],
    ['shutdown', 0],
  ]);
});

test('a hole of many seconds on both clocks is silence of the source', () => {
  const { checker, fragmenter } = fragmenterOf([video]);

  for (const unit of [...pictures(0, 3_000), ...pictures(20_000, 21_000)]) fragmenter.push(unit);
  fragmenter.end('shutdown');

  expect(checker.runs.map((run) => run.endReason)).toEqual(['source-silent', 'shutdown']);
});

test("an audio clock that jumps does not touch the video's run", () => {
  const { checker, fragmenter } = fragmenterOf([video, audio]);
  const jumped = sounds(1_000, 1_400).map((unit) => ({
    ...unit,
    presentationTimeUs: unit.presentationTimeUs + 3_600_000_000,
  }));

  for (const unit of inOrder(pictures(0, 4_000), sounds(0, 1_000), jumped, sounds(1_400, 4_000))) fragmenter.push(unit);
  fragmenter.end('shutdown');

  expect(checker.runs).toHaveLength(1);
  expect(checker.drops.map((drop) => drop.reason)).toEqual(Array(20).fill('time-jump'));
  expect(checker.runs[0]?.fragments[0]?.hasLoss).toBe(true);
});

test('a wanted change of the run happens at a key frame without losing a unit', () => {
  const { checker, fragmenter } = fragmenterOf([video, audio]);

  for (const [i, unit] of inOrder(pictures(0, 6_000), sounds(0, 6_000)).entries()) {
    fragmenter.push(unit);
    if (i === 100) fragmenter.changeRunAtKey('clock-step');
  }
  fragmenter.end('shutdown');

  expect(shape(checker).map((run) => [run.end, run.fragments.length])).toEqual([
    ['clock-step', 1],
    ['shutdown', 2],
  ]);
  expect(checker.drops).toEqual([]);
});

test('after a restart the next run begins at the next key frame and everything between is said to be dropped', () => {
  const { checker, fragmenter } = fragmenterOf([video]);
  const units = pictures(0, 6_000);

  for (const unit of units.slice(0, 50)) fragmenter.push(unit);
  const committed = checker.runs[0]?.fragments.length;
  fragmenter.end('write-failed');
  for (const unit of units.slice(60)) fragmenter.push(unit);
  fragmenter.end('shutdown');

  expect(committed).toBe(0);
  expect(checker.runs.map((run) => [run.endReason, run.offsetUs])).toEqual([
    ['write-failed', 0],
    ['shutdown', 4_000_000],
  ]);
  expect(new Set(checker.drops.map((drop) => drop.reason))).toEqual(new Set(['before-key']));
});

test('packets lost before a unit are told as a span of missing media', () => {
  const { checker, fragmenter } = fragmenterOf([video]);
  const units = pictures(0, 2_000);

  for (const [i, unit] of units.entries()) if (i < 20 || i > 22) fragmenter.push({ ...unit, isAfterLoss: i === 23 });
  fragmenter.end('shutdown');

  expect(checker.runs[0]?.fragments[0]).toMatchObject({
    hasLoss: true,
    losses: [{ beginMs: 760, endMs: 920, reason: 'packet-loss' }],
  });
});

test('times are rounded one by one and never drift, fall back or meet', () => {
  const { checker, fragmenter } = fragmenterOf([audio]);
  const stepMs = 1_024_000 / 44_100;

  for (let i = 0; i < 1_000; i++) fragmenter.push(unitOf({ track: audio, timeMs: i * stepMs, receivedMs: i * stepMs }));
  fragmenter.end('shutdown');

  const times = checker.blocks.map((block) => block.mediaMs);
  expect(times.every((time, i) => Math.abs(time - i * stepMs) <= 0.51)).toBe(true);
});

test('pictures that are shown before the first key frame are left out of the run', () => {
  const { checker, fragmenter } = fragmenterOf([video]);

  fragmenter.push(unitOf({ track: video, timeMs: 80, isKey: true }));
  fragmenter.push(unitOf({ track: video, timeMs: 0 }));
  fragmenter.push(unitOf({ track: video, timeMs: 40 }));
  fragmenter.push(unitOf({ track: video, timeMs: 120 }));
  fragmenter.end('shutdown');

  expect(checker.blocks.map((block) => block.mediaMs)).toEqual([0, 40]);
  expect(checker.drops.map((drop) => drop.reason)).toEqual(['before-run', 'before-run']);
});

test('held units come out of the shared budget, and a used-up budget is an error', () => {
  const checker = new FragmentChecker();
  let left = 100_000;
  const budget = {
    take: (bytes: number) => {
      if (bytes > left) return false;
      left -= bytes;
      return true;
    },
    give: (bytes: number) => {
      left += bytes;
    },
  };
  const fragmenter = new Fragmenter({ sink: checker, budget }, { tracks: [video, audio] });
  const push = () => {
    for (let i = 0; i < 20; i++)
      fragmenter.push(unitOf({ track: video, timeMs: i * 40, isKey: i === 0, byteLength: 10_000 }));
  };

  expect(push).toThrow(expect.objectContaining({ code: 'resource_exhausted' }));
  fragmenter.restart();

  expect(left).toBe(100_000);
  expect(checker.drops.filter((drop) => drop.reason === 'not-writable')).toHaveLength(11);
});

test('a unit larger than any picture is refused', () => {
  const { checker, fragmenter } = fragmenterOf([video]);

  fragmenter.push(unitOf({ track: video, timeMs: 0, isKey: true, byteLength: limits.accessUnitBytesMax + 1 }));

  expect(checker.drops).toMatchObject([{ reason: 'bad-size' }]);
});
