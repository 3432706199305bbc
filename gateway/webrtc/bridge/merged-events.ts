/** Events of several sources as one sequence for one reader. The source that can wait does so until its event was taken. */

export class MergedEvents<T> {
  readonly #events: T[] = [];
  #wakeReader: () => void = () => {};
  #wakeWriter: () => void = () => {};
  #isOver = false;
  #failure: unknown;

  push(event: T): void {
    if (this.#isOver) return;
    this.#events.push(event);
    this.#wakeReader();
  }

  /** Resolves when everything was taken. */
  async drained(): Promise<void> {
    while (this.#events.length > 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve;
      });
    }
  }

  /** No more events; the reader fails with `failure` if there is one. */
  end(failure?: unknown): void {
    this.#isOver = true;
    this.#failure ??= failure;
    this.#wakeReader();
    this.#wakeWriter();
  }

  async *read(): AsyncGenerator<T> {
    while (true) {
      const event = this.#events.shift();
      if (event !== undefined) {
        yield event;
        continue;
      }
      this.#wakeWriter();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
  }
}
