/** The fragments of one connection that were begun and are not yet where they are to be: what is told of each, and what is counted. */

import type { Clock } from '../../storage/base/clock.ts';
import type { FragmentNumber } from '../../storage/model/fragment-number.ts';
import type { PutMediaCounters } from './counters.ts';
import type { Ack } from './messages.ts';
import type { FragmentOpening } from './producer-media.ts';

export type OpenedFragment = FragmentOpening & {
  readonly runId: string;
  readonly number: FragmentNumber;
  readonly serverTimestampMs: number;
};

type Entry = OpenedFragment & {
  readonly firstByteMs: number;
  wholeMs: number | undefined;
  isCommitted: boolean;
  stored: { readonly isKept: boolean } | undefined;
};

export class FragmentBook {
  readonly #clock: Clock;
  readonly #counters: PutMediaCounters;
  readonly #tell: (ack: Ack) => void;
  /** In order; the last one may be open. */
  #entries: Entry[] = [];
  /** Taken back, or never committed. */
  #dropped: Entry | undefined;

  constructor(dependencies: {
    readonly clock: Clock;
    readonly counters: PutMediaCounters;
    readonly tell: (ack: Ack) => void;
  }) {
    this.#clock = dependencies.clock;
    this.#counters = dependencies.counters;
    this.#tell = dependencies.tell;
  }

  /** Bytes of it are missing. */
  get open(): (OpenedFragment & { readonly firstByteMs: number }) | undefined {
    const last = this.#entries.at(-1);
    return last?.wholeMs === undefined ? last : undefined;
  }

  /** Since when the newest is whole, while it is not committed. */
  get heldSinceMs(): number | undefined {
    const last = this.#entries.at(-1);
    return last?.isCommitted === false ? last.wholeMs : undefined;
  }

  /** The oldest that the producer has to send again, unless it is stored after all. */
  get oldest(): OpenedFragment | undefined {
    return this.#entries[0] ?? this.#dropped;
  }

  /** Committed ones wait for the disk. */
  get isWaiting(): boolean {
    return this.#entries.length > 0;
  }

  /** Since when the oldest waits for the disk. */
  get waitingSinceMs(): number | undefined {
    const [oldest] = this.#entries;
    return oldest?.isCommitted === true ? oldest.wholeMs : undefined;
  }

  begin(fragment: OpenedFragment, firstByteMs: number): void {
    const { timecodeMs, number } = fragment;
    this.#entries.push({ ...fragment, firstByteMs, wholeMs: undefined, isCommitted: false, stored: undefined });
    this.#tell({ kind: 'buffering', timecodeMs, number });
    this.#counters.bufferingAckLatency.add(this.#clock.monotonicMs() - firstByteMs);
  }

  whole(): void {
    const last = this.#entries.at(-1);
    if (last === undefined) return;
    const { timecodeMs, number, firstByteMs } = last;
    last.wholeMs = this.#clock.monotonicMs();
    this.#counters.incomingFragments++;
    this.#counters.fragmentIngestionLatency.add(last.wholeMs - firstByteMs);
    this.#tell({ kind: 'received', timecodeMs, number });
    this.#counters.receivedAckLatency.add(this.#clock.monotonicMs() - last.wholeMs);
  }

  /** The whole one is on its way to the disk. */
  committed(): void {
    const whole = this.#entries.findLast(({ wholeMs }) => wholeMs !== undefined);
    if (whole !== undefined) whole.isCommitted = true;
  }

  /**
   * Everything of this run up to this number is where it is to be. Another run has a file of its own, which may be slower; one that is told
   * stands for all before it, as producers then forget them, so it waits for those.
   *
   * @param options.isKept  beyond what live readers need: only then it is told
   */
  stored(upTo: Pick<OpenedFragment, 'runId' | 'number'>, { isKept }: { readonly isKept: boolean }): void {
    for (const entry of this.#entries) {
      if (entry.number > upTo.number) break;
      if (entry.runId === upTo.runId) entry.stored ??= { isKept };
    }
    for (let first = this.#entries[0]; first?.stored !== undefined; first = this.#entries[0]) {
      this.#entries.shift();
      const latencyMs = this.#clock.monotonicMs() - (first.wholeMs ?? first.firstByteMs);
      this.#counters.storedFragments++;
      this.#counters.fragmentPersistLatency.add(latencyMs);
      if (!first.stored.isKept) continue;
      this.#tell({ kind: 'persisted', timecodeMs: first.timecodeMs, number: first.number });
      this.#counters.persistedAckLatency.add(latencyMs);
    }
  }

  /** Nothing more is committed: what was not by now never will be. */
  dropRest(): void {
    const rest = this.#entries.filter(({ isCommitted }) => !isCommitted);
    this.#entries = this.#entries.filter(({ isCommitted }) => isCommitted);
    this.#dropped = rest[0];
    this.#counters.failedFragments += rest.length;
  }

  /** The disk did not take what still waits. */
  giveUp(): void {
    this.#counters.failedFragments += this.#entries.length;
  }
}
