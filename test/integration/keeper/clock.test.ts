/** A clock that was or is wrong makes the keeper remove nothing. */

import { utimes } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { recordRun } from '../../kit/recorded-runs.ts';
import { someRunId } from '../../kit/segments.ts';
import { until } from '../../kit/until.ts';
import { createSite, minute, settled } from './kit.ts';

const now = Date.now();
const streamId = 'door';

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
