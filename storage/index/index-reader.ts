/**
 * The index for everybody but the keeper: read-only, synchronous, and never a reason to fall over. The file may not be there
 * yet, be locked, migrating, damaged or replaced; every method then throws `unavailable` with the reason, and a later call
 * finds the file again by itself.
 */

import { statSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import type { Clock } from '../base/clock.ts';
import { appError, errnoOf, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Fragment } from '../model/fragment.ts';
import type { FragmentNumber } from '../model/fragment-number.ts';
import { limits } from '../model/limits.ts';
import { completenessOf, type DayCompleteness } from './completeness.ts';
import { databaseError, openForReading } from './database.ts';
import { Calendar, type Day } from './days.ts';
import type { StoredEventRange } from './event-queries.ts';
import { type IndexQueries, indexQueries } from './index-queries.ts';
import type { Run } from './run-queries.ts';
import type { TimeAxis } from './segment-queries.ts';
import type { Gap, Hold, Pause, Removal, Span, StoredSegment, StreamTotals } from './stored-segment.ts';

type Opened = { readonly database: Database; readonly queries: IndexQueries; readonly file: string };

/** A failed open is not tried again for so long: a page that asks for 100 cameras fails once, not 100 times slowly. */
const reopenDelayMs = 500;

export class IndexReader {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #path: string;
  #opened: Opened | undefined;
  #refusal: { readonly error: Error; readonly untilMs: number } | undefined;
  #isClosed = false;

  constructor(dependencies: { readonly clock: Clock; readonly log: Log }, options: { readonly path: string }) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#path = options.path;
  }

  /** Nothing to wait for: the file is opened by the first question. */
  async start(): Promise<void> {
    this.#isClosed = false;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#forget();
  }

  /** Segments that overlap a span, by begin; at most `limit` (default and most: `limits.indexRowsMax`). */
  segmentsBetween(
    streamId: string,
    span: Span,
    options: { readonly axis?: TimeAxis; readonly limit?: number } = {},
  ): StoredSegment[] {
    return this.#read((q) => q.segments.between(streamId, span, options.axis ?? 'server', rowLimit(options.limit)));
  }

  /** Segments that hold a number above the given one (all when it is undefined), by their last number; at most `limit`. */
  segmentsAfter(streamId: string, number: FragmentNumber | undefined, limit?: number): StoredSegment[] {
    return this.#read((q) => q.segments.after(streamId, number, rowLimit(limit)));
  }

  /** The segment with the highest number. */
  latestSegment(streamId: string): StoredSegment | undefined {
    return this.#read((q) => q.segments.latestRecorded(streamId));
  }

  segment(segmentId: number): StoredSegment | undefined {
    return this.#read((q) => q.segments.byId(segmentId));
  }

  segmentOfObject(objectKey: string): StoredSegment | undefined {
    return this.#read((q) => q.segments.byObjectKey(objectKey));
  }

  /** The fragments of one segment, in file order, or undefined when the segment is not (or no longer) in the index. */
  fragmentsOf(segmentId: number): readonly Fragment[] | undefined {
    return this.#read((q) => q.segments.fragmentsOf(segmentId));
  }

  /** A run with the producer's header bytes. */
  run(runId: string): Run | undefined {
    return this.#read((q) => q.segments.run(runId));
  }

  /** Gaps that overlap a span, by begin; at most `limits.indexRowsMax`. */
  gapsBetween(streamId: string, span: Span): Gap[] {
    return this.#read((q) => q.gaps.between(streamId, span, limits.indexRowsMax));
  }

  /** When a stream was not to be recorded, within a span, by begin; at most `limits.indexRowsMax`. */
  pausesBetween(streamId: string, span: Span): Pause[] {
    return this.#read((q) => q.gaps.pausesBetween(streamId, span, limits.indexRowsMax));
  }

  /** Event ranges that touch a span, by begin; at most `limits.indexRowsMax`. */
  eventsBetween(streamId: string, span: Span): StoredEventRange[] {
    return this.#read((q) => q.events.between(streamId, span, limits.indexRowsMax));
  }

  eventRange(rangeId: string): StoredEventRange | undefined {
    return this.#read((q) => q.events.byId(rangeId));
  }

  /** Gaps that still go on, of all streams. */
  openGaps(): Gap[] {
    return this.#read((q) => q.gaps.open());
  }

  /**
   * How much of each calendar day of a time zone was recorded; days have 23 to 25 hours. At most `limits.completenessDaysMax` days.
   * @throws AppError invalid_argument  no such time zone or date, or too many days
   */
  completeness(
    streamId: string,
    range: { readonly firstDay: Day; readonly lastDay: Day; readonly timeZone: string },
  ): DayCompleteness[] {
    const calendar = new Calendar(range.timeZone);
    const span = { beginMs: calendar.spanOf(range.firstDay).beginMs, endMs: calendar.spanOf(range.lastDay).endMs };
    if (span.endMs <= span.beginMs || span.endMs - span.beginMs > limits.completenessDaysMax * 86_400_000) {
      throw appError('invalid_argument', 'no such range of days', { ...range, daysMax: limits.completenessDaysMax });
    }
    return this.#read((q) =>
      completenessOf(
        calendar.daysWithin(span),
        q.streams.intervals(streamId, span, limits.segmentDurationMsMax),
        q.gaps.between(streamId, span, limits.indexRowsMax),
        this.#clock.wallMs(),
      ),
    );
  }

  totalsOf(streamId: string): StreamTotals | undefined {
    return this.#read((q) => q.streams.totalsOf(streamId));
  }

  totalsOfAll(): StreamTotals[] {
    return this.#read((q) => q.streams.totalsOfAll());
  }

  /** Holds that cover a stream, or all holds; released and lapsed ones included. */
  holdsOf(streamId: string | undefined): Hold[] {
    return this.#read((q) => q.streams.holds(streamId));
  }

  /** What was removed within a span, by begin; at most `limits.indexRowsMax`. */
  removals(streamId: string, span: Span): Removal[] {
    return this.#read((q) => q.streams.removals(streamId, span, limits.indexRowsMax));
  }

  /**
   * Asks several questions of one moment: no row appears or goes between them. The callback must not be async.
   * @throws AppError unavailable  as every method
   */
  snapshot<T>(questions: (queries: IndexQueries) => T): T {
    return this.#read(questions);
  }

  /** One transaction a question: the rows of two statements belong together. */
  #read<T>(question: (queries: IndexQueries) => T): T {
    const { database, queries } = this.#open();
    try {
      return database.transaction(() => question(queries))();
    } catch (error) {
      const failure = databaseError(error);
      if (failure === error) throw error;
      this.#forget();
      throw this.#refuse(failure);
    }
  }

  #open(): Opened {
    if (this.#isClosed) throw appError('failed_precondition', 'the index reader is closed');
    const file = this.#fileOnDisk();
    if (this.#opened !== undefined && this.#opened.file === file) return this.#opened;
    this.#forget();
    if (this.#refusal !== undefined && this.#clock.monotonicMs() < this.#refusal.untilMs) throw this.#refusal.error;
    try {
      const database = openForReading(this.#path);
      this.#opened = { database, queries: indexQueries(database), file };
      this.#refusal = undefined;
      return this.#opened;
    } catch (error) {
      throw this.#refuse(databaseError(error));
    }
  }

  /** The keeper moves a damaged index aside and begins a new file: device and inode tell. */
  #fileOnDisk(): string {
    try {
      const { dev, ino } = statSync(this.#path);
      return `${dev}:${ino}`;
    } catch (error) {
      this.#forget();
      throw appError(
        'unavailable',
        errnoOf(error) === 'ENOENT' ? 'the index is not there yet' : 'the index is not there',
        {
          path: this.#path,
          cause: error,
        },
      );
    }
  }

  #refuse(failure: unknown): Error {
    const cause = toAppError(failure);
    const error = appError('unavailable', cause.message, {
      hint: 'Recording goes on; the keeper repairs or rebuilds the index. Try again in a moment.',
      cause,
    });
    this.#refusal = { error, untilMs: this.#clock.monotonicMs() + reopenDelayMs };
    this.#log.counted('index cannot be read', 1, { reason: cause.message });
    return error;
  }

  #forget(): void {
    const opened = this.#opened;
    this.#opened = undefined;
    opened?.database.close();
  }
}

function rowLimit(limit: number | undefined): number {
  return Math.min(limit ?? limits.indexRowsMax, limits.indexRowsMax);
}
