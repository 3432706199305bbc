/** An index as a site has it after weeks: made through the writer that the keeper uses, a minute a segment, 30 fragments each. */

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemClock } from '../../storage/base/clock.ts';
import { silentLog } from '../../storage/base/log.ts';
import { IndexWriter } from '../../storage/index/index.ts';
import { someRunId, someSegment } from '../kit/segments.ts';

export type FilledIndex = { readonly streamIds: readonly string[]; readonly beginMs: number; readonly endMs: number };

const streams = 50;
const segmentMs = 60_000;
const fragmentsPerSegment = 30;
const fragmentBytes = 1_000_000;
const segmentsPerTransaction = 5_000;

/** Fills a new index with so many segments that end at `endMs`, spread evenly over 50 streams. */
export async function fillIndex(
  path: string,
  options: { readonly segments: number; readonly endMs: number },
): Promise<FilledIndex> {
  await mkdir(dirname(path), { recursive: true });
  const writer = new IndexWriter({ clock: systemClock, log: silentLog }, { path });
  await writer.start();
  const perStream = Math.ceil(options.segments / streams);
  const beginMs = options.endMs - perStream * segmentMs;
  const streamIds = Array.from({ length: streams }, (_, i) => `bench${String(i).padStart(4, '0')}`);
  try {
    for (let first = 0; first < perStream * streams; first += segmentsPerTransaction) {
      writer.transaction(({ segments }) => {
        for (let i = first; i < Math.min(perStream * streams, first + segmentsPerTransaction); i++) {
          const sequence = Math.floor(i / streams);
          const streamId = streamIds[i % streams] ?? '';
          const segment = someSegment({
            ...{ streamId, runId: someRunId(streamId), sequence, fragments: fragmentsPerSegment, fragmentBytes },
            firstCounter: 1 + sequence * fragmentsPerSegment,
            beginMs: beginMs + sequence * segmentMs,
          });
          segments.insert(segment, { location: 'stored', takenInMs: segment.runStartServerMs });
        }
      });
      writer.checkpoint();
    }
  } finally {
    await writer.close();
  }
  return { streamIds, beginMs, endMs: options.endMs };
}
