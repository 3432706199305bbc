/** What a process tells of itself with every sign of life. */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { RoleFigures } from '../supervisor/index.ts';

/** The histogram counts the wait for its own timer as delay. Fifty looks a second cost an idle process a third of what it takes. */
const resolutionMs = 100;

export class ProcessFigures {
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });

  start(): void {
    this.#delay.enable();
  }

  /** The figures of the time since they were taken last. */
  take(): RoleFigures {
    const delayMs = this.#delay.count === 0 ? 0 : this.#delay.percentile(99) / 1e6 - resolutionMs;
    this.#delay.reset();
    return { memoryBytes: process.memoryUsage.rss(), eventLoopDelayMsP99: Math.max(0, Math.round(delayMs * 10) / 10) };
  }

  close(): void {
    this.#delay.disable();
  }
}
