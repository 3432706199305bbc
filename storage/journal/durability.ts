/**
 * Makes what many writers wrote survive power loss, with one sync of the journal's whole file system for all of them: a
 * hundred cameras cost one flush of the disk a period instead of a hundred. The sync runs in a child process (`sync-child.ts`),
 * since Node has no call for it and since a child that hangs in the kernel holds none of our threads.
 *
 * A failed sync is never retried for the same bytes: the kernel forgets which pages it could not write, and the second try
 * would answer success for bytes that are lost.
 */

import type { Clock } from '../base/clock.ts';
import { appError, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { limits } from '../model/limits.ts';
import { SyncChild } from './sync-child.ts';

export type SyncRequest = {
  /** Syncs only what the caller cares for: used where the file system cannot be synced as a whole. */
  readonly alone: () => Promise<void>;
  /** Do not wait for the period: somebody waits for this (shutdown). */
  readonly isUrgent?: boolean;
};

/** Syncs one file system, or says with `unimplemented` that it cannot be done here. */
export type FileSystemSync = (directory: string) => Promise<void>;

export type DurabilityOptions = {
  /** Any directory of the file system. */
  readonly directory: string;
  readonly periodMs?: number;
  readonly timeoutMs?: number;
};

type Waiter = SyncRequest & { readonly resolve: () => void; readonly reject: (error: unknown) => void };

export class Durability {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #child = new SyncChild();
  readonly #syncFileSystem: FileSystemSync;
  readonly #options: DurabilityOptions;
  readonly #periodMs: number;
  readonly #timeoutMs: number;
  #isWhole = true;
  /** The first sync, which ends in any case. */
  #starting: Promise<void> | undefined;
  #waiters: Waiter[] = [];
  #lastBeganMs = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  /** A sync that outlived its deadline. As long as it hangs no second one is begun. */
  #stuck: Promise<void> | undefined;
  #count = 0;
  #isClosed = false;

  constructor(deps: { clock: Clock; log: Log; syncFileSystem?: FileSystemSync }, options: DurabilityOptions) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#syncFileSystem = deps.syncFileSystem ?? ((directory) => this.#child.sync(directory));
    this.#options = options;
    this.#periodMs = options.periodMs ?? limits.syncPeriodMs;
    this.#timeoutMs = options.timeoutMs ?? limits.syncTimeoutMs;
  }

  /** Syncs that were begun so far: for metrics. */
  get syncCount(): number {
    return this.#count;
  }

  /**
   * Finds out whether the file system can be synced as a whole; without that each writer syncs its own file. Need not be waited
   * for: who asks meanwhile is served by the sync after this one.
   */
  start(): Promise<void> {
    this.#starting = this.#syncFirst();
    return this.#starting;
  }

  /**
   * Resolves when a sync that began after this call is complete: what the caller had written before is durable then.
   *
   * @throws AppError  the sync failed or took longer than its deadline: the bytes may be lost
   */
  synced(request: SyncRequest): Promise<void> {
    if (this.#isClosed) return Promise.reject(appError('cancelled', 'syncing has ended'));
    return new Promise((resolve, reject) => {
      this.#waiters.push({ ...request, resolve, reject });
      if (request.isUrgent) this.#arm(0);
      else if (this.#cancelTimer === undefined) this.#armNext();
    });
  }

  /** Serves everyone who waits, at once, and ends. */
  async close(): Promise<void> {
    this.#arm(0);
    while (this.#running !== undefined || this.#waiters.length > 0) {
      await this.#running;
      if (this.#running === undefined && this.#waiters.length > 0) this.#begin();
    }
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#child.close();
  }

  async #syncFirst(): Promise<void> {
    try {
      await this.#withDeadline(this.#syncFileSystem(this.#options.directory));
    } catch (error) {
      this.#isWhole = false;
      this.#log.warn('file system cannot be synced as a whole, syncing each file', {
        directory: this.#options.directory,
        error: toAppError(error).message,
      });
    }
  }

  #armNext(): void {
    const urgent = this.#waiters.some((waiter) => waiter.isUrgent);
    this.#arm(urgent ? 0 : Math.max(0, this.#lastBeganMs + this.#periodMs - this.#clock.monotonicMs()));
  }

  #arm(delayMs: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    // Whoever comes while a sync runs is served by the next one, which is armed at its end.
    if (this.#running !== undefined) return;
    if (delayMs > 0) this.#cancelTimer = this.#clock.after(delayMs, () => this.#begin());
    else this.#begin();
  }

  #begin(): void {
    this.#cancelTimer = undefined;
    if (this.#running !== undefined || this.#waiters.length === 0) return;
    this.#lastBeganMs = this.#clock.monotonicMs();
    // Asking and beginning may be the same call: others of this turn of the event loop share the sync.
    this.#running = Promise.resolve(this.#starting)
      .then(() => {
        const waiters = this.#waiters;
        this.#waiters = [];
        return this.#isWhole ? this.#syncWhole(waiters) : this.#syncAlone(waiters);
      })
      .finally(() => {
        this.#running = undefined;
        if (this.#waiters.length > 0) this.#armNext();
      });
  }

  async #syncWhole(waiters: readonly Waiter[]): Promise<void> {
    try {
      if (this.#stuck !== undefined) await this.#withDeadline(this.#stuck);
      this.#count++;
      const sync = this.#syncFileSystem(this.#options.directory);
      await this.#withDeadline(sync, () => this.#markStuck(sync));
    } catch (error) {
      if (toAppError(error).code === 'unimplemented') return this.#syncAlone(waiters);
      for (const waiter of waiters) waiter.reject(error);
      return;
    }
    for (const waiter of waiters) waiter.resolve();
  }

  /** One file after the other, so that a hundred flushes do not come at once. */
  async #syncAlone(waiters: readonly Waiter[]): Promise<void> {
    for (const waiter of waiters) {
      this.#count++;
      await this.#withDeadline(waiter.alone()).then(waiter.resolve, waiter.reject);
    }
  }

  #markStuck(sync: Promise<void>): void {
    this.#log.error('sync of the journal hangs', { directory: this.#options.directory, timeoutMs: this.#timeoutMs });
    const stuck = sync
      .catch(() => {})
      .finally(() => {
        if (this.#stuck === stuck) this.#stuck = undefined;
        this.#log.info('sync of the journal came back');
      });
    this.#stuck = stuck;
  }

  #withDeadline(work: Promise<void>, onTimeout?: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(this.#timeoutMs, () => {
        onTimeout?.();
        reject(appError('deadline_exceeded', 'disk did not finish a sync in time', { timeoutMs: this.#timeoutMs }));
      });
      work.then(resolve, reject).finally(cancel);
    });
  }
}
