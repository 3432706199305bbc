/** What journal tests share: a writer over a temporary directory, fragments with made-up media, and the hints it gave. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import type { AppError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import {
  ByteBudget,
  type FragmentCommit,
  type JournalFiles,
  SegmentWriter,
  type SegmentWriterOptions,
} from '../../../storage/journal/index.ts';
import { clusterHeadBytes, g711Track } from '../../../storage/media/index.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { Hint } from '../../../storage/model/hint.ts';
import type { GapReason } from '../../../storage/model/run.ts';

export const streamId = 'stream-1';
export const runStartServerMs = Date.UTC(2026, 0, 1);

export type TestWriter = {
  readonly writer: SegmentWriter;
  readonly hints: Hint[];
  readonly failures: { error: AppError; reason: GapReason }[];
  readonly budget: ByteBudget;
  readonly openDirectory: string;
  readonly finishedDirectory: string;
  /** Paths of finished files, in order of their hints. */
  finished(): string[];
};

export type TestWriterOptions = Partial<SegmentWriterOptions> & {
  readonly clock?: Clock;
  readonly files?: JournalFiles;
  readonly budget?: ByteBudget;
  readonly durability?: SegmentWriterOptions['durability'];
  readonly sync?: () => Promise<void>;
};

/** A started writer of one G.711 track below `root`. Syncing succeeds at once unless `sync` is given. */
export async function startWriter(root: string, options: TestWriterOptions = {}): Promise<TestWriter> {
  const { clock = systemClock, files, budget = new ByteBudget(64 * 1024 * 1024), sync, ...others } = options;
  const openDirectory = join(root, 'open', 'ingest-0.1');
  const finishedDirectory = join(root, 'finished');
  await mkdir(openDirectory, { recursive: true });
  const hints: Hint[] = [];
  const failures: { error: AppError; reason: GapReason }[] = [];
  const writer = new SegmentWriter(
    {
      clock,
      log: silentLog,
      budget,
      durability: { synced: () => sync?.() ?? Promise.resolve() },
      onHint: (hint) => hints.push(hint),
      onFailed: (error, reason) => failures.push({ error, reason }),
      ...(files === undefined ? {} : { files }),
    },
    {
      openDirectory,
      finishedDirectory,
      streamId,
      runId: '00112233445566778899aabbccddeeff',
      runReason: 'connecting',
      runStartServerMs,
      tracks: [g711Track(1, { law: 'pcmu', samplingFrequencyHz: 8_000, channels: 1 })],
      timecodeScaleNs: 1_000_000,
      segmentOffsetMs: 0,
      durability: 'shared',
      ...others,
    },
  );
  await writer.start();
  const finished = () => hints.flatMap((hint) => (hint.kind === 'finished' ? [hint.finishedPath] : []));
  return { writer, hints, failures, budget, openDirectory, finishedDirectory, finished };
}

/** Begins fragment `counter`: 2 s after the one before, on both clocks. */
export function begin(writer: SegmentWriter, counter: number, changes: { producerShiftMs?: number } = {}): void {
  const mediaTimeMs = (counter - 1) * 2_000;
  writer.begin({
    number: fragmentNumber(counter, runStartServerMs + mediaTimeMs, counter),
    counter,
    serverTimestampMs: runStartServerMs + mediaTimeMs,
    producerTimestampMs: runStartServerMs + mediaTimeMs + 500 + (changes.producerShiftMs ?? 0),
    mediaTimeMs,
  });
}

/** What is committed for fragment `counter` with blocks of these sizes. */
export function facts(counter: number, sizes: readonly number[]): FragmentCommit {
  const beginMediaMs = (counter - 1) * 2_000;
  const payloadBytes = sizes.reduce((sum, size) => sum + size, 0);
  return {
    durationMs: 2_000,
    isKey: true,
    hasLoss: false,
    tracks: [{ trackNumber: 1, samples: sizes.length, payloadBytes, beginMediaMs, endMediaMs: beginMediaMs + 2_000 }],
  };
}

/** Writes blocks of these sizes, with contents that follow from fragment and place. */
export function writeBlocks(writer: SegmentWriter, counter: number, sizes: readonly number[]): void {
  for (const [index, size] of sizes.entries()) writer.writeBlock(1, index * 20, true, payload(counter, index, size));
}

export function payload(counter: number, index: number, size: number): Uint8Array {
  return new Uint8Array(size).map((_, at) => (counter * 31 + index * 7 + at) & 0xff);
}

/** A whole fragment. */
export function writeFragment(writer: SegmentWriter, counter: number, sizes: readonly number[] = [160, 160]): void {
  begin(writer, counter);
  writeBlocks(writer, counter, sizes);
  writer.commit(facts(counter, sizes));
}

export { clusterHeadBytes };
