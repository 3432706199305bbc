/** What a question to the index costs when it holds weeks of many cameras. */

import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../storage/base/clock.ts';
import { silentLog } from '../../storage/base/log.ts';
import { IndexReader } from '../../storage/index/index.ts';
import { fillIndex } from './filled-index.ts';
import type { Row } from './table.ts';

const repeats = 200;

export async function benchIndex(options: { readonly segments: number }): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-index-'));
  const path = join(directory, 'index.sqlite');
  try {
    const filled = await fillIndex(path, { ...options, endMs: Date.now() });
    const reader = new IndexReader({ clock: systemClock, log: silentLog }, { path });
    await reader.start();
    const megabytes = (await stat(path)).size / 1e6;
    const spanMs = filled.endMs - filled.beginMs;
    const ask = (question: string, once: (streamId: string, atMs: number) => number): Row => {
      const durations: number[] = [];
      let rows = 0;
      for (let i = 0; i < repeats; i++) {
        const streamId = filled.streamIds[i % filled.streamIds.length] ?? '';
        const atMs = filled.beginMs + ((i * 7919) % 1000) * 0.00095 * spanMs;
        const beginMs = performance.now();
        rows = once(streamId, atMs);
        durations.push(performance.now() - beginMs);
      }
      durations.sort((a, b) => a - b);
      const at = (share: number) => durations[Math.floor(share * (durations.length - 1))] ?? 0;
      return {
        question,
        segments: options.segments,
        'index MB': megabytes,
        rows,
        'p50 ms': at(0.5),
        'p99 ms': at(0.99),
      };
    };
    const between = (streamId: string, beginMs: number, lengthMs: number) =>
      reader.segmentsBetween(streamId, { beginMs, endMs: beginMs + lengthMs });
    const rows = [
      ask('segments of one minute', (streamId, atMs) => between(streamId, atMs, 60_000).length),
      ask('segments of one hour', (streamId, atMs) => between(streamId, atMs, 3_600_000).length),
      ask('fragments of one hour', (streamId, atMs) =>
        between(streamId, atMs, 3_600_000).reduce(
          (sum, segment) => sum + (reader.fragmentsOf(segment.segmentId)?.length ?? 0),
          0,
        ),
      ),
      ask('newest segment', (streamId) => (reader.latestSegment(streamId) === undefined ? 0 : 1)),
    ];
    await reader.close();
    return rows;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
