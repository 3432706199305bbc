/**
 * Time is a parameter. `Date.now`, `performance.now` and `setTimeout` appear here and in `test/kit` only, so that every loop
 * can be driven by a simulated clock and a stepped wall clock can be told from time that really passed.
 */

export type Clock = {
  /** Wall time, milliseconds since 1970-01-01 UTC; may step in both directions. */
  wallMs(): number;
  /** Time that passed since an arbitrary start, milliseconds with fraction; never steps. */
  monotonicMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when it aborts first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once after `durationMs`; the returned function cancels. Does not keep the process alive. */
  after(durationMs: number, callback: () => void): () => void;
  /** Calls back every `periodMs` until cancelled. Does not keep the process alive. */
  every(periodMs: number, callback: () => void): () => void;
};

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep(durationMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, durationMs);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
  after(durationMs, callback) {
    const timer = setTimeout(callback, durationMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  every(periodMs, callback) {
    const timer = setInterval(callback, periodMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};
