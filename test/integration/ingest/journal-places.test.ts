/** A run that went to a spare directory goes back as soon as the preferred one takes writes again, and not before. */

import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { JournalPlaces } from '../../../gateway/record/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

async function startPlaces() {
  const directory = await temporaryDirectory();
  const roots = ['preferred', 'spare'].map((name) => join(directory, name));
  const clock = new SimulatedClock();
  const places = new JournalPlaces(
    { clock, log: silentLog, random: () => 0 },
    { roots, state: join(directory, 'state'), ingestName: 'ingest-0', syncPeriodMs: 2_000 },
  );
  await places.start();
  onTestFinished(() => places.close());
  const [preferred = '', spare = ''] = roots;
  const pick = () => must(places.pick(), 'a place takes writes');
  return { places, clock, preferred, spare, pick };
}

test('while the preferred directory is not there runs stay in the spare one, and go back when it is', async () => {
  const { places, clock, preferred, spare, pick } = await startPlaces();
  const first = pick();
  const away = `${preferred}-away`;
  await rename(preferred, away);
  await writeFile(preferred, '');
  places.failed(first, 'write-failed', appError('unavailable', 'ENOENT: no such file or directory'));
  const second = pick();

  const answers: boolean[] = [];
  for (let i = 0; i < 10; i++) {
    await clock.advance(15_000);
    answers.push(places.hasBetterThan(second));
    await until('it was tried', () => places.faults.length === 1);
  }
  await rm(preferred);
  await rename(away, preferred);
  await until('it is better', async () => {
    await clock.advance(15_000);
    return places.hasBetterThan(second);
  });

  expect([first.root, second.root]).toEqual([preferred, spare]);
  expect(new Set(answers)).toEqual(new Set([false]));
  expect(places.faults).toEqual([]);
  expect(pick()).toBe(first);
});

test('the preferred directory has no better one', async () => {
  const { places, pick } = await startPlaces();

  expect(places.hasBetterThan(pick())).toBe(false);
});

test('a spare directory is left for a preferred one that could not be opened at the start', async () => {
  const { places, clock, preferred, pick } = await startPlacesWithoutPreferred();
  const spare = pick();
  await rm(preferred);
  await mkdir(preferred);

  await until('it is better', async () => {
    await clock.advance(15_000);
    return places.hasBetterThan(spare);
  });

  expect(pick().root).toBe(preferred);
});

async function startPlacesWithoutPreferred() {
  const directory = await temporaryDirectory();
  const roots = ['preferred', 'spare'].map((name) => join(directory, name));
  const [preferred = ''] = roots;
  await writeFile(preferred, 'not a directory');
  const clock = new SimulatedClock();
  const places = new JournalPlaces(
    { clock, log: silentLog, random: () => 0 },
    { roots, state: join(directory, 'state'), ingestName: 'ingest-0', syncPeriodMs: 2_000 },
  );
  await places.start();
  onTestFinished(() => places.close());
  return { places, clock, preferred, pick: () => must(places.pick(), 'a place takes writes') };
}
