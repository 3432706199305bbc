/** Lets one loop sleep and others wake it: a wake during its work makes the next sleep end at once. */

import type { Clock } from '../base/clock.ts';

export class Wake {
  readonly #clock: Clock;
  #isAsked = false;
  #controller: AbortController | undefined;

  constructor(dependencies: { readonly clock: Clock }) {
    this.#clock = dependencies.clock;
  }

  wake(): void {
    this.#isAsked = true;
    this.#controller?.abort();
  }

  /** Sleeps until it is woken, the time is over or the signal aborts; never throws. */
  async sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    const controller = new AbortController();
    this.#controller = controller;
    if (!this.#isAsked) {
      await this.#clock.sleep(durationMs, AbortSignal.any([signal, controller.signal])).catch(() => {});
    }
    this.#isAsked = false;
    this.#controller = undefined;
  }
}
