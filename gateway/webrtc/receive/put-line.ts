/**
 * Bytes on their way to a stream's owner: one put, and what waits for it. Nobody who pushes ever waits; what finds no room is refused, and
 * whoever pushed decides what to leave out.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { AppError, appError, toAppError } from '../../../storage/base/errors.ts';
import type { LanePut, PutOptions } from '../../../storage/lane/index.ts';
import { receiveLimits } from './limits.ts';

/** The process that records a stream: `LaneClient` is one. */
export type PutOwner = { put(options: PutOptions): Promise<LanePut> };

/** What all puts of the process hold together: `ByteBudget` of the journal. */
export type QueueBudget = { take(bytes: number): boolean; give(bytes: number): void };

export type PutLineOptions = {
  readonly head: PutOptions['head'];
  /** True for the event by which the owner says that it takes the media. */
  readonly isAccepted: (event: unknown) => boolean;
  /** An owner that is away, or does not know the stream yet, is tried again for so long. */
  readonly openMsMax: number;
};

export class PutLine {
  readonly #clock: Clock;
  readonly #owner: PutOwner;
  readonly #budget: QueueBudget;
  readonly #onEvent: (event: unknown) => void;
  readonly #options: PutLineOptions;
  readonly #accepted = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<AppError | undefined>();
  readonly #abort = new AbortController();
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #wake: () => void = () => {};
  #closing: { readonly isCut: boolean } | undefined;
  #isOver = false;

  /** @param deps.onEvent  whatever else the owner tells meanwhile */
  constructor(
    deps: {
      readonly clock: Clock;
      readonly owner: PutOwner;
      readonly budget: QueueBudget;
      readonly onEvent?: (event: unknown) => void;
    },
    options: PutLineOptions,
  ) {
    this.#clock = deps.clock;
    this.#owner = deps.owner;
    this.#budget = deps.budget;
    this.#onEvent = deps.onEvent ?? (() => {});
    this.#options = options;
    this.#accepted.promise.catch(() => {});
  }

  /** @throws AppError  the owner does not take the media, or is away */
  get accepted(): Promise<void> {
    return this.#accepted.promise;
  }

  /** Why it is over; undefined when all of it was sent. */
  get over(): Promise<AppError | undefined> {
    return this.#over.promise;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  start(): void {
    this.#run().then(
      () => this.#end(undefined),
      (error: unknown) => this.#end(toAppError(error)),
    );
  }

  /**
   * @param bytes  owned by the line from now on
   * @returns      false when too much waits: nothing of it is taken
   */
  push(bytes: Uint8Array): boolean {
    if (this.#isOver || this.#closing !== undefined) return true;
    if (this.#queuedBytes + bytes.length > receiveLimits.queueBytesMax && this.#queue.length > 0) return false;
    if (!this.#budget.take(bytes.length)) return false;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#wake();
    return true;
  }

  /** Sends what waits, within reason, and ends the put. @param options.isCut  the media broke off */
  async close(options: { readonly isCut: boolean }): Promise<void> {
    this.#closing ??= options;
    this.#wake();
    const cancel = this.#clock.after(receiveLimits.farewellMs, () => this.#abort.abort());
    await this.#over.promise;
    cancel();
  }

  async #run(): Promise<void> {
    const put = await this.#open();
    try {
      this.#accepted.resolve();
      let failure: AppError | undefined;
      const ended = (error: AppError) => {
        failure = error;
        this.#wake();
      };
      put.outcome.then(
        () => ended(appError('unavailable', 'the recording process ended the media')),
        (error: unknown) => ended(toAppError(error)),
      );
      for (;;) {
        const bytes = this.#queue.shift();
        if (bytes !== undefined) {
          await put.write(bytes);
          this.#settle(bytes.length);
        } else if (failure !== undefined) throw failure;
        else if (this.#closing !== undefined) break;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      await put.end({ isCut: this.#closing.isCut });
    } finally {
      put.close();
    }
  }

  async #open(): Promise<LanePut> {
    const giveUpMs = this.#clock.monotonicMs() + this.#options.openMsMax;
    for (;;) {
      try {
        return await this.#openOnce();
      } catch (error) {
        const mayTryAgain = isTransient(error) && this.#clock.monotonicMs() < giveUpMs;
        if (!mayTryAgain || this.#closing !== undefined) throw error;
        await this.#clock.sleep(receiveLimits.ownerRetryMs);
      }
    }
  }

  async #openOnce(): Promise<LanePut> {
    const { head, isAccepted } = this.#options;
    const { promise: isTaken, resolve: taken } = Promise.withResolvers<void>();
    const onEvent = (event: unknown) => {
      if (isAccepted(event)) taken();
      else this.#onEvent(event);
    };
    const put = await this.#owner.put({ head, onEvent, signal: this.#abort.signal });
    const unexpected = put.outcome.then(() => {
      throw appError('unavailable', 'the recording process ended the media before it took it');
    });
    try {
      await Promise.race([isTaken, unexpected, this.#closed()]);
      return put;
    } catch (error) {
      put.close();
      throw error;
    }
  }

  /** Rejects when it is closed before the owner took it. */
  #closed(): Promise<never> {
    return new Promise((_resolve, reject) => {
      this.#wake = () => {
        if (this.#closing !== undefined) reject(appError('cancelled', 'the publisher left'));
      };
      this.#wake();
    });
  }

  #end(error: AppError | undefined): void {
    this.#isOver = true;
    this.#queue = [];
    this.#settle(this.#queuedBytes);
    this.#accepted.reject(error ?? appError('cancelled', 'the publisher left'));
    this.#over.resolve(error);
  }

  #settle(bytes: number): void {
    this.#queuedBytes -= bytes;
    this.#budget.give(bytes);
  }
}

/** The owner starts again, or the stream is on its way to it. */
export function isTransient(error: unknown): boolean {
  return error instanceof AppError && ['unavailable', 'not_found', 'internal'].includes(error.code);
}
