/** What lists of fragments cost when the index holds weeks of many cameras: pages of a day, numbers from anywhere, and starts by time. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../storage/base/clock.ts';
import { silentLog } from '../../storage/base/log.ts';
import { IndexReader } from '../../storage/index/index.ts';
import { type FragmentNumber, fragmentNumber } from '../../storage/model/fragment-number.ts';
import { StreamReader, type TimeAxis } from '../../storage/reader/index.ts';
import { fillIndex } from './filled-index.ts';
import type { Row } from './table.ts';

const dayMs = 86_400_000;
const pageMax = 1_000;

export async function benchListFragments(options: { readonly segments: number }): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-list-fragments-'));
  const path = join(directory, 'index.sqlite');
  try {
    const { streamIds, beginMs, endMs } = await fillIndex(path, { ...options, endMs: Date.now() });
    const index = new IndexReader({ clock: systemClock, log: silentLog }, { path });
    await index.start();
    const paths = { journalOpen: join(directory, 'open'), journalFinished: join(directory, 'finished') };
    const reader = new StreamReader({ clock: systemClock, log: silentLog, paths, index });
    const streamId = streamIds[0] ?? '';
    const lastDay = { beginMs: Math.max(beginMs, endMs - dayMs), endMs };
    const page = (axis: TimeAxis, limit: number) =>
      reader.fragmentsByTime(streamId, { axis, ...lastDay, limit }).then(({ length }) => length);
    const day = async () => {
      let count = 0;
      let after: { atMs: number; number: FragmentNumber } | undefined;
      for (;;) {
        const found = await reader.fragmentsByTime(streamId, { axis: 'producer', ...lastDay, after, limit: pageMax });
        count += found.length;
        const last = found.at(-1)?.fragment;
        if (last === undefined || found.length < pageMax) return count;
        after = { atMs: last.producerTimestampMs, number: last.number };
      }
    };
    const fragments = Math.floor((endMs - beginMs) / 2_000);
    const spread = Array.from({ length: pageMax }, (_, i) => {
      const counter = Math.floor((i * (fragments - 1)) / pageMax) + 1;
      return fragmentNumber(counter, beginMs + (counter - 1) * 2_000, 7 * ((counter - 1) % 30));
    });
    const rows = [
      await ask('first 100 of a day, server time', 50, () => page('server', 100)),
      await ask('first 1,000 of a day, producer time', 20, () => page('producer', pageMax)),
      await ask('a whole day in pages of 1,000', 3, day),
      await ask('1,000 numbers from anywhere', 5, async () => (await reader.fragmentsOfNumbers(streamId, spread)).size),
      await ask('the first after a moment of long ago', 50, () =>
        reader
          .fragmentsByTime(streamId, { axis: 'producer', beginMs: 0, endMs, limit: 1 })
          .then(({ length }) => length),
      ),
    ];
    await reader.close();
    await index.close();
    return rows.map((row) => ({ ...row, segments: options.segments }));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function ask(question: string, repeats: number, once: () => Promise<number>): Promise<Row> {
  const durations: number[] = [];
  let fragments = 0;
  for (let i = 0; i < repeats; i++) {
    const begunMs = performance.now();
    fragments = await once();
    durations.push(performance.now() - begunMs);
  }
  durations.sort((a, b) => a - b);
  const at = (share: number) => durations[Math.floor(share * (durations.length - 1))] ?? 0;
  return { question, fragments, 'p50 ms': at(0.5), 'worst ms': at(1) };
}
