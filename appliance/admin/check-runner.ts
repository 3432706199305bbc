/** The check of all recordings, one at a time, by a process of its own: its progress while it runs, its result until the next. */

import type { Clock } from '../../storage/base/clock.ts';
import { appError, type ErrorCode, toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { CheckLevel, CheckProgress, CheckResult } from '../../storage/keeper/index.ts';
import type { Examiner } from './parts.ts';

export type CheckStatus = {
  readonly state: 'running' | 'done' | 'failed' | 'cancelled';
  readonly level: CheckLevel;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  readonly progress: CheckProgress | undefined;
  readonly result: CheckResult | undefined;
  readonly fault: { readonly code: ErrorCode; readonly message: string } | undefined;
};

export class CheckRunner {
  readonly #clock: Clock;
  readonly #examiner: Examiner;
  readonly #lifetime = new Lifetime();
  #ending: AbortController | undefined;
  #status: CheckStatus | undefined;

  constructor(deps: { readonly clock: Clock; readonly examiner: Examiner }) {
    this.#clock = deps.clock;
    this.#examiner = deps.examiner;
  }

  /** Of the one that runs, or of the last since the start of this process; undefined without one. */
  get status(): CheckStatus | undefined {
    return this.#status;
  }

  /** @throws AppError failed_precondition  one runs already */
  start(level: CheckLevel): CheckStatus {
    if (this.#status?.state === 'running') {
      throw appError('failed_precondition', 'a check runs already', { hint: 'wait for its result, or end it first' });
    }
    const none = { endedMs: undefined, progress: undefined, result: undefined, fault: undefined };
    const status: CheckStatus = { state: 'running', level, startedMs: this.#clock.wallMs(), ...none };
    this.#status = status;
    const ending = new AbortController();
    this.#ending = ending;
    this.#run(status, AbortSignal.any([ending.signal, this.#lifetime.signal])).catch(() => {});
    return status;
  }

  /** Ends the one that runs. @throws AppError failed_precondition  none does */
  cancel(): void {
    if (this.#status?.state !== 'running') throw appError('failed_precondition', 'no check runs', {});
    this.#ending?.abort();
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  async #run(started: CheckStatus, signal: AbortSignal): Promise<void> {
    const onProgress = (progress: CheckProgress) => {
      this.#status = { ...started, progress };
    };
    try {
      const result = await this.#examiner.check(started.level, { signal, onProgress });
      this.#end(started, { state: 'done', result });
    } catch (error) {
      const { code, message } = toAppError(error);
      this.#end(started, signal.aborted ? { state: 'cancelled' } : { state: 'failed', fault: { code, message } });
    }
  }

  #end(started: CheckStatus, how: Pick<CheckStatus, 'state'> & Partial<CheckStatus>): void {
    this.#status = { ...started, progress: this.#status?.progress, endedMs: this.#clock.wallMs(), ...how };
  }
}
