/** Real segment files in a data directory, written through the one door, with made-up media and exact times. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../storage/base/clock.ts';
import { silentLog } from '../../storage/base/log.ts';
import { ByteBudget, SegmentWriter } from '../../storage/journal/index.ts';
import { g711Track } from '../../storage/media/index.ts';
import type { FragmentTags } from '../../storage/model/fragment.ts';
import { fragmentNumber } from '../../storage/model/fragment-number.ts';
import type { Paths } from '../../storage/model/paths.ts';
import { someRunId } from './segments.ts';

export type RecordedRun = {
  readonly streamId?: string;
  /** Names the run: the same seed is the same run. */
  readonly seed: string;
  readonly reason?: string;
  readonly beginMs: number;
  /** Fragments of 6 s: ten make a segment. */
  readonly fragments: number;
  readonly firstCounter: number;
  readonly payloadBytes?: number;
  /** User tags of each fragment. */
  readonly tagsOf?: (fragment: number) => FragmentTags;
};

export const fragmentMs = 6_000;

/** Records a whole run into `journal/finished`. Returns the files, oldest first, and where the run ended. */
export async function recordRun(
  paths: Paths,
  run: RecordedRun,
): Promise<{ readonly files: string[]; readonly endMs: number; readonly runId: string }> {
  const openDirectory = join(paths.journalOpen, 'test.1');
  await mkdir(openDirectory, { recursive: true });
  const files: string[] = [];
  const runId = someRunId(run.seed);
  const writer = new SegmentWriter(
    {
      clock: systemClock,
      log: silentLog,
      budget: new ByteBudget(64 * 1024 * 1024),
      durability: { synced: () => Promise.resolve() },
      onHint: (hint) => {
        if (hint.kind === 'finished') files.push(hint.finishedPath);
      },
      onFailed: (error) => {
        throw error;
      },
    },
    {
      openDirectory,
      finishedDirectory: paths.journalFinished,
      streamId: run.streamId ?? 'door',
      runId,
      runReason: run.reason ?? 'connecting',
      runStartServerMs: run.beginMs,
      tracks: [g711Track(1, { law: 'pcmu', samplingFrequencyHz: 8_000, channels: 1 })],
      timecodeScaleNs: 1_000_000,
      segmentOffsetMs: 0,
      durability: 'shared',
    },
  );
  await writer.start();
  const payload = new Uint8Array(run.payloadBytes ?? 800).fill(run.firstCounter & 0xff);
  for (let i = 0; i < run.fragments; i++) {
    const counter = run.firstCounter + i;
    const mediaTimeMs = i * fragmentMs;
    const serverTimestampMs = run.beginMs + mediaTimeMs;
    writer.begin({
      number: fragmentNumber(counter, serverTimestampMs, counter),
      counter,
      serverTimestampMs,
      producerTimestampMs: serverTimestampMs,
      mediaTimeMs,
    });
    writer.writeBlock(1, 0, true, payload);
    const span = { beginMediaMs: mediaTimeMs, endMediaMs: mediaTimeMs + fragmentMs };
    const track = { trackNumber: 1, samples: 1, payloadBytes: payload.byteLength, ...span };
    const tags = run.tagsOf?.(i) ?? [];
    writer.commit({ durationMs: fragmentMs, isKey: true, hasLoss: false, tracks: [track], tags });
  }
  await writer.end('source-closed');
  return { files: files.sort(), endMs: run.beginMs + run.fragments * fragmentMs, runId };
}
