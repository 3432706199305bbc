/** A source of plain values: fragments of one run with made-up bytes, and what was asked of it. */

import type { MediaFragment, MediaSource } from '../../../../gateway/kvs/media/source.ts';
import { appError } from '../../../../storage/base/errors.ts';
import { matroskaHead } from '../../../../storage/media/index.ts';
import { someSegment, videoTrack } from '../../../kit/segments.ts';

export const runHead = matroskaHead({
  segmentUid: new Uint8Array(16).fill(3),
  tracks: [videoTrack],
  timecodeScaleNs: 1_000_000,
});

export function someFragments(count: number, { fragmentBytes = 1_000 } = {}): MediaFragment[] {
  const segment = someSegment({ beginMs: Date.UTC(2026, 0, 1), fragments: count, fragmentBytes });
  return segment.fragments.map((fragment) => ({ fragment, segment }));
}

/** Which byte stands where: told by its place in the file. */
export function byteAt(offset: number): number {
  return (offset * 7 + (offset >> 8)) & 0xff;
}

/** Holds `fragments`, to which a test may add; breaks off behind `brokenFrom`. */
export class PlainSource implements MediaSource {
  readonly fragments: MediaFragment[];
  readonly asked = { lists: 0, heads: 0, begun: 0, ranges: 0, bytesMax: 0, listening: 0 };
  brokenFrom = Number.POSITIVE_INFINITY;
  readonly #callbacks = new Set<() => void>();

  constructor(fragments: readonly MediaFragment[] = []) {
    this.fragments = [...fragments];
  }

  tell(): void {
    for (const callback of [...this.#callbacks]) callback();
  }

  async fragmentsAfter(_streamId: string, number: string | undefined, limit: number) {
    this.asked.lists++;
    return this.fragments.filter(({ fragment }) => number === undefined || fragment.number > number).slice(0, limit);
  }

  async fragmentsByTime() {
    return [];
  }

  async fragmentsOfNumbers() {
    return new Map();
  }

  async latest() {
    return this.fragments.at(-1);
  }

  async fragmentBytes({ fragment }: MediaFragment, bytesMax: number) {
    this.asked.begun++;
    this.asked.bytesMax = bytesMax;
    if (fragment.offset >= this.brokenFrom) throw appError('not_found', 'it is gone');
    return { tags: [], cluster: bytesOf(fragment.offset, Math.min(bytesMax, fragment.byteLength)) };
  }

  async openRange(_segment: unknown, offset: number, length: number) {
    this.asked.ranges++;
    if (offset + length > this.brokenFrom) return bytesOf(offset, Math.max(0, this.brokenFrom - offset));
    return bytesOf(offset, length);
  }

  async runHead() {
    this.asked.heads++;
    return runHead;
  }

  onNew(_streamId: string, callback: () => void) {
    this.asked.listening++;
    this.#callbacks.add(callback);
    return () => {
      this.asked.listening--;
      this.#callbacks.delete(callback);
    };
  }
}

function bytesOf(offset: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => byteAt(offset + i));
}
