/** One of the keeper's loops: a step, then sleep until the period is over or somebody wakes it; after a failure longer. */

import { AssertionError } from '../base/assert.ts';
import { Backoff } from '../base/retry.ts';
import type { Wake } from './wake.ts';

const delayMsMax = 60_000;

/** Runs until the signal aborts, or until a mistake of ours that must not be survived. */
export async function runKeeperLoop(
  loop: {
    readonly wake: Wake;
    readonly periodMs: number;
    /** One step; it may be interrupted and done again. */
    readonly tick: () => Promise<void>;
    readonly onDone: () => void;
    readonly onFailure: (error: unknown) => Promise<void>;
    /** Called with a mistake of ours, after which the loop is over. */
    readonly onFatal: (error: AssertionError) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff({ firstDelayMs: loop.periodMs, delayMsMax });
  while (!signal.aborted) {
    let delayMs = loop.periodMs;
    try {
      await loop.tick();
      backoff.reset();
      loop.onDone();
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof AssertionError) return loop.onFatal(error);
      delayMs = backoff.nextDelayMs();
      await loop.onFailure(error);
    }
    await loop.wake.sleep(delayMs, signal);
  }
}
