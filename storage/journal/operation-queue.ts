/** Does one thing after the other in the background, in the order in which they were asked for. */

export class OperationQueue<Operation> {
  readonly #perform: (operation: Operation) => Promise<void>;
  readonly #release: (operation: Operation) => void;
  readonly #onFailed: (error: unknown) => void;
  /** The first one is being performed. */
  readonly #operations: Operation[] = [];
  #isRunning = false;
  #drained: Promise<void> = Promise.resolve();
  #isStopped = false;

  /**
   * @param calls.perform   does one; when it fails `onFailed` is called, which stops the queue
   * @param calls.release   called once for each that was pushed, when it is done, failed or will never be begun
   */
  constructor(calls: {
    readonly perform: (operation: Operation) => Promise<void>;
    readonly release: (operation: Operation) => void;
    readonly onFailed: (error: unknown) => void;
  }) {
    this.#perform = calls.perform;
    this.#release = calls.release;
    this.#onFailed = calls.onFailed;
  }

  /** The one in flight, then those that wait. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  /** Resolves when nothing is in flight or waits; does not fail. */
  get drained(): Promise<void> {
    return this.#drained;
  }

  push(operation: Operation): void {
    if (this.#isStopped) {
      this.#release(operation);
      return;
    }
    this.#operations.push(operation);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#drained = this.#drain();
  }

  /** Begins nothing more. The one in flight ends by itself: it may still be using what it holds. */
  stop(): void {
    this.#isStopped = true;
    for (const operation of this.#operations.splice(this.#isRunning ? 1 : 0)) this.#release(operation);
  }

  async #drain(): Promise<void> {
    for (let operation = this.#operations[0]; operation !== undefined; operation = this.#operations[0]) {
      try {
        await this.#perform(operation);
      } catch (error) {
        this.stop();
        this.#onFailed(error);
      }
      this.#release(operation);
      this.#operations.shift();
    }
    this.#isRunning = false;
  }
}
