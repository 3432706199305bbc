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

  /** An index was opened: its doubt goes on, and its newest footage is compared with the clock. */
  onIndexOpen(): void {
    const earlier = this.#index.state.get('clock-doubt') ?? undefined;
    this.#guard = new ClockGuard({ clock: this.#clock }, earlier);
    this.#guard.onStart(this.#index.queries.segments.newestMs());
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
    this.#writeDoubt();
  }

  #writeDoubt(): void {
    const doubt = this.#guard?.doubt;
    if (doubt !== undefined) {
      this.#log.error('clock is in doubt: nothing is removed by age', {
        ...doubt,
        hint: 'Check date and time of this machine, then confirm the clock.',
      });
    }
    const known = this.#index.state.get('clock-doubt') ?? null;
    if (known === null && doubt === undefined) return;
    this.#index.transaction((change) => change.state.set('clock-doubt', doubt ?? null));
  }
}
