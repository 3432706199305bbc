/**
 * Event ranges, as they are asked for: checked, written and told. A range and the class of the footage it marks change in one
 * transaction, so retention never sees one without the other.
 */

import type { Clock } from '../base/clock.ts';
import { appError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { IndexWriter } from '../index/index.ts';
import type { EventRange } from '../model/event-range.ts';
import { limits } from '../model/limits.ts';

export class EventRanges {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #index: IndexWriter;
  #cut = 0;

  constructor(dependencies: { readonly clock: Clock; readonly log: Log; readonly index: IndexWriter }) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#index = dependencies.index;
  }

  /** Ranges that nobody ended, since the start. */
  get cut(): number {
    return this.#cut;
  }

  /**
   * Marks a range, or replaces the one of that id; durable when this returns.
   *
   * @throws AppError invalid_argument    it ends before it begins, is too long, begins in the future, or its id is another stream's
   * @throws AppError not_found           no plan ever named the stream
   * @throws AppError resource_exhausted  the stream has too many
   */
  put(range: EventRange): void {
    const { rangeId, streamId, beginMs, endMs } = range;
    const nowMs = this.#clock.wallMs();
    if (beginMs > nowMs + limits.eventAheadMsMax) {
      throw appError('invalid_argument', 'the event begins in the future', { beginMs, field: 'begin' });
    }
    assertSpan(beginMs, endMs);
    const { events } = this.#index.queries;
    const known = events.byId(rangeId);
    if (known !== undefined && known.streamId !== streamId) {
      throw appError('invalid_argument', 'the event is one of another stream', { rangeId });
    }
    if (!this.#index.state.policies().some((policy) => policy.streamId === streamId)) {
      throw appError('not_found', 'no such stream', { streamId });
    }
    if (known === undefined && events.countOf(streamId) >= limits.eventRangesMax) {
      throw appError('resource_exhausted', 'the stream has too many events', { eventRangesMax: limits.eventRangesMax });
    }
    this.#index.transaction((change) => change.events.put(range, nowMs));
  }

  /**
   * Ends a range, or ends it at another time.
   * @throws AppError not_found, invalid_argument
   */
  end(rangeId: string, endMs: number): void {
    const known = this.#index.queries.events.byId(rangeId);
    if (known === undefined) throw appError('not_found', 'no such event', { rangeId });
    assertSpan(known.beginMs, endMs);
    this.#index.transaction((change) => change.events.end(rangeId, endMs));
  }

  /** Takes a range away; what only it marked is kept as if nothing had happened. @throws AppError not_found */
  remove(rangeId: string): void {
    const isRemoved = this.#index.transaction((change) => change.events.remove(rangeId));
    if (!isRemoved) throw appError('not_found', 'no such event', { rangeId });
  }

  /** Ends what nobody ended within `limits.eventRangeMsMax`; to be called often, while the clock is trusted. */
  cutOverdue(): void {
    const nowMs = this.#clock.wallMs();
    if (!this.#index.queries.events.hasOverdue(nowMs)) return;
    const cut = this.#index.transaction((change) => change.events.cutOverdue(nowMs));
    this.#cut += cut;
    if (cut > 0)
      this.#log.warn('events that nobody ended were ended', { events: cut, afterMs: limits.eventRangeMsMax });
  }
}

function assertSpan(beginMs: number, endMs: number | undefined): void {
  if (endMs === undefined) return;
  if (endMs < beginMs)
    throw appError('invalid_argument', 'the event ends before it begins', { beginMs, endMs, field: 'end' });
  if (endMs - beginMs > limits.eventRangeMsMax) {
    throw appError('invalid_argument', 'the event is longer than a day', {
      ...{ beginMs, endMs, field: 'end' },
      hint: 'mark each day, or protect the footage by a legal hold',
    });
  }
}
