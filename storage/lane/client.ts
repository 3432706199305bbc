/**
 * The client's end of the lane protocol: requests, news and lanes of one role's socket. It connects again by itself for as long
 * as it lives; whoever watches gets a fresh snapshot each time.
 */

import type { Clock } from '../base/clock.ts';
import { AppError, appError } from '../base/errors.ts';
import { Lifetime } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import { Backoff } from '../base/retry.ts';
import type { SourceState } from '../model/camera.ts';
import type { Hint } from '../model/hint.ts';
import { LaneConnection, type LaneItem, remoteError } from './connection.ts';
import type { LaneSnapshot } from './handlers.ts';
import { LanePut, type PutOptions } from './put.ts';
import { type LaneEvent, type SubscribeOptions, subscribeTo } from './subscription.ts';
import { wireToHint } from './wire.ts';

/** What a watcher wants to know. Called in the order of the server; a snapshot replaces all that was known before. */
export type WatchCallbacks = {
  readonly onSnapshot?: (snapshot: LaneSnapshot) => void;
  readonly onHint?: (hint: Hint) => void;
  readonly onState?: (state: SourceState) => void;
  /** The connection is gone: what is known grows old until the next snapshot. */
  readonly onLost?: () => void;
};

type Pending = { resolve(result: unknown): void; reject(error: AppError): void };

export class LaneClient {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: (() => number) | undefined;
  readonly #path: string;
  readonly #name: string;
  readonly #lifetime = new Lifetime();
  readonly #pending = new Map<number, Pending>();
  readonly #watchers = new Set<WatchCallbacks>();
  /** Told when a connection stands. */
  readonly #waiting = new Set<() => void>();
  #connection: LaneConnection | undefined;
  #lastRequestId = 0;

  constructor(
    dependencies: { readonly clock: Clock; readonly log: Log; readonly random?: () => number },
    options: { readonly path: string; readonly name: string },
  ) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#random = dependencies.random;
    this.#path = options.path;
    this.#name = options.name;
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** Begins to connect and goes on until `close()`; does not wait for the server. */
  start(): void {
    this.#lifetime.loop((signal) => this.#run(signal));
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /**
   * Asks the role. While there is no connection the request waits for one, within its time.
   *
   * @returns what the method's owner promises as `T`, unchecked
   * @throws AppError deadline_exceeded  no answer within `timeoutMs`
   * @throws AppError unavailable        the connection broke before the answer: the role may have done it or not
   * @throws AppError                    the role's own error, with its code and hint
   */
  async request<T>(method: string, params: unknown, options: { readonly timeoutMs: number }): Promise<T> {
    const id = ++this.#lastRequestId;
    let settle: (() => void) | undefined;
    try {
      return (await new Promise((resolve, reject) => {
        const send = () => this.#connection?.send({ type: 'request', id, method, params: params ?? null });
        const cancel = this.#clock.after(options.timeoutMs, () =>
          reject(
            appError('deadline_exceeded', 'no answer in time', {
              method,
              timeoutMs: options.timeoutMs,
              path: this.#path,
            }),
          ),
        );
        const ask = () => {
          this.#pending.set(id, { resolve, reject });
          send();
        };
        const onClose = () => reject(appError('cancelled', 'lane client was closed', { method }));
        settle = () => {
          cancel();
          this.#waiting.delete(ask);
          this.#pending.delete(id);
          this.#lifetime.signal.removeEventListener('abort', onClose);
        };
        if (this.#lifetime.signal.aborted) onClose();
        else this.#lifetime.signal.addEventListener('abort', onClose, { once: true });
        if (this.#connection === undefined) this.#waiting.add(ask);
        else ask();
      })) as T;
    } finally {
      settle?.();
    }
  }

  /** Begins to watch: a snapshot first, now or when connected. Returns how to stop. */
  watch(callbacks: WatchCallbacks): () => void {
    this.#watchers.add(callbacks);
    // One subscription serves all: a further snapshot tells those who watched before nothing new.
    this.#connection?.send({ type: 'watch' });
    return () => this.#watchers.delete(callbacks);
  }

  /** Live units of one stream, on a connection of their own. Usable without `start()`. */
  subscribe(streamId: string, options: SubscribeOptions): AsyncGenerator<LaneEvent> {
    const signal =
      options.signal === undefined ? this.#lifetime.signal : AbortSignal.any([options.signal, this.#lifetime.signal]);
    return subscribeTo(
      { clock: this.#clock, ...(this.#random === undefined ? {} : { random: this.#random }) },
      { ...options, path: this.#path, name: this.#name, streamId, signal },
    );
  }

  /**
   * Begins to send media to a stream's owner, on a connection of its own. Usable without `start()`.
   *
   * @throws AppError unavailable, not_found  the owner does not run
   */
  put(options: PutOptions): Promise<LanePut> {
    const signal = AbortSignal.any([options.signal, this.#lifetime.signal]);
    return LanePut.open(this.#path, this.#name, { ...options, signal });
  }

  async #run(signal: AbortSignal): Promise<void> {
    const random = this.#random === undefined ? {} : { random: this.#random };
    const backoff = new Backoff({ firstDelayMs: 100, delayMsMax: 5_000, ...random });
    for (;;) {
      let failure: AppError | undefined;
      try {
        const connection = await LaneConnection.open(this.#path, { name: this.#name, signal });
        this.#onConnected(connection);
        for await (const items of connection.items()) {
          backoff.reset();
          for (const item of items) this.#onItem(item);
        }
      } catch (error) {
        if (!(error instanceof AppError)) {
          // A watcher broke an assertion: nobody awaits this loop, so it is raised where it ends the role.
          queueMicrotask(() => {
            throw error;
          });
          throw error;
        }
        failure = error;
      }
      this.#onLost(failure);
      if (signal.aborted) return;
      await this.#clock.sleep(backoff.nextDelayMs(), signal);
    }
  }

  #onConnected(connection: LaneConnection): void {
    this.#connection = connection;
    if (this.#watchers.size > 0) connection.send({ type: 'watch' });
    for (const ask of this.#waiting) ask();
    this.#waiting.clear();
  }

  #onLost(failure: AppError | undefined): void {
    if (this.#connection === undefined) return;
    this.#connection = undefined;
    this.#log.info('lane connection lost', { path: this.#path, error: failure });
    for (const pending of this.#pending.values()) {
      pending.reject(
        appError('unavailable', 'connection broke before the answer', { path: this.#path, cause: failure }),
      );
    }
    this.#pending.clear();
    for (const watcher of this.#watchers) watcher.onLost?.();
  }

  #onItem(item: LaneItem): void {
    switch (item.type) {
      case 'response': {
        const pending = this.#pending.get(item.id);
        if ('error' in item) pending?.reject(remoteError(item.error));
        else pending?.resolve(item.result);
        return;
      }
      case 'snapshot':
        for (const watcher of this.#watchers) watcher.onSnapshot?.({ open: item.open, states: item.states });
        return;
      case 'hint': {
        const hint = wireToHint(item.hint);
        for (const watcher of this.#watchers) watcher.onHint?.(hint);
        return;
      }
      case 'state':
        for (const watcher of this.#watchers) watcher.onState?.(item.state);
        return;
      default:
        return;
    }
  }
}
