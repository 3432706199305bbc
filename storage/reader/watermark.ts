/**
 * The watermark of each stream: the lowest number that is still open. Readers see nothing at or beyond it, since a fragment
 * that a reader has passed must not appear behind it later.
 */

import { type FragmentNumber, fragmentNumber } from '../model/fragment-number.ts';
import type { Hint, OpenSegment } from '../model/hint.ts';
import type { OpenSegmentFile } from './open-segments.ts';

/** An open fragment without bytes is aborted after 30 s: a file that is silent for longer holds nobody back. */
const silentFileMs = 30_000;

/** Open numbers as the owner of the streams tells them. */
export class OpenNumbers {
  /** By stream, then number to run. Undefined while nothing is known. */
  #open: Map<string, Map<FragmentNumber, string>> | undefined;
  /** The highest number of each stream that was heard of since the snapshot. */
  readonly #highest = new Map<string, FragmentNumber>();

  /** True between a snapshot and the loss of the connection. */
  get isKnown(): boolean {
    return this.#open !== undefined;
  }

  lose(): void {
    this.#open = undefined;
    this.#highest.clear();
  }

  takeSnapshot(open: readonly OpenSegment[]): void {
    this.lose();
    this.#open = new Map();
    for (const { streamId, runId, openNumber } of open) {
      if (openNumber !== undefined) this.#of(streamId)?.set(openNumber, runId);
    }
  }

  /** True when a reader may see more, or other, than before. */
  takeHint(hint: Hint): boolean {
    const numbers = this.#of(hint.streamId);
    switch (hint.kind) {
      case 'begun':
        numbers?.set(hint.number, hint.runId);
        this.#hear(hint.streamId, hint.number);
        return false;
      case 'committed':
        numbers?.delete(hint.fragment.number);
        return true;
      case 'aborted':
        return numbers?.delete(hint.number) ?? false;
      case 'run-ended':
        for (const [number, runId] of numbers ?? []) if (runId === hint.runId) numbers?.delete(number);
        return true;
      default:
        return false;
    }
  }

  /**
   * Numbers below this are visible in files that are read after this call; undefined: all are. A number that was not heard of
   * yet is not visible, as one below it may be committed to another file that was read just before.
   */
  watermark(streamId: string): FragmentNumber | undefined {
    let lowest: FragmentNumber | undefined;
    for (const number of this.#open?.get(streamId)?.keys() ?? []) {
      if (lowest === undefined || number < lowest) lowest = number;
    }
    const highest = this.#highest.get(streamId);
    return lowest ?? (highest === undefined ? undefined : next(highest));
  }

  #hear(streamId: string, number: FragmentNumber): void {
    const highest = this.#highest.get(streamId);
    if (highest === undefined || number > highest) this.#highest.set(streamId, number);
  }

  #of(streamId: string): Map<FragmentNumber, string> | undefined {
    if (this.#open === undefined) return undefined;
    let numbers = this.#open.get(streamId);
    if (numbers === undefined) {
      numbers = new Map();
      this.#open.set(streamId, numbers);
    }
    return numbers;
  }
}

/**
 * The watermark as files alone tell it: where several files of a stream are being written, each may still hold the number
 * after its last one.
 */
export function watermarkOfFiles(files: readonly OpenSegmentFile[], nowMs: number): FragmentNumber | undefined {
  const written = files.filter((file) => !file.isEnded && nowMs - file.changedMs < silentFileMs);
  if (written.length < 2) return undefined;
  const bounds = written.map((file) => lowestNext(file)).sort();
  return bounds[0];
}

/** A bound below every number that may still be committed to a file, and above every one that is. */
function lowestNext({ head, fragments }: OpenSegmentFile): FragmentNumber {
  const last = fragments.at(-1);
  if (last === undefined) return fragmentNumber(head.firstCounter, 0, 0);
  return next(last.number);
}

/** Above the number, and not above any other that is. */
function next(number: FragmentNumber): FragmentNumber {
  return (BigInt(number) + 1n).toString() as FragmentNumber;
}
