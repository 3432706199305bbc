/** An index as a site has it after weeks: made through the writer that the keeper uses, a minute a segment, 30 fragments each. */

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemClock } from '../../storage/base/clock.ts';
import { silentLog } from '../../storage/base/log.ts';
import { IndexWriter } from '../../storage/index/index.ts';
import type { Fragment } from '../../storage/model/fragment.ts';
import { fragmentNumber } from '../../storage/model/fragment-number.ts';
import type { Segment } from '../../storage/model/segment.ts';
import type { Track } from '../../storage/model/track.ts';

export type FilledIndex = { readonly streamIds: readonly string[]; readonly beginMs: number; readonly endMs: number };

const streams = 50;
const segmentMs = 60_000;
const fragmentMs = 2_000;
const fragmentBytes = 1_000_000;
const segmentsPerTransaction = 5_000;
const empty = new Uint8Array(0);

const tracks: readonly Track[] = [
  {
    ...{
      number: 1,
      kind: 'video',
      codec: 'h264',
      codecId: 'V_MPEG4/ISO/AVC',
      codecPrivate: empty,
      codecString: 'avc1.4d4028',
    },
    video: { widthPixels: 1920, heightPixels: 1080 },
  },
];

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
          const segment = syntheticSegment(
            streamIds[i % streams] ?? '',
            i % streams,
            sequence,
            beginMs + sequence * segmentMs,
          );
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

function syntheticSegment(streamId: string, stream: number, sequence: number, beginMs: number): Segment {
  const count = segmentMs / fragmentMs;
  const firstCounter = 1 + sequence * count;
  const fragments = Array.from({ length: count }, (_, i): Fragment => {
    const atMs = beginMs + i * fragmentMs;
    return {
      number: fragmentNumber(firstCounter + i, atMs, 0),
      offset: 500 + i * (fragmentBytes + 200),
      byteLength: fragmentBytes,
      serverTimestampMs: atMs,
      producerTimestampMs: atMs,
      mediaTimeMs: sequence * segmentMs + i * fragmentMs,
      durationMs: fragmentMs,
      isKey: true,
      hasLoss: false,
      tracks: [
        {
          ...{ trackNumber: 1, samples: 50, payloadBytes: fragmentBytes - 600 },
          beginMediaMs: sequence * segmentMs + i * fragmentMs,
          endMediaMs: sequence * segmentMs + (i + 1) * fragmentMs,
        },
      ],
      sha256: new Uint8Array(32),
    };
  });
  return {
    streamId,
    runId: (stream + 1).toString(16).padStart(32, '0'),
    firstCounter,
    sequence,
    runReason: 'shutdown',
    runStartServerMs: beginMs - sequence * segmentMs,
    timecodeScaleNs: 1_000_000,
    tracks,
    producerHead: empty,
    previousDigest: new Uint8Array(32),
    byteLength: 500 + count * (fragmentBytes + 200),
    fragments,
    digest: new Uint8Array(32),
  };
}
