/**
 * Looks at every fragment of a stream in order, and has something done for those that carry a tag. The cursor is a row, and what is
 * done becomes durable with it: a process that is killed goes on where it was, and nothing is left out.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { isAppError, toAppError } from '../../../storage/base/errors.ts';
import { Lifetime } from '../../../storage/base/lifecycle.ts';
import type { Log } from '../../../storage/base/log.ts';
import { Backoff } from '../../../storage/base/retry.ts';
import type { FragmentTags } from '../../../storage/model/fragment.ts';
import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { FragmentRef, StreamReader } from '../../../storage/reader/index.ts';

export type TaggedFragment = { readonly reference: FragmentRef; readonly tags: FragmentTags };

export type TagFollowerDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly source: Pick<StreamReader, 'fragmentsAfter' | 'fragmentBytes' | 'latest' | 'onNew'>;
  readonly cursor: {
    readonly get: () => FragmentNumber | undefined;
    /** Everything up to this number was done. */
    readonly set: (number: FragmentNumber) => void;
  };
  /**
   * Does it, and advances the cursor in the same transaction. Called again when it throws.
   */
  readonly onTagged: (tagged: TaggedFragment, signal: AbortSignal) => Promise<void>;
};

const batchMax = 100;
/** The cursor of a stream that had no fragment when it was looked at first. */
const beforeAll = '0'.repeat(47) as FragmentNumber;
/** Fragments that nobody told of, since the recording process was away. */
const lookMs = 10_000;

export class TagFollower {
  readonly #deps: TagFollowerDeps;
  readonly #streamId: string;
  readonly #tag: string;
  readonly #lifetime = new Lifetime();
  #wake: (() => void) | undefined;
  /** Somebody told of fragments while others were looked at. */
  #isTold = false;

  constructor(deps: TagFollowerDeps, options: { readonly streamId: string; readonly tag: string }) {
    this.#deps = deps;
    this.#streamId = options.streamId;
    this.#tag = options.tag;
  }

  /**
   * Begins after the cursor, or without one with the next fragment. Resolves when that is decided, or cannot be for now.
   */
  async start(): Promise<void> {
    await this.#begin().catch((error: unknown) => this.#noteFailure(error));
    if (this.#lifetime.signal.aborted) return;
    this.#lifetime.defer(this.#deps.source.onNew(this.#streamId, () => this.#tell()));
    this.#lifetime.loop((signal) => this.#follow(signal));
  }

  async close(): Promise<void> {
    const closed = this.#lifetime.close();
    this.#tell();
    await closed;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const backoff = new Backoff({ firstDelayMs: 500, delayMsMax: 30_000 });
    while (!signal.aborted) {
      try {
        this.#isTold = false;
        const isMore = await this.#look(signal);
        backoff.reset();
        if (!isMore) await this.#untilTold(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#noteFailure(error);
        await clock.sleep(backoff.nextDelayMs(), signal);
      }
    }
  }

  /** Where it begins is a row too. */
  async #begin(): Promise<FragmentNumber> {
    const { source, cursor } = this.#deps;
    const known = cursor.get();
    if (known !== undefined) return known;
    const latest = await source.latest(this.#streamId);
    const begin = latest?.fragment.number ?? beforeAll;
    cursor.set(begin);
    return begin;
  }

  #noteFailure(error: unknown): void {
    const facts = { streamId: this.#streamId, error: toAppError(error) };
    this.#deps.log.counted('tagged fragments are not looked at, tried again', 1, facts);
  }

  /** One batch. @returns whether there may be more */
  async #look(signal: AbortSignal): Promise<boolean> {
    const { source, cursor } = this.#deps;
    const known = await this.#begin();
    const after = known === beforeAll ? undefined : known;
    const fragments = await source.fragmentsAfter(this.#streamId, after, batchMax, { isWhole: true });
    let passed: FragmentNumber | undefined;
    for (const reference of fragments) {
      if (signal.aborted) return false;
      const tags = await this.#tagsOf(reference);
      if (tags?.some(({ name }) => name === this.#tag)) {
        await this.#deps.onTagged({ reference, tags }, signal);
        passed = undefined;
      } else passed = reference.fragment.number;
    }
    if (passed !== undefined) cursor.set(passed);
    return fragments.length === batchMax;
  }

  /** Undefined of a fragment that was removed or damaged meanwhile: nothing can be done for it any more. */
  async #tagsOf(reference: FragmentRef): Promise<FragmentTags | undefined> {
    try {
      return (await this.#deps.source.fragmentBytes(reference, 0)).tags;
    } catch (error) {
      if (!isAppError(error, 'not_found') && !isAppError(error, 'data_loss')) throw error;
      this.#deps.log.warn('a fragment is passed over: its tags cannot be read', {
        streamId: this.#streamId,
        number: reference.fragment.number,
        error,
      });
      return undefined;
    }
  }

  #tell(): void {
    this.#isTold = true;
    this.#wake?.();
  }

  async #untilTold(signal: AbortSignal): Promise<void> {
    if (this.#isTold || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const cancel = this.#deps.clock.after(lookMs, resolve);
    await promise;
    cancel();
    this.#wake = undefined;
  }
}
