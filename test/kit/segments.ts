/** Segments as values, for tests whose subject is not the file: plausible in every field, exact in what the test names. */

import { createHash } from 'node:crypto';
import type { Fragment } from '../../storage/model/fragment.ts';
import { fragmentNumber } from '../../storage/model/fragment-number.ts';
import type { Segment } from '../../storage/model/segment.ts';
import type { Track } from '../../storage/model/track.ts';

export const videoTrack: Track = {
  number: 1,
  kind: 'video',
  codec: 'h264',
  codecId: 'V_MPEG4/ISO/AVC',
  codecPrivate: Uint8Array.from([1, 0x4d, 0x40, 0x28, 255]),
  codecString: 'avc1.4d4028',
  video: { widthPixels: 1920, heightPixels: 1080 },
};

export type SegmentPlan = {
  readonly streamId?: string;
  readonly runId?: string;
  readonly runReason?: string;
  readonly sequence?: number;
  readonly firstCounter?: number;
  readonly beginMs: number;
  readonly fragments?: number;
  readonly fragmentMs?: number;
  readonly producerOffsetMs?: number;
  readonly fragmentBytes?: number;
  readonly previousDigest?: Uint8Array;
};

export function someRunId(seed: string): string {
  return createHash('sha256').update(seed).digest('hex').slice(0, 32);
}

/** A finished segment: fragments of `fragmentMs` (2,000) one after the other from `beginMs`. */
export function someSegment(plan: SegmentPlan): Segment {
  const firstCounter = plan.firstCounter ?? 1;
  const fragmentMs = plan.fragmentMs ?? 2_000;
  const fragmentBytes = plan.fragmentBytes ?? 1_000;
  const fragments = Array.from({ length: plan.fragments ?? 30 }, (_, i): Fragment => {
    const serverTimestampMs = plan.beginMs + i * fragmentMs;
    return {
      number: fragmentNumber(firstCounter + i, serverTimestampMs, 7 * i),
      offset: 500 + i * (fragmentBytes + 300),
      byteLength: fragmentBytes,
      serverTimestampMs,
      producerTimestampMs: serverTimestampMs + (plan.producerOffsetMs ?? 0),
      mediaTimeMs: i * fragmentMs,
      durationMs: fragmentMs,
      isKey: true,
      hasLoss: false,
      tracks: [
        {
          trackNumber: 1,
          samples: 50,
          payloadBytes: 900,
          beginMediaMs: i * fragmentMs,
          endMediaMs: (i + 1) * fragmentMs,
        },
      ],
      sha256: createHash('sha256')
        .update(`${firstCounter + i}`)
        .digest(),
    };
  });
  const runId = plan.runId ?? someRunId('run');
  return {
    streamId: plan.streamId ?? 'door',
    runId,
    firstCounter,
    sequence: plan.sequence ?? 0,
    runReason: plan.runReason ?? 'source-closed',
    runStartServerMs: plan.beginMs,
    timecodeScaleNs: 1_000_000,
    tracks: [videoTrack],
    producerHead: new Uint8Array(0),
    previousDigest: plan.previousDigest ?? new Uint8Array(32),
    byteLength: 500 + fragments.length * (fragmentBytes + 300) + 2_000,
    fragments,
    digest: createHash('sha256')
      .update(`${runId}${plan.sequence ?? 0}`)
      .digest(),
  };
}
