/** A clock that was or is wrong makes the keeper remove nothing. */

import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import type { Plan } from '../../../storage/model/camera.ts';
import { planOfSources, recordingPolicy } from '../../kit/plans.ts';
import { recordRun } from '../../kit/recorded-runs.ts';
import { someRunId } from '../../kit/segments.ts';
import { until } from '../../kit/until.ts';
import { createSite, expectNothing, minute, type Site, settled } from './kit.ts';

const now = Date.now();
const streamId = 'door';
const year = 365 * 24 * 60 * minute;
const removesAll = { bytesMax: 1 };

/** A clock of the same speed that a person or a time server sets. */
function createSettableClock(): Clock & { aheadMs: number } {
  return {
    ...systemClock,
    aheadMs: 0,
    wallMs() {
      return Date.now() + this.aheadMs;
    },
  };
}

function planOf(retentionHours: number): Plan {
  const source = { kind: 'rtsp', url: 'rtsp://camera', transport: 'tcp', tls: 'verify' } as const;
  const recording = recordingPolicy({ retentionHours });
  return planOfSources({ streamId, cameraId: 'cam', role: 'main', name: 'Door', source, recording, revision: 1 });
}

async function loseIndex(site: Site): Promise<void> {
  for (const suffix of ['', '-wal', '-shm', '.clean']) await rm(`${site.paths.index}${suffix}`, { force: true });
}

const hold = { streamId, beginMs: 0, endMs: undefined, who: 'mia', why: 'court', untilMs: undefined };
const segmentsOf = (site: Site) => site.index.totalsOf(streamId)?.segments;

test('after the clock was set back, wanted footage with the time of an old pause is taken in', async () => {
  const site = await createSite();
  const at = (minutes: number) => now + minutes * minute;
  const [runId, nextRunId] = [someRunId('a'), someRunId('b')];
  await site.tell(
    { kind: 'wanted', streamId, atMs: at(-120) },
    { kind: 'run-began', streamId, runId, atMs: at(-120) },
    { kind: 'unwanted', streamId, atMs: at(-60) },
    { kind: 'wanted', streamId, atMs: at(-30) },
    { kind: 'run-began', streamId, runId, atMs: at(-30) },
    { kind: 'run-ended', streamId, runId, atMs: at(-15), reason: 'clock-step' },
    { kind: 'run-began', streamId, runId: nextRunId, atMs: at(-50) },
  );
  const run = await recordRun(site.paths, { seed: 'b', beginMs: at(-50), fragments: 100, firstCounter: 1 });
  for (const path of run.files) await utimes(path, new Date(at(-40)), new Date(at(-40)));

  const keeper = await site.startKeeper();

  await settled(keeper, run.files.length);
});

test('while nobody wants a recording, runs that begin are of the ring, whatever the clock says', async () => {
  const site = await createSite();
  const runId = someRunId('a');
  await site.tell(
    { kind: 'unwanted', streamId, atMs: now },
    { kind: 'run-began', streamId, runId, atMs: now - 60 * minute },
  );
  const run = await recordRun(site.paths, { seed: 'a', beginMs: now - 60 * minute, fragments: 20, firstCounter: 1 });
  for (const path of run.files) await utimes(path, new Date(now - 50 * minute), new Date(now - 50 * minute));

  const keeper = await site.startKeeper();

  await until('the ring is trimmed', async () => keeper.isIndexOpen && (await site.localFiles()).length === 0);
  expect(site.index.totalsOf(streamId)?.segments ?? 0).toBe(0);
  expect(await site.objects()).toEqual([]);
});

test('after a clock that ran ahead was set back, gaps are told as ever and check names nothing', async () => {
  const clock = createSettableClock();
  const site = await createSite({ clock });
  const at = (minutes: number) => now + minutes * minute;
  const runOf = (seed: string, minutes: number, firstCounter: number) =>
    recordRun(site.paths, { seed, beginMs: at(minutes), fragments: 50, firstCounter });
  const a = await runOf('a', -30, 1);
  await site.tell(
    { kind: 'wanted', streamId, atMs: at(-30) },
    { kind: 'run-began', streamId, runId: a.runId, atMs: at(-30) },
  );
  const keeper = await site.startKeeper();
  await settled(keeper, 5);

  clock.aheadMs = year;
  const b = await runOf('b', -25 + year / minute, 100);
  await site.tell(
    { kind: 'run-ended', streamId, runId: a.runId, atMs: at(-25), reason: 'clock-step' },
    { kind: 'run-began', streamId, runId: b.runId, atMs: at(-25) + year },
  );
  await settled(keeper, 10);
  await until('the step is told', () => site.index.gapsBetween(streamId, { beginMs: at(-25), endMs: now }).length > 0);
  clock.aheadMs = 0;
  const c = await runOf('c', -20, 200);
  const d = await runOf('d', -10, 300);
  await site.tell(
    { kind: 'run-ended', streamId, runId: b.runId, atMs: at(-20) + year, reason: 'clock-step' },
    { kind: 'run-began', streamId, runId: c.runId, atMs: at(-20) },
    { kind: 'run-ended', streamId, runId: c.runId, atMs: at(-15), reason: 'source-silent' },
    { kind: 'waiting', streamId, atMs: at(-14), reason: 'unreachable' },
    { kind: 'run-began', streamId, runId: d.runId, atMs: at(-10) },
  );
  await settled(keeper, 20);

  const gaps = () => site.index.gapsBetween(streamId, { beginMs: 0, endMs: now + 2 * year });
  await until('the last gap is told', () => gaps().length === 3);
  expect(gaps().map((gap) => [gap.beginMs - now, (gap.endMs ?? 0) - now, gap.reason])).toEqual([
    [-25 * minute, -20 * minute, 'clock-step'],
    [-15 * minute, -14 * minute, 'source-silent'],
    [-14 * minute, -10 * minute, 'unreachable'],
  ]);
  await keeper.close();
  expectNothing(await site.findings());
});

test('an index that is lost while the clock is wrong is rebuilt, and nothing of it is removed by age', async () => {
  const clock = createSettableClock();
  const site = await createSite({ clock });
  await recordRun(site.paths, { seed: 'a', beginMs: now - 30 * minute, fragments: 40, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 4);
  await keeper.close();

  clock.aheadMs = year;
  await loseIndex(site);
  const again = await site.startKeeper();
  again.setPlan(planOf(24));
  await settled(again, 4);

  expect(again.state.clock).toMatchObject({
    isTrusted: false,
    reason: 'the clock is more than a day past the newest footage',
  });
  await again.close();
  const third = await site.startKeeper();
  await settled(third, 4);
  expect(third.state.clock.isTrusted).toBe(false);
  expect(segmentsOf(site)).toBe(4);
});

test('a doubt that was lost with the index is one', async () => {
  const site = await createSite();
  await recordRun(site.paths, { seed: 'a', beginMs: now - 30 * minute, fragments: 40, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 4);
  expect(keeper.state.clock.isTrusted).toBe(true);
  await until('no local copies are left', async () => (await site.localFiles()).length === 0);
  await keeper.close();

  await loseIndex(site);
  const again = await site.startKeeper();
  await settled(again, 4);

  expect(again.state.clock.reason).toMatch(/index was lost/);
});

test('footage that the store never got is not removed by age either, when the index and the time are lost', async () => {
  const clock = createSettableClock();
  const site = await createSite({ clock });
  clock.aheadMs = year;
  await recordRun(site.paths, { seed: 'a', beginMs: now - 30 * minute, fragments: 40, firstCounter: 1 });

  const keeper = await site.startKeeper();
  keeper.setPlan(planOf(24));
  await settled(keeper, 4);

  expect(keeper.state.clock.isTrusted).toBe(false);
});

test('no hold lapses by a clock that is in doubt', async () => {
  const clock = createSettableClock();
  const site = await createSite({ clock });
  await recordRun(site.paths, { seed: 'a', beginMs: now - 30 * minute, fragments: 40, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 4);
  await keeper.holds.add({ ...hold, untilMs: now + 90 * 24 * 60 * minute });
  await keeper.close();
  clock.aheadMs = -year;
  const again = await site.startKeeper(removesAll);
  again.setPlan(planOf(24));
  await until('the limit is told', () => again.state.problems.some((problem) => problem.code === 'limit-short'));

  clock.aheadMs = year;
  const request = { streamId, beginMs: 0, endMs: now + year, who: 'mia' };
  expect(again.removeRange(request)).toEqual({ removed: 0, held: 4 });
  await again.holds.add({ ...hold, streamId: 'other' });
  await again.close();

  const kept = await readFile(join(site.paths.state, 'keeper', 'holds.json'), 'utf8');
  expect(kept.match(/"court"/g)).toHaveLength(2);
  expect(segmentsOf(site)).toBe(4);
});

test('holds that cannot be read are not written over, and nothing is removed until they are mended', async () => {
  const site = await createSite();
  await recordRun(site.paths, { seed: 'a', beginMs: now - 30 * minute, fragments: 40, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 4);
  const { holdId } = await keeper.holds.add(hold);
  await keeper.close();
  await loseIndex(site);
  const path = join(site.paths.state, 'keeper', 'holds.json');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.slice(0, -20));

  const again = await site.startKeeper(removesAll);
  await settled(again, 4);

  const refusal = { code: 'failed_precondition', hint: expect.any(String) };
  expect(() => again.removeRange({ streamId, beginMs: 0, endMs: now, who: 'mia' })).toThrow(/cannot be read/);
  // Also while the file is being looked at again.
  const looking = again.holds.restore();
  expect(() => again.removeRange({ streamId, beginMs: 0, endMs: now, who: 'mia' })).toThrow(/cannot be read/);
  await expect(looking).rejects.toMatchObject({ code: 'data_loss' });
  await expect(again.holds.add(hold)).rejects.toMatchObject(refusal);
  await expect(again.holds.release(holdId, 'mia')).rejects.toMatchObject(refusal);
  expect(await readFile(path, 'utf8')).toBe(text.slice(0, -20));

  await writeFile(path, text);
  await until('they are read', () => !again.state.problems.some((problem) => problem.code === 'holds-unreadable'));
  await again.holds.release(holdId, 'mia');
  await until('the limit is kept', () => segmentsOf(site) === 0);
});

test('a clock that a person confirmed is not doubted again for footage that was dated ahead before', async () => {
  const clock = createSettableClock();
  const site = await createSite({ clock });
  await recordRun(site.paths, { seed: 'wrong', beginMs: now + year, fragments: 20, firstCounter: 1 });
  const keeper = await site.startKeeper();
  await settled(keeper, 2);
  await keeper.close();
  const again = await site.startKeeper();
  await until('the clock is in doubt', () => again.state.isIndexOpen && !again.state.clock.isTrusted);

  again.confirmClock();
  await again.close();
  const third = await site.startKeeper();
  await settled(third, 2);
  expect(third.state.clock.isTrusted).toBe(true);
  await recordRun(site.paths, { seed: 'right', beginMs: now - 10 * minute, fragments: 20, firstCounter: 100 });
  await settled(third, 4);
  await third.close();
  const fourth = await site.startKeeper();
  await settled(fourth, 4);
  expect(fourth.state.clock.isTrusted).toBe(true);
  await fourth.close();

  clock.aheadMs = year;
  const fifth = await site.startKeeper();
  await settled(fifth, 4);
  expect(fifth.state.clock.isTrusted).toBe(false);
});
