/** The gap ledger over days: rows stay what they are while their lines are forgotten, whatever the moment of the look. */

import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '../../../storage/base/log.ts';
import { IndexWriter } from '../../../storage/index/index.ts';
import { GapLedger } from '../../../storage/keeper/gap-ledger.ts';
import type { LedgerLine } from '../../../storage/model/ledger.ts';
import { someRunId, someSegment } from '../../kit/segments.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const minute = 60_000;
const hour = 60 * minute;
const streamId = 'door';

async function createLedger() {
  const root = await temporaryDirectory();
  const clock = new SimulatedClock();
  const index = new IndexWriter({ clock, log: silentLog }, { path: `${root}/index.sqlite` });
  await index.start();
  onTestFinished(() => index.close());
  const stateDirectory = `${root}/state`;
  const create = () => new GapLedger({ clock, log: silentLog, index }, { stateDirectory });
  let ledger = create();
  const beginMs = clock.wallMs();
  const directory = join(stateDirectory, 'ingest-0', 'ledger');
  await mkdir(directory, { recursive: true });
  let counter = 1;
  return {
    clock,
    index,
    beginMs,
    restart() {
      ledger = create();
      ledger.onStart(undefined);
    },
    async tell(...lines: LedgerLine[]) {
      await appendFile(join(directory, '1-0.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      await ledger.read();
      ledger.apply(() => {});
    },
    /** A whole segment of the run is taken in. */
    takeIn(seed: string, sequence: number, atMs: number, fragments = 30) {
      const segment = someSegment({
        runId: someRunId(seed),
        sequence,
        firstCounter: counter,
        beginMs: atMs,
        fragments,
      });
      counter += fragments;
      ledger.apply((change) => {
        const { segmentId } = change.segments.insert(segment, { location: 'stored', takenInMs: atMs });
        const row = change.queries.segments.byId(segmentId);
        if (row !== undefined) ledger.onTakenIn(change, row);
      });
    },
    rows: () =>
      index.queries.gaps
        .between(streamId, { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER }, 1_000)
        .map(
          (gap) =>
            `${(gap.beginMs - beginMs) / minute}-${gap.endMs === undefined ? '' : (gap.endMs - beginMs) / minute} ${gap.reason}`,
        ),
    lines: () => index.ledger.streams().flatMap((stream) => index.ledger.linesOf(stream.streamKey)).length,
  };
}

test('a camera that is away for three days is one open gap, its lines are forgotten, and its return closes it', async () => {
  const site = await createLedger();
  const { beginMs, clock } = site;
  await site.tell(
    { kind: 'wanted', streamId, atMs: beginMs },
    { kind: 'run-began', streamId, runId: someRunId('a'), atMs: beginMs },
  );
  await clock.advance(minute);
  site.takeIn('a', 0, beginMs);
  await site.tell({
    kind: 'run-ended',
    streamId,
    runId: someRunId('a'),
    atMs: beginMs + minute,
    reason: 'connection-lost',
  });

  for (let i = 1; i <= 72; i++) {
    await clock.advance(hour);
    await site.tell({ kind: 'waiting', streamId, atMs: clock.wallMs(), reason: 'unreachable' });
    if (i % 20 === 0) site.restart();
  }
  expect(site.rows()).toEqual(['1-61 connection-lost', '61- unreachable']);
  expect(site.lines()).toBeLessThan(5);

  const backMs = clock.wallMs() + 5 * minute;
  await clock.advance(6 * minute);
  await site.tell({ kind: 'run-began', streamId, runId: someRunId('b'), atMs: backMs });
  site.takeIn('b', 0, backMs);
  expect(site.rows()).toEqual(['1-61 connection-lost', `61-${(backMs - beginMs) / minute} unreachable`]);
});

test('a day of recording keeps few lines and no gap', async () => {
  const site = await createLedger();
  const { beginMs, clock } = site;
  await site.tell(
    { kind: 'wanted', streamId, atMs: beginMs },
    { kind: 'run-began', streamId, runId: someRunId('a'), atMs: beginMs },
  );

  for (let i = 0; i < 600; i++) {
    await clock.advance(minute);
    site.takeIn('a', i, beginMs + i * minute);
  }

  expect(site.rows()).toEqual([]);
  expect(site.lines()).toBe(0);
});

test('a file that is taken in long after its time cuts the gap that said otherwise', async () => {
  const site = await createLedger();
  const { beginMs, clock } = site;
  await site.tell(
    { kind: 'wanted', streamId, atMs: beginMs },
    { kind: 'run-began', streamId, runId: someRunId('a'), atMs: beginMs },
    { kind: 'run-ended', streamId, runId: someRunId('a'), atMs: beginMs + minute, reason: 'source-closed' },
    { kind: 'run-began', streamId, runId: someRunId('b'), atMs: beginMs + 3 * minute },
  );
  await clock.advance(hour);
  for (let i = 0; i < 50; i++) site.takeIn('b', i, beginMs + (3 + i) * minute);
  expect(site.rows()).toEqual(['0-3 source-closed']);

  site.takeIn('a', 0, beginMs);

  expect(site.rows()).toEqual(['1-3 source-closed']);
});

test('what retention removed is no gap', async () => {
  const site = await createLedger();
  const { beginMs, clock, index } = site;
  await site.tell(
    { kind: 'wanted', streamId, atMs: beginMs },
    { kind: 'run-began', streamId, runId: someRunId('a'), atMs: beginMs },
  );
  for (let i = 0; i < 8; i++) {
    await clock.advance(minute);
    site.takeIn('a', i, beginMs + i * minute);
  }

  index.transaction((change) => {
    for (const segment of change.queries.segments.oldestFrom(streamId, 0, 4)) {
      change.segments.remove(segment, { reason: 'camera-bytes', isUrgent: false, nowMs: clock.wallMs() });
    }
  });
  site.takeIn('a', 8, beginMs + 8 * minute);

  expect(site.rows()).toEqual([]);
});

test('pauses are kept, and end with the next wish', async () => {
  const site = await createLedger();
  const { beginMs, clock, index } = site;
  await site.tell({ kind: 'wanted', streamId, atMs: beginMs }, { kind: 'unwanted', streamId, atMs: beginMs + minute });
  await clock.advance(5 * hour);
  await site.tell({ kind: 'wanted', streamId, atMs: clock.wallMs() });

  const pauses = index.queries.gaps.pausesBetween(streamId, { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER }, 10);

  expect(pauses).toMatchObject([{ beginMs: beginMs + minute, endMs: beginMs + 5 * hour }]);
  expect(site.rows()).toEqual(['0-1 connecting', '300- connecting']);
});
