import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { deadOpenDirectories, recoverOpenDirectory } from '../../../storage/journal/index.ts';
import { LaneClient } from '../../../storage/lane/index.ts';
import type { Plan } from '../../../storage/model/camera.ts';
import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { startGstCamera } from '../../kit/gst-camera.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { numbersIn, plannedOf, planOf, sourceOf, startIngest, storedFiles, streamId } from './ingest-kit.ts';

const childPath = fileURLToPath(new URL('./ingest-child.ts', import.meta.url));

function spawnIngest(data: string, plan: Plan): ChildProcess {
  const child = spawn(process.execPath, [childPath, data, JSON.stringify(plan)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

test('an ingest process killed again and again loses no committed fragment, and numbers go on', async () => {
  const camera = await startGstCamera({ audio: 'aac', gopFrames: 25 });
  const data = await temporaryDirectory();
  const paths = pathsUnder(data);
  const committed = new Set<FragmentNumber>();
  const client = new LaneClient(
    { clock: systemClock, log: silentLog },
    { path: join(paths.run, 'ingest-0.sock'), name: 'test' },
  );
  client.watch({
    onHint: (hint) => {
      if (hint.kind === 'committed') committed.add(hint.fragment.number);
    },
  });
  client.start();
  onTestFinished(() => client.close());

  for (let round = 1; round <= 4; round++) {
    const child = spawnIngest(data, planOf(plannedOf(sourceOf(camera))));
    const before = committed.size;
    await until('fragments are committed', () => committed.size >= before + 2);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  const { ingest } = await startIngest({ paths });
  for (const { directory } of await deadOpenDirectories({ state: paths.state, journalOpen: paths.journalOpen })) {
    await recoverOpenDirectory(
      { log: silentLog },
      { directory, finishedDirectory: paths.journalFinished, files: 'all' },
    );
  }
  await ingest.close();

  const files = await storedFiles(paths);
  const stored = files.flatMap((file) => file.fragments.map((fragment) => fragment.number));
  expect(new Set(stored)).toEqual(new Set([...stored, ...committed]));
  expect(stored).toEqual([...stored].sort());
  expect(new Set(files.map((file) => file.head.runId)).size).toBe(4);
  for (const file of files) {
    const numbers = await numbersIn([file]);
    expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] ?? 0) + i));
    expect(numbers.length).toBe(file.fragments.reduce((sum, each) => sum + (each.tracks[0]?.samples ?? 0), 0));
  }
});

test('a second ingest process of the same data directory is refused', async () => {
  const { paths } = await startIngest();
  const child = spawn(process.execPath, [childPath, paths.data, JSON.stringify(planOf())], { stdio: 'ignore' });

  const [code] = await once(child, 'exit');

  expect(code).not.toBe(0);
});

test('recording goes to the spare directory while the first cannot be written, and to the first when it can', async () => {
  const camera = await startGstCamera({});
  const data = await temporaryDirectory();
  const spare = await temporaryDirectory();
  const paths = { ...pathsUnder(data), journalSpares: [spare] };
  // A file where the directory should be: nobody can write below it, not even root.
  await writeFile(join(data, 'journal'), '');
  const { ingest, states } = await startIngest({ paths });

  await ingest.apply(planOf(plannedOf(sourceOf(camera))));
  await until('it records', () => states.get(streamId)?.isRecording === true);
  const inSpare = { ...paths, journalOpen: join(spare, 'open'), journalFinished: join(spare, 'finished') };
  await until('the spare has it', async () => (await storedFiles(inSpare)).some((file) => file.fragments.length > 0));
  await rm(join(data, 'journal'));
  await ingest.apply(planOf());
  await until('the first has it', async () => {
    await ingest.apply(planOf(plannedOf(sourceOf(camera))));
    const isThere = await until('it records', () => states.get(streamId)?.isRecording === true).then(
      async () => (await storedFiles(paths)).length > 0,
    );
    if (!isThere) await ingest.apply(planOf());
    return isThere;
  });

  expect((await storedFiles(inSpare))[0]?.path).toContain(join(spare, 'finished'));
});
