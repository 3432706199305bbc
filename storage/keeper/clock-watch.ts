/** The clock guard over the life of an index: doubts are written down, and so is every minute in which the keeper lives. */

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { IndexWriter, Span } from '../index/index.ts';
import { limits } from '../model/limits.ts';
import { type ClockDoubt, ClockGuard } from './clock-guard.ts';

export class ClockWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #index: IndexWriter;
  #guard: ClockGuard | undefined;
  #dueAliveMs = Number.NEGATIVE_INFINITY;

  constructor(dependencies: { readonly clock: Clock; readonly log: Log; readonly index: IndexWriter }) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#index = dependencies.index;
  }

  /** Why age removes nothing, or undefined while the clock is trusted. */
  get doubt(): ClockDoubt | undefined {
    return this.#guard?.doubt;
  }

  /** Looks at the clock once more, so that no step since the last look is believed. To be asked while the index is open. */
  isTrusted(): boolean {
    this.observe();
    return this.doubt === undefined;
  }

  /** An index was opened: its doubt goes on, and its newest footage is compared with the clock. */
  onIndexOpen(): void {
    const earlier = this.#index.state.get('clock-doubt') ?? undefined;
    this.#guard = new ClockGuard({ clock: this.#clock }, earlier);
    this.#guard.onStart(this.#newestMs());
    this.#writeDoubt();
  }

  /** A lost index is filled again: before any of its rows may be removed by age. */
  onRebuilt(): void {
    const { newestMs, sinceMs = 0, isDoubtLost = true } = this.#index.state.get('rebuild') ?? {};
    // Of files that only the journal had, those count that today's clock cannot have dated.
    const newestOfFilesMs = this.#index.queries.segments.newestBefore(sinceMs - limits.clockStepMsMax);
    const newest = [newestMs, newestOfFilesMs].filter((ms) => ms !== undefined);
    this.#guard?.onStart(newest.length === 0 ? undefined : Math.max(...newest));
    if (isDoubtLost && newestMs !== undefined) this.#guard?.onLost();
    this.#writeDoubt();
  }

  /** When the keeper did not run for longer than it notes, most likely nothing did. */
  offSpan(): Span | undefined {
    const beginMs = this.#index.state.get('alive-ms');
    const endMs = this.#clock.wallMs();
    return beginMs !== undefined && endMs - beginMs > 2 * limits.keeperAlivePeriodMs ? { beginMs, endMs } : undefined;
  }

  /** To be called often while the index is open. */
  observe(): void {
    const before = this.#guard?.doubt;
    this.#guard?.observe();
    if (before !== this.#guard?.doubt) this.#writeDoubt();
    if (this.#clock.monotonicMs() < this.#dueAliveMs) return;
    this.#dueAliveMs = this.#clock.monotonicMs() + limits.keeperAlivePeriodMs;
    this.#index.transaction((change) => change.state.set('alive-ms', this.#clock.wallMs()));
  }

  /** A person says that the clock is right. */
  confirm(): void {
    this.#guard?.confirm();
    const segmentId = this.#index.queries.segments.lastTakenIn()?.segmentId ?? 0;
    const confirmed = { atMs: this.#clock.wallMs(), segmentId };
    this.#index.transaction((change) => change.state.set('clock-confirmed', confirmed));
    this.#writeDoubt();
  }

  /** Footage that was dated ahead before a person confirmed the clock would put it in doubt at every start. */
  #newestMs(): number | undefined {
    const { segments } = this.#index.queries;
    const confirmed = this.#index.state.get('clock-confirmed') ?? undefined;
    if (confirmed === undefined) return segments.newestMs();
    const last = segments.lastTakenIn();
    return last === undefined || last.segmentId <= confirmed.segmentId ? confirmed.atMs : last.beginServerMs;
  }

  #writeDoubt(): void {
    const doubt = this.#guard?.doubt;
    if (doubt !== undefined) {
      this.#log.error('clock is in doubt: nothing is removed by age', {
        ...doubt,
        hint: 'Check date and time of this machine, then confirm the clock.',
      });
    }
    // That there is none is written too: a damaged index that tells nothing of it is one that lost it.
    if (doubt === undefined && this.#index.state.get('clock-doubt') === null) return;
    this.#index.transaction((change) => change.state.set('clock-doubt', doubt ?? null));
  }
}
