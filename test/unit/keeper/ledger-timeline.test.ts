import { expect, test } from 'vitest';
import type { LedgerEntry, LedgerEvent } from '../../../storage/index/index.ts';
import { silentState, timelineOf } from '../../../storage/keeper/ledger-timeline.ts';

const streamId = 'door';
const runId = 'a'.repeat(32);
const by = (process: string, ...lines: LedgerEvent[]): LedgerEntry[] => lines.map((line) => ({ process, line }));
const stretches = (...entries: LedgerEntry[][]) =>
  timelineOf(silentState, entries.flat())
    .stretches.filter(({ beginMs }) => beginMs > 0)
    .map((stretch) => [
      stretch.kind,
      stretch.beginMs,
      stretch.endMs,
      stretch.kind === 'missing' ? stretch.reason : stretch.kind === 'recording' ? stretch.end?.reason : undefined,
    ]);
const recording = by(
  'ingest-0.1',
  { kind: 'wanted', streamId, atMs: 100 },
  { kind: 'run-began', streamId, runId, atMs: 110 },
);

test('a crash before the end of a scheduled span is a gap up to that end, and no longer', () => {
  const found = stretches(
    recording,
    by('ingest-0.1', { kind: 'scheduled', streamId, atMs: 300, isWanted: false }),
    by('ingest-0.2', { kind: 'unwanted', streamId, atMs: 500 }),
  );

  expect(found).toEqual([
    ['missing', 100, 110, 'connecting'],
    ['recording', 110, 300, 'crashed'],
    ['unwanted', 300, 500, undefined],
    ['unwanted', 500, undefined, undefined],
  ]);
});

test('a crash that was noticed ends being a gap where the span ends', () => {
  const found = stretches(
    recording,
    by('ingest-0.1', { kind: 'process-ended', streamId, atMs: 200 }),
    by('ingest-0.1', { kind: 'scheduled', streamId, atMs: 300, isWanted: false }),
    by('ingest-0.2', { kind: 'unwanted', streamId, atMs: 500 }),
  );

  expect(found.slice(2)).toEqual([
    ['missing', 200, 300, 'crashed'],
    ['unwanted', 300, 500, undefined],
    ['unwanted', 500, undefined, undefined],
  ]);
});

test('a span that began while no process was there is missing from its begin', () => {
  const crashed = stretches(
    by('ingest-0.1', { kind: 'unwanted', streamId, atMs: 100 }),
    by('ingest-0.1', { kind: 'scheduled', streamId, atMs: 300, isWanted: true }),
    by('ingest-0.2', { kind: 'wanted', streamId, atMs: 500 }, { kind: 'run-began', streamId, runId, atMs: 510 }),
  );
  const off = stretches(
    by('ingest-0.1', { kind: 'unwanted', streamId, atMs: 100 }),
    by('', { kind: 'off', streamId, beginMs: 200, endMs: 490 }),
    by('ingest-0.1', { kind: 'scheduled', streamId, atMs: 300, isWanted: true }),
    by('ingest-0.2', { kind: 'wanted', streamId, atMs: 500 }, { kind: 'run-began', streamId, runId, atMs: 510 }),
  );

  expect(crashed).toEqual([
    ['unwanted', 100, 300, undefined],
    ['missing', 300, 500, 'crashed'],
    ['missing', 500, 510, 'connecting'],
    ['recording', 510, undefined, undefined],
  ]);
  expect(off[1]).toEqual(['missing', 300, 500, 'appliance-off']);
});
