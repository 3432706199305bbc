/**
 * Gives the log lines of a role to the supervisor, who keeps the newest in files. In batches, one on its way at a time, and
 * bounded: a supervisor that does not listen costs lines of those files and nothing of the role.
 */

import type { Clock } from '../../storage/base/clock.ts';

export type LogSenderDeps = {
  readonly clock: Clock;
  /** Calls `done` when the lines are on their way, or never will be. */
  readonly send: (batch: { readonly lines: readonly string[]; readonly left: number }, done: () => void) => void;
};

const batchMs = 250;
const waitingBytesMax = 256 * 1024;
/** One line of an error with its stack and causes has 10 KB. */
const lineBytesMax = 32 * 1024;

export class LogSender {
  readonly #deps: LogSenderDeps;
  #lines: string[] = [];
  #bytes = 0;
  #left = 0;
  #isOnItsWay = false;
  #cancel: (() => void) | undefined;

  constructor(deps: LogSenderDeps) {
    this.#deps = deps;
  }

  /** Takes one line with its line end; returns at once. */
  readonly write = (line: string): void => {
    if (line.length > lineBytesMax || this.#bytes + line.length > waitingBytesMax) {
      this.#left++;
      return;
    }
    this.#lines.push(line);
    this.#bytes += line.length;
    this.#cancel ??= this.#deps.clock.after(batchMs, () => this.flush());
  };

  /** Sends what waits now: before the process ends. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#isOnItsWay || (this.#lines.length === 0 && this.#left === 0)) return;
    const batch = { lines: this.#lines, left: this.#left };
    [this.#lines, this.#bytes, this.#left] = [[], 0, 0];
    this.#isOnItsWay = true;
    this.#deps.send(batch, () => {
      this.#isOnItsWay = false;
      if (this.#lines.length > 0) this.#cancel ??= this.#deps.clock.after(batchMs, () => this.flush());
    });
  }
}
