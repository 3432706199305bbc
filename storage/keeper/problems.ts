/** What is wrong with the keeper and what it keeps, with what a person can do: part of its state. */

import type { Clock } from '../base/clock.ts';
import type { AppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ClockDoubt } from './clock-guard.ts';
import type { KeeperProblem } from './keeper-state.ts';
import type { StoreHealth } from './store-gate.ts';

/** What others of the keeper know to be wrong. */
export type KeeperFigures = {
  readonly store: StoreHealth;
  readonly rebuildReason: string | undefined;
  readonly clockDoubt: ClockDoubt | undefined;
  /** Bytes that limits still lack, by reason. */
  readonly shortBytes: Readonly<Record<string, number>>;
  /** Of files and objects that fail for themselves alone, or that had to go. */
  readonly refused: readonly (KeeperProblem | undefined)[];
};

export class Problems {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #failures = new Map<KeeperProblem['code'], KeeperProblem>();

  constructor(dependencies: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /** Something fails, maybe as before: it is a problem until its end. */
  begin(code: KeeperProblem['code'], { message, hint }: Pick<AppError, 'message' | 'hint'>): void {
    const known = this.#failures.get(code);
    const sinceMs = known?.sinceMs ?? this.#clock.wallMs();
    this.#failures.set(code, { code, message, hint, sinceMs });
    if (known === undefined) this.#log.error('keeper has a problem', { code, message, hint });
  }

  end(code: KeeperProblem['code']): void {
    this.#failures.delete(code);
  }

  has(code: KeeperProblem['code']): boolean {
    return this.#failures.has(code);
  }

  messageOf(code: KeeperProblem['code']): string | undefined {
    return this.#failures.get(code)?.message;
  }

  /** What failed, then what the figures say. */
  all(figures: KeeperFigures): KeeperProblem[] {
    return [...this.#failures.values(), ...problemsOf(figures)];
  }
}

function problemsOf({ store, rebuildReason, clockDoubt, shortBytes, refused }: KeeperFigures): KeeperProblem[] {
  const problems = refused.filter((problem) => problem !== undefined);
  const { state, message = 'the object store is away', hint, sinceMs } = store;
  if (state === 'away' || state === 'another') problems.push({ code: `store-${state}`, message, hint, sinceMs });
  if (rebuildReason !== undefined) {
    problems.push({
      code: 'index-rebuilding',
      message: rebuildReason,
      hint: 'Older recordings appear as they are found. Recording goes on.',
      sinceMs: undefined,
    });
  }
  if (clockDoubt !== undefined) {
    problems.push({
      code: 'clock-doubt',
      message: clockDoubt.reason,
      hint: 'Check date and time of this machine, then confirm the clock.',
      sinceMs: clockDoubt.sinceMs,
    });
  }
  for (const [reason, bytes] of Object.entries(shortBytes)) {
    problems.push({
      code: 'limit-short',
      message: `${bytes} bytes over the limit: ${reason}`,
      hint: 'Release holds or give more room.',
      sinceMs: undefined,
    });
  }
  return problems;
}
