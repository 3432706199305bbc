/**
 * The index as a part that may be missing: questions to it answer nothing instead of failing, and it is said that the part is
 * missing. Also remembers which finished files it has told of, so that they are not read a second time from the journal.
 */

import { type AppError, appError, isAppError } from '../base/errors.ts';
import type { Fragment } from '../model/fragment.ts';
import { type FragmentNumber, fragmentNumber } from '../model/fragment-number.ts';
import { limits } from '../model/limits.ts';
import { type IndexedSegment, type SegmentIndex, segmentKey, type TimeAxis } from './references.ts';

/** Rows of one page where only the first fragments are wanted, most often: four hours. */
const pageRows = 256;

export class IndexedSegments {
  readonly #index: SegmentIndex | undefined;
  /** Keys of segments that the index has, or had: a row that is gone was removed by policy, and its file will follow. */
  readonly #keys = new Map<string, Set<string>>();
  #missing: string | undefined;

  constructor(index: SegmentIndex | undefined) {
    this.#index = index;
    this.#missing = index === undefined ? 'no index' : undefined;
  }

  /**
   * To be asked directly after a question: why what is told without its answer would have holes. Undefined when it was answered, or
   * where there is no index at all.
   */
  get refusal(): AppError | undefined {
    if (this.#index === undefined || this.#missing === undefined) return undefined;
    return appError('unavailable', 'the index cannot be asked', { reason: this.#missing });
  }

  /** Why the last question was not answered; undefined when it was. */
  get missing(): string | undefined {
    return this.#missing;
  }

  /**
   * Segments that overlap a span, by begin: all, or so many that they hold the first `fragmentsMax` fragments. The index
   * answers page by page; what is newer than a page that was cut off must not follow it as if nothing lay between.
   */
  between(
    streamId: string,
    span: { readonly beginMs: number; readonly endMs: number },
    fragmentsMax: number,
  ): readonly IndexedSegment[] {
    const found = new Map<number, IndexedSegment>();
    let { beginMs } = span;
    for (;;) {
      const page = this.#ask((index) => index.segmentsBetween(streamId, { beginMs, endMs: span.endMs })) ?? [];
      for (const segment of page) found.set(segment.segmentId, segment);
      const last = page.at(-1);
      // Each segment holds a fragment of the span, but for one that began before it.
      if (page.length < limits.indexRowsMax || last === undefined || found.size > fragmentsMax) break;
      // The last one is asked for again: others may begin with it.
      const nextMs = last.beginServerMs - 1;
      if (nextMs <= beginMs) break;
      beginMs = nextMs;
    }
    return [...found.values()];
  }

  /**
   * Segments that overlap a span of one time, by their begin in it, page by page as they are taken: a segment may come twice.
   * @throws AppError unavailable  the index cannot be asked
   */
  *pagesBetween(
    streamId: string,
    span: { readonly beginMs: number; readonly endMs: number },
    axis: TimeAxis,
  ): Generator<readonly IndexedSegment[]> {
    let { beginMs } = span;
    let limit = pageRows;
    for (;;) {
      const asked = { beginMs, endMs: span.endMs };
      const page = this.#ask((index) => index.segmentsBetween(streamId, asked, { axis, limit })) ?? [];
      const { refusal } = this;
      if (refusal !== undefined) throw refusal;
      yield page;
      const last = page.at(-1);
      if (page.length < limit || last === undefined) return;
      // The last one is asked for again: others may begin with it.
      const nextMs = (axis === 'server' ? last.beginServerMs : last.beginProducerMs) - 1;
      if (nextMs <= beginMs && limit === limits.indexRowsMax) return;
      // So many that overlap one instant.
      if (nextMs <= beginMs) limit = limits.indexRowsMax;
      else beginMs = nextMs;
    }
  }

  /** Segments with numbers above the given one, by their last: all, or so many that they hold `fragmentsMax` fragments. */
  after(streamId: string, number: FragmentNumber | undefined, fragmentsMax: number): readonly IndexedSegment[] {
    const found: IndexedSegment[] = [];
    let after = number;
    while (found.length < fragmentsMax) {
      const most = Math.min(fragmentsMax - found.length, limits.indexRowsMax);
      const page = this.#ask((index) => index.segmentsAfter(streamId, after, most)) ?? [];
      found.push(...page);
      after = page.at(-1)?.lastNumber;
      if (page.length < most || after === undefined) break;
    }
    return found;
  }

  latest(streamId: string): IndexedSegment | undefined {
    return this.#ask((index) => index.latestSegment(streamId));
  }

  /** Undefined when it is not there any more, or cannot be asked. */
  fragmentsOf(segment: IndexedSegment): readonly Fragment[] | undefined {
    return this.#ask((index) => index.fragmentsOf(segment.segmentId));
  }

  /**
   * Of these file names, by first counter, those that the index does not tell of: all while it cannot be asked. To be called
   * after another question.
   */
  unknownOf(streamId: string, names: readonly string[]): readonly string[] {
    if (this.#missing !== undefined) return names;
    const before = this.#keys.get(streamId);
    const unknown = names.filter((name) => before?.has(name) !== true);
    const [oldest] = unknown;
    if (oldest === undefined) return [];
    const keys = this.#keysAfter(streamId, Number.parseInt(oldest, 10));
    // Only names that there are are kept, so that the set does not outgrow the directory.
    this.#keys.set(streamId, new Set(names.filter((name) => before?.has(name) || keys.has(name))));
    return unknown.filter((name) => !keys.has(name));
  }

  #keysAfter(streamId: string, counter: number): Set<string> {
    const keys = new Set<string>();
    const after = counter > 0 ? fragmentNumber(counter, 0, 0) : undefined;
    for (const segment of this.after(streamId, after, Number.POSITIVE_INFINITY)) keys.add(segmentKey(segment));
    return keys;
  }

  #ask<T>(question: (index: SegmentIndex) => T): T | undefined {
    if (this.#index === undefined) return undefined;
    try {
      const answer = question(this.#index);
      this.#missing = undefined;
      return answer;
    } catch (error) {
      if (!isAppError(error, 'unavailable')) throw error;
      this.#missing = error.message;
      return undefined;
    }
  }
}
