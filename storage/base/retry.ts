/** Delays between attempts: exponential with jitter, bounded, reset by the caller after it was stable. */

export type BackoffOptions = {
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
  /** 0..1, source of jitter; injected so that a simulation is repeatable. */
  readonly random?: () => number;
};

export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Failed attempts since the last reset. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Delay before the next attempt, milliseconds: doubles each time, 80 to 120 % of the nominal value. */
  nextDelayMs(): number {
    const nominalMs = Math.min(
      this.#options.delayMsMax,
      this.#options.firstDelayMs * 2 ** Math.min(this.#attempts, 30),
    );
    this.#attempts++;
    const random = this.#options.random ?? Math.random;
    return nominalMs * (0.8 + 0.4 * random());
  }

  reset(): void {
    this.#attempts = 0;
  }
}
