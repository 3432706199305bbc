/** Footage that was brought in from files, as the index and the gap ledger take it. */

import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../storage/base/log.ts';
import { IndexWriter } from '../../../storage/index/index.ts';
import { GapLedger } from '../../../storage/keeper/gap-ledger.ts';
import { rebuildGaps } from '../../../storage/keeper/rebuild.ts';
import type { LedgerLine } from '../../../storage/model/ledger.ts';
import { type SegmentPlan, someRunId, someSegment } from '../../kit/segments.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const minute = 60_000;
const streamId = 'door';

async function setUp() {
  const root = await temporaryDirectory();
  const clock = new SimulatedClock();
  const index = new IndexWriter({ clock, log: silentLog }, { path: `${root}/index.sqlite` });
  await index.start();
  onTestFinished(() => index.close());
  const beginMs = clock.wallMs();
  let counter = 1;
  const insert = (plan: Omit<SegmentPlan, 'firstCounter'>) => {
    const segment = someSegment({ ...plan, firstCounter: counter });
    counter += segment.fragments.length;
    return segment;
  };
  const rows = () =>
    index.queries.gaps
      .between(streamId, { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER }, 1_000)
      .map(({ beginMs: from, endMs = Number.NaN, reason }) => [
        (from - beginMs) / minute,
        (endMs - beginMs) / minute,
        reason,
      ]);
  return { root, clock, index, beginMs, insert, rows };
}

test('a gap that was filled from a file is none, and a loss neither; what is left of them stays', async () => {
  const { root, clock, index, beginMs, insert, rows } = await setUp();
  const directory = join(root, 'state', 'ingest-0', 'ledger');
  await mkdir(directory, { recursive: true });
  const ledger = new GapLedger({ clock, log: silentLog, index }, { stateDirectory: join(root, 'state') });
  const [a, b] = [someRunId('a'), someRunId('b')];
  const lines: LedgerLine[] = [
    { kind: 'wanted', streamId, atMs: beginMs },
    { kind: 'run-began', streamId, runId: a, atMs: beginMs },
    ...[{ kind: 'loss' as const, streamId, runId: a, beginMs: beginMs + 10_000, endMs: beginMs + 20_000 }].map(
      (loss) => ({ ...loss, reason: 'packet-loss' as const }),
    ),
    { kind: 'run-ended', streamId, runId: a, atMs: beginMs + minute, reason: 'connection-lost' },
    { kind: 'run-began', streamId, runId: b, atMs: beginMs + 5 * minute },
  ];
  await appendFile(join(directory, '1-0.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  await ledger.read();
  const takeIn = (plan: Parameters<typeof insert>[0]) =>
    ledger.apply((change) => {
      const { segmentId } = change.segments.insert(insert(plan), { location: 'stored', takenInMs: clock.wallMs() });
      const row = change.queries.segments.byId(segmentId);
      if (row !== undefined) ledger.onTakenIn(change, row);
    });
  takeIn({ runId: a, beginMs });
  takeIn({ runId: b, beginMs: beginMs + 5 * minute });
  await clock.advance(60 * minute);
  expect(rows()).toEqual([
    [1 / 6, 1 / 3, 'packet-loss'],
    [1, 5, 'connection-lost'],
  ]);

  takeIn({ runId: someRunId('c'), runReason: 'import', beginMs: beginMs + 2 * minute, fragments: 60 });
  takeIn({ runId: someRunId('d'), runReason: 'import', beginMs: beginMs + 10_000, fragments: 5 });

  expect(rows()).toEqual([
    [1, 2, 'connection-lost'],
    [4, 5, 'connection-lost'],
  ]);
});

test('the newest of a stream is what was recorded, not what was brought in', async () => {
  const { index, beginMs, insert } = await setUp();
  const add = (plan: Parameters<typeof insert>[0]) =>
    index.transaction((change) => change.segments.insert(insert(plan), { location: 'stored', takenInMs: beginMs }));
  add({ runId: someRunId('a'), beginMs });
  add({ runId: someRunId('b'), runReason: 'import', beginMs: beginMs - 60 * minute });

  const { segments } = index.queries;

  expect(segments.latest(streamId)?.runId).toBe(someRunId('b'));
  expect(segments.latestRecorded(streamId)?.runId).toBe(someRunId('a'));
  expect(segments.oldestRecorded(streamId)?.runId).toBe(someRunId('a'));
});

test('a lost index gets its gaps back around what was brought in', async () => {
  const { index, beginMs, insert, rows } = await setUp();
  const plans = [
    { runId: someRunId('old'), runReason: 'import', beginMs: beginMs - 60 * minute },
    { runId: someRunId('a'), runReason: 'connecting', beginMs },
    { runId: someRunId('b'), runReason: 'source-silent', beginMs: beginMs + 5 * minute },
    { runId: someRunId('c'), runReason: 'import', beginMs: beginMs + 2 * minute },
  ];
  for (const plan of plans) {
    index.transaction((change) => change.segments.insert(insert(plan), { location: 'stored', takenInMs: beginMs }));
  }

  index.transaction((change) => rebuildGaps(change, streamId));

  expect(rows()).toEqual([
    [1, 2, 'source-silent'],
    [3, 5, 'source-silent'],
  ]);
});

test('a lost index gets no gaps between what producers sent, in one run or in two', async () => {
  const { index, beginMs, insert, rows } = await setUp();
  const runReason = 'producer-connected';
  const plans = [
    { runId: someRunId('a'), runReason, beginMs },
    { runId: someRunId('a'), runReason, beginMs: beginMs + 2 * minute, sequence: 1 },
    { runId: someRunId('b'), runReason, beginMs: beginMs + 60 * minute },
  ];
  for (const plan of plans) {
    index.transaction((change) => change.segments.insert(insert(plan), { location: 'stored', takenInMs: beginMs }));
  }

  const added = index.transaction((change) => rebuildGaps(change, streamId));

  expect(added).toBe(0);
  expect(rows()).toEqual([]);
});
