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

test('pauses are kept with why, and end with the next wish', async () => {
  const site = await createLedger();
  const { beginMs, clock, index } = site;
  await site.tell(
    { kind: 'wanted', streamId, atMs: beginMs },
    { kind: 'unwanted', streamId, atMs: beginMs + minute, why: 'not-scheduled' },
    { kind: 'unwanted', streamId, atMs: beginMs + hour, why: 'switched-off' },
  );
  await clock.advance(5 * hour);
  await site.tell({ kind: 'wanted', streamId, atMs: clock.wallMs() });

  const pauses = index.queries.gaps.pausesBetween(streamId, { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER }, 10);

  expect(pauses).toMatchObject([
    { beginMs: beginMs + minute, endMs: beginMs + hour, reason: 'not-scheduled' },
    { beginMs: beginMs + hour, endMs: beginMs + 5 * hour, reason: 'switched-off' },
  ]);
  expect(site.rows()).toEqual(['0-1 connecting', '300- connecting']);
});

test('after a clock that ran ahead was set back, gaps are told again at once, and old rows keep their date', async () => {
  const site = await createLedger();
  const { beginMs, clock } = site;
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(someRunId) as [string, string, string, string];
  const year = 365 * 24 * hour;
  const at = (minutes: number) => beginMs + minutes * minute;
  await site.tell({ kind: 'wanted', streamId, atMs: at(0) }, { kind: 'run-began', streamId, runId: a, atMs: at(0) });
  await clock.advance(2 * minute);
  site.takeIn('a', 0, at(0));
  site.takeIn('a', 1, at(1));

  // A year ahead for 20 minutes, with a real gap in it.
  clock.stepWall(year);
  await site.tell(
    { kind: 'run-ended', streamId, runId: a, atMs: at(2), reason: 'clock-step' },
    { kind: 'run-began', streamId, runId: b, atMs: at(2) + year },
  );
  for (let i = 2; i < 10; i++) {
    await clock.advance(minute);
    site.takeIn('b', i - 2, at(i) + year);
  }
  await site.tell(
    { kind: 'run-ended', streamId, runId: b, atMs: at(10) + year, reason: 'connection-lost' },
    { kind: 'run-began', streamId, runId: c, atMs: at(12) + year },
  );
  for (let i = 12; i < 22; i++) {
    await clock.advance(minute);
    site.takeIn('c', i - 12, at(i) + year);
  }
  await clock.advance(2 * minute);
  const ahead = year / minute;
  expect(site.rows()).toEqual([`2-${2 + ahead} clock-step`, `${10 + ahead}-${12 + ahead} connection-lost`]);

  clock.stepWall(-year);
  await site.tell(
    { kind: 'run-ended', streamId, runId: c, atMs: at(22) + year, reason: 'clock-step' },
    { kind: 'run-began', streamId, runId: d, atMs: at(22) },
  );
  const history = `${10 + ahead}-${12 + ahead} connection-lost`;
  expect(site.rows()).toEqual(['2-22 clock-step', history]);
  site.restart();
  for (let i = 22; i < 26; i++) {
    await clock.advance(minute);
    site.takeIn('d', i - 22, at(i));
  }
  expect(site.rows()).toEqual(['2-22 clock-step', history]);

  await site.tell({ kind: 'run-ended', streamId, runId: d, atMs: at(26), reason: 'source-silent' });
  await clock.advance(2 * minute);
  await site.tell({ kind: 'waiting', streamId, atMs: at(28), reason: 'unreachable' });
  expect(site.rows()).toEqual(['2-22 clock-step', '26-28 source-silent', '28- unreachable', history]);
  await clock.advance(hour);
  site.restart();
  await site.tell({ kind: 'waiting', streamId, atMs: clock.wallMs(), reason: 'unauthorized' });

  expect(site.rows()).toEqual([
    '2-22 clock-step',
    '26-28 source-silent',
    `28-88 unreachable`,
    '88- unauthorized',
    history,
  ]);
  expect(site.lines()).toBeLessThan(4);
});

test('a clock that was behind for a while rewrites nothing of the past', async () => {
  const site = await createLedger();
  const { beginMs, clock } = site;
  const [a, b, c] = ['a', 'b', 'c'].map(someRunId) as [string, string, string];
  const years = 20 * 365 * 24 * hour;
  const at = (minutes: number) => beginMs + minutes * minute;
  await site.tell({ kind: 'wanted', streamId, atMs: at(0) }, { kind: 'run-began', streamId, runId: a, atMs: at(0) });
  for (let i = 0; i < 4; i++) {
    await clock.advance(minute);
    site.takeIn('a', i, at(i));
  }
  await site.tell(
    { kind: 'run-ended', streamId, runId: a, atMs: at(4), reason: 'source-silent' },
    { kind: 'run-began', streamId, runId: b, atMs: at(6) },
  );
  await clock.advance(2 * minute);
  for (let i = 6; i < 40; i++) {
    await clock.advance(minute);
    site.takeIn('b', i - 6, at(i));
  }
  expect(site.rows()).toEqual(['4-6 source-silent']);

  // The machine starts again without its clock, and is told the time half an hour later.
  await site.tell({ kind: 'run-ended', streamId, runId: b, atMs: at(40), reason: 'shutdown' });
  clock.stepWall(-years);
  await site.tell(
    { kind: 'wanted', streamId, atMs: at(41) - years },
    { kind: 'run-began', streamId, runId: c, atMs: at(41) - years },
  );
  for (let i = 41; i < 70; i++) {
    await clock.advance(minute);
    site.takeIn('c', i - 41, at(i) - years);
  }
  clock.stepWall(years);
  await site.tell(
    { kind: 'run-ended', streamId, runId: c, atMs: at(70) - years, reason: 'clock-step' },
    { kind: 'run-began', streamId, runId: someRunId('d'), atMs: at(70) },
  );
  for (let i = 70; i < 90; i++) {
    await clock.advance(minute);
    site.takeIn('d', i - 70, at(i));
  }

  const behind = years / minute;
  expect(site.rows()).toEqual([`${70 - behind}-0 clock-step`, '4-6 source-silent', '40-70 clock-step']);
});
