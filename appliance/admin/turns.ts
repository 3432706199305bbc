/** Lets few expensive things happen at once: the others wait their turn, and too many are turned away. */

import { appError } from '../../storage/base/errors.ts';

export type TurnOptions = { readonly atOnceMax: number; readonly waitingMax: number; readonly what: string };

export class Turns {
  readonly #options: TurnOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: TurnOptions) {
    this.#options = options;
  }

  /** @throws AppError resource_exhausted  too many wait already */
  async take<T>(body: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#options.atOnceMax) {
      if (this.#waiting.length >= this.#options.waitingMax) {
        throw appError('resource_exhausted', `too many ${this.#options.what} at once`, { retryAfterMs: 2_000 });
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      return await body();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
