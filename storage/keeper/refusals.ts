/**
 * What fails for itself alone: a file on a bad sector, an object that may not be deleted. It is passed over, told to people, and
 * tried again slowly, so that nothing else waits for it.
 */

import { AssertionError } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { type AppError, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Backoff } from '../base/retry.ts';
import type { KeeperProblem } from './keeper-state.ts';

type Refusal = { readonly backoff: Backoff; readonly failure: AppError; readonly name: string; dueMs: number };

const firstDelayMs = 10_000;
const delayMsMax = 600_000;
/** Lines of their own; beyond it they are counted. */
const loggedMax = 20;

export class Refusals<Key> {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #problem: Pick<KeeperProblem, 'code' | 'hint'> & { readonly what: string };
  readonly #refusals = new Map<Key, Refusal>();

  /** @param problem  `what` fails, in the plural, with its verb */
  constructor(
    dependencies: { readonly clock: Clock; readonly log: Log },
    problem: Pick<KeeperProblem, 'code' | 'hint'> & { readonly what: string },
  ) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#problem = problem;
  }

  /** False while it is to be left alone. */
  isDue(key: Key): boolean {
    const refusal = this.#refusals.get(key);
    return refusal === undefined || refusal.dueMs <= this.#clock.monotonicMs();
  }

  has(key: Key): boolean {
    return this.#refusals.has(key);
  }

  get size(): number {
    return this.#refusals.size;
  }

  /** @param name  a path or a key of an object, for people. @throws AssertionError  as it came: mistakes of ours are none */
  add(key: Key, name: string, error: unknown): void {
    if (error instanceof AssertionError) throw error;
    const failure = toAppError(error);
    const known = this.#refusals.get(key);
    const backoff = known?.backoff ?? new Backoff({ firstDelayMs, delayMsMax });
    this.#refusals.set(key, { backoff, failure, name, dueMs: this.#clock.monotonicMs() + backoff.nextDelayMs() });
    if (known !== undefined) return;
    const { what, hint } = this.#problem;
    // A disk that is away has thousands of them.
    if (this.size > loggedMax) this.#log.counted(what, 1, { name, reason: failure.message });
    else this.#log.error(what, { name, reason: failure.message, code: failure.code, cause: failure.cause, hint });
  }

  delete(key: Key): void {
    this.#refusals.delete(key);
  }

  clear(): void {
    this.#refusals.clear();
  }

  /** Forgets what is no longer there. */
  keepOnly(isThere: (key: Key) => boolean): void {
    for (const key of this.#refusals.keys()) if (!isThere(key)) this.#refusals.delete(key);
  }

  get problem(): KeeperProblem | undefined {
    const [first] = this.#refusals.values();
    if (first === undefined) return undefined;
    const { code, what, hint } = this.#problem;
    return {
      code,
      message: `${this.size} ${what}: ${first.name} (${first.failure.message})`,
      hint,
      sinceMs: undefined,
    };
  }
}
