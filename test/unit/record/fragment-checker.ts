/** A sink that judges what the fragmenter says by the rules of PutMedia, and remembers it. */

import { expect } from 'vitest';
import type {
  DropReason,
  FragmentEnd,
  FragmentSink,
  FragmentStart,
  RunBegin,
} from '../../../gateway/record/fragment-sink.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import type { RunEndReason } from '../../../storage/model/run.ts';
import type { Track } from '../../../storage/model/track.ts';

export const video: Track = {
  number: 1,
  kind: 'video',
  codec: 'h264',
  codecId: 'V_MPEG4/ISO/AVC',
  codecPrivate: new Uint8Array([1]),
  codecString: 'avc1.4d4028',
  video: { widthPixels: 640, heightPixels: 360 },
};

export const audio: Track = {
  number: 2,
  kind: 'audio',
  codec: 'aac',
  codecId: 'A_AAC',
  codecPrivate: new Uint8Array([0x11, 0x88]),
  codecString: 'mp4a.40.2',
  audio: { samplingFrequencyHz: 48_000, channels: 1 },
};

export type Block = { trackNumber: number; mediaMs: number; isKey: boolean; id: number };
export type CheckedFragment = FragmentEnd & { beginMs: number; blocks: Block[] };
export type CheckedRun = {
  tracks: readonly Track[];
  offsetUs: number;
  endReason: RunEndReason | undefined;
  fragments: CheckedFragment[];
};

export class FragmentChecker implements FragmentSink {
  readonly runs: CheckedRun[] = [];
  readonly drops: { id: number; reason: DropReason }[] = [];
  #open: { start: FragmentStart; blocks: Block[] } | undefined;

  beginRun({ tracks, offsetUs, first }: RunBegin): void {
    expect(this.runs.at(-1)?.endReason, 'one run at a time').not.toBe(null);
    expect(this.runs.length === 0 || this.runs.at(-1)?.endReason !== undefined).toBe(true);
    expect(offsetUs).toBe(first.presentationTimeUs);
    this.runs.push({ tracks, offsetUs, endReason: undefined, fragments: [] });
  }

  beginFragment(start: FragmentStart): void {
    expect(this.#open).toBeUndefined();
    this.#open = { start, blocks: [] };
  }

  block(trackNumber: number, relativeMs: number, isKey: boolean, bytes: Uint8Array): void {
    const open = this.#open;
    if (open === undefined) throw new Error('block outside a fragment');
    expect(relativeMs).toBeGreaterThanOrEqual(-32_768);
    expect(relativeMs).toBeLessThanOrEqual(32_767);
    const mediaMs = open.start.mediaTimeMs + relativeMs;
    expect(mediaMs, 'media time is never negative').toBeGreaterThanOrEqual(0);
    open.blocks.push({ trackNumber, mediaMs, isKey, id: idOf(bytes) });
  }

  commitFragment(end: FragmentEnd): void {
    const open = this.#open;
    const run = this.runs.at(-1);
    if (open === undefined || run === undefined) throw new Error('nothing is open');
    this.#open = undefined;
    const beginMs = open.start.mediaTimeMs;
    const { blocks } = open;
    const previous = run.fragments.at(-1);
    expect(blocks[0]?.mediaMs, 'the cluster begins with its first unit').toBe(beginMs);
    expect(end.durationMs).toBeGreaterThan(0);
    expect(end.durationMs).toBeLessThanOrEqual(20_000);
    expect(end.isKey).toBe(blocks[0]?.isKey);
    for (const track of run.tracks) expect(blocks.some((block) => block.trackNumber === track.number)).toBe(true);
    expect(new Set(blocks.map((block) => block.trackNumber)).size).toBe(run.tracks.length);
    if (previous !== undefined) {
      expect(beginMs, 'timecodes increase').toBe(previous.beginMs + previous.durationMs);
      expect(beginMs, 'the first unit is later than all before').toBeGreaterThan(
        Math.max(...previous.blocks.map((block) => block.mediaMs)),
      );
    }
    for (const track of run.tracks) {
      const own = blocks.filter((block) => block.trackNumber === track.number).map((block) => block.mediaMs);
      const before = previous?.blocks.filter((block) => block.trackNumber === track.number).map((b) => b.mediaMs) ?? [];
      expect(Math.min(...own), 'a track goes on later than it was').toBeGreaterThan(Math.max(-1, ...before));
      if (track.kind === 'audio') for (let i = 1; i < own.length; i++) expect(own[i]).toBeGreaterThan(own[i - 1] ?? 0);
      const told = end.tracks.find((each) => each.trackNumber === track.number);
      expect(told).toMatchObject({ samples: own.length, beginMediaMs: Math.min(...own) });
      expect(told?.endMediaMs).toBeGreaterThan(Math.max(...own));
    }
    run.fragments.push({ ...end, beginMs, blocks });
  }

  endRun(reason: RunEndReason): void {
    expect(this.#open).toBeUndefined();
    const run = this.runs.at(-1);
    if (run === undefined || run.endReason !== undefined) throw new Error('no run to end');
    expect(run.fragments.length, 'a run has a fragment').toBeGreaterThan(0);
    run.endReason = reason;
  }

  dropped(unit: AccessUnit, reason: DropReason): void {
    this.drops.push({ id: idOf(unit.bytes), reason });
  }

  get blocks(): Block[] {
    return this.runs.flatMap((run) => run.fragments.flatMap((fragment) => fragment.blocks));
  }
}

let lastId = 0;

/** A unit whose bytes carry an id, so that it is found again. */
export function unitOf(facts: {
  track: Track;
  timeMs: number;
  receivedMs?: number;
  isKey?: boolean;
  isAfterLoss?: boolean;
  byteLength?: number;
}): AccessUnit {
  const bytes = Buffer.alloc(facts.byteLength ?? 8);
  bytes.writeUInt32LE(++lastId, 0);
  return {
    trackNumber: facts.track.number,
    presentationTimeUs: Math.round(facts.timeMs * 1_000),
    producerTimestampMs: undefined,
    receivedMonotonicMs: facts.receivedMs ?? facts.timeMs,
    isKey: facts.isKey ?? facts.track.kind !== 'video',
    isAfterLoss: facts.isAfterLoss ?? false,
    bytes,
  };
}

export function idOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}
