/** How long the index takes to answer at a given size: for `npm run bench`. */

import { statSync } from 'node:fs';
import { systemClock } from '../../storage/base/clock.ts';
import { silentLog } from '../../storage/base/log.ts';
import { IndexReader, IndexWriter } from '../../storage/index/index.ts';
import { someRunId, someSegment } from '../kit/segments.ts';

export type IndexRangeFigures = {
  readonly segments: number;
  readonly indexBytes: number;
  /** Milliseconds, median and 99th percentile over random questions. */
  readonly hour: { readonly p50Ms: number; readonly p99Ms: number };
  readonly day: { readonly p50Ms: number; readonly p99Ms: number };
  readonly openWriterMs: number;
  readonly firstAnswerMs: number;
};

const minuteMs = 60_000;
const beginMs = Date.UTC(2026, 0, 1);

/** Fills an index with minutes of many streams and asks for random hours (with their fragments) and days (rows only). */
export async function measureIndexRange(options: {
  readonly directory: string;
  readonly segments: number;
  readonly streams: number;
  readonly questions: number;
  readonly random: () => number;
}): Promise<IndexRangeFigures> {
  const path = `${options.directory}/index.sqlite`;
  const perStream = Math.ceil(options.segments / options.streams);
  await fill(path, { streams: options.streams, perStream });

  const writer = new IndexWriter({ clock: systemClock, log: silentLog }, { path });
  const openBeginMs = performance.now();
  await writer.start();
  const openWriterMs = performance.now() - openBeginMs;
  const reader = new IndexReader({ clock: systemClock, log: silentLog }, { path });
  const answerBeginMs = performance.now();
  reader.totalsOfAll();
  const firstAnswerMs = performance.now() - answerBeginMs;
  const ask = (minutes: number, isWithFragments: boolean) => {
    const streamId = `stream-${Math.floor(options.random() * options.streams)}`;
    const from = beginMs + Math.floor(options.random() * Math.max(1, perStream - minutes)) * minuteMs;
    const askBeginMs = performance.now();
    const found = reader.segmentsBetween(streamId, { beginMs: from, endMs: from + minutes * minuteMs });
    if (isWithFragments) for (const segment of found) reader.fragmentsOf(segment.segmentId);
    return performance.now() - askBeginMs;
  };
  const hour = quantiles(Array.from({ length: options.questions }, () => ask(60, true)));
  const day = quantiles(Array.from({ length: options.questions }, () => ask(1_440, false)));
  await reader.close();
  await writer.close();
  const { size } = statSync(path);
  return { segments: perStream * options.streams, indexBytes: size, hour, day, openWriterMs, firstAnswerMs };
}

async function fill(path: string, { streams, perStream }: { streams: number; perStream: number }): Promise<void> {
  const writer = new IndexWriter({ clock: systemClock, log: silentLog }, { path });
  await writer.start();
  for (let minute = 0; minute < perStream; minute += 100) {
    writer.transaction((change) => {
      for (let stream = 0; stream < streams; stream++) {
        for (let i = minute; i < Math.min(minute + 100, perStream); i++) {
          const segment = someSegment({
            streamId: `stream-${stream}`,
            runId: someRunId(`stream-${stream}`),
            sequence: i,
            firstCounter: 1 + i * 30,
            beginMs: beginMs + i * minuteMs,
          });
          change.segments.insert(segment, { location: 'stored', takenInMs: segment.runStartServerMs });
        }
      }
    });
  }
  await writer.close();
}

function quantiles(valuesMs: number[]): { p50Ms: number; p99Ms: number } {
  const sorted = valuesMs.sort((a, b) => a - b);
  const at = (quantile: number) => sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
