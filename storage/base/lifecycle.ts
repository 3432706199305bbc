/**
 * Close is a first-class verb: a constructor only assigns, `start()` acquires, `close()` may be called twice, closes children
 * in reverse order of their acquisition and resolves when nothing is left running.
 */

import { toAppError } from './errors.ts';

export type Closable = { close(): Promise<void> };

/** What one object acquired, in order; `close()` gives it back in reverse and reports the first failure after all were tried. */
export class Lifetime {
  readonly #closers: (() => void | Promise<void>)[] = [];
  readonly #controller = new AbortController();
  #closed: Promise<void> | undefined;

  /** Aborts when `close()` begins: loops owned by this lifetime watch it. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Remembers how to give something back. Must not be called after `close()` began. */
  defer(closer: () => void | Promise<void>): void {
    this.#closers.push(closer);
  }

  /** Remembers a child and returns it. */
  own<T extends Closable>(child: T): T {
    this.defer(() => child.close());
    return child;
  }

  /** Owns a loop: it is awaited at close. It must end soon after `signal` aborts, and its failure is reported by `close()`. */
  loop(body: (signal: AbortSignal) => Promise<void>): void {
    const running = body(this.signal).catch((error: unknown) => {
      if (!this.signal.aborted) throw error;
    });
    running.catch(() => {});
    this.defer(() => running);
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    this.#controller.abort(new DOMException('closed', 'AbortError'));
    let failure: unknown;
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw toAppError(failure);
  }
}
