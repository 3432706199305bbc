/** Work on one thing at a time: what is asked for meanwhile waits, in order, and no more of it than is good. */

import { appError } from '../../../storage/base/errors.ts';

export class Turns {
  readonly #waitingMax: number;
  readonly #lines = new Map<string, { last: Promise<unknown>; length: number }>();

  constructor({ waitingMax }: { readonly waitingMax: number }) {
    this.#waitingMax = waitingMax;
  }

  /** Does the work when all earlier work of the same key is done. @throws AppError resource_exhausted  too much waits */
  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(key) ?? { last: Promise.resolve(), length: 0 };
    if (line.length > this.#waitingMax) {
      const error = appError('resource_exhausted', 'too many viewers of one stream ask for different parts of it', {
        hint: 'ask again in a moment',
        waiting: line.length - 1,
      });
      return Promise.reject(error);
    }
    line.length++;
    const done = line.last.then(work).finally(() => {
      line.length--;
      if (line.length === 0) this.#lines.delete(key);
    });
    line.last = done.catch(() => {});
    this.#lines.set(key, line);
    return done;
  }
}
