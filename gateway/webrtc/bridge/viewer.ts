/** One viewer of a stream: the seats that it holds, given back once: when it goes, or when the stream ends for it. */

import type { Seat } from './stream-at-worker.ts';

export class Viewer {
  readonly #onReleased: () => void;
  readonly #onEnded = new Set<(reason: string) => void>();
  readonly #seats: Seat[] = [];
  #reason: string | undefined;
  #isReleased = false;

  /** @param deps.onReleased  called once */
  constructor({ onReleased }: { readonly onReleased: () => void }) {
    this.#onReleased = onReleased;
  }

  /** Why it ended by itself. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Holds a seat until the end. */
  hold(seat: Seat): Seat {
    if (this.#isReleased) seat.leave();
    else this.#seats.push(seat);
    return seat;
  }

  onEnded(callback: (reason: string) => void): () => void {
    if (this.#reason !== undefined) callback(this.#reason);
    else if (!this.#isReleased) this.#onEnded.add(callback);
    return () => this.#onEnded.delete(callback);
  }

  end(reason: string): void {
    if (this.#isReleased) return;
    this.#reason = reason;
    const callbacks = [...this.#onEnded];
    this.release();
    for (const callback of callbacks) callback(reason);
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#onEnded.clear();
    for (const seat of this.#seats) seat.leave();
    this.#onReleased();
  }
}
