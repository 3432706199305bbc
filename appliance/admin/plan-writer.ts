/**
 * Keeps `state/plan.json` equal to the cameras of the catalog: written when they change, and again until it works when the
 * disk refuses. Recording goes on by the old plan meanwhile.
 */

import type { Clock } from '../../storage/base/clock.ts';
import { appError, toAppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { Backoff } from '../../storage/base/retry.ts';
import { type Catalog, PlanFile, planOf } from '../../storage/catalog/index.ts';
import type { Plan } from '../../storage/model/camera.ts';

export type PlanWriterDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly catalog: Catalog;
  /** Hears every plan before it is written. */
  readonly onPlan?: ((plan: Plan) => void) | undefined;
  readonly onPlanChanged: () => void;
};

export class PlanWriter {
  readonly #deps: PlanWriterDeps;
  readonly #file: PlanFile;
  readonly #lifetime = new Lifetime();
  /** Wakes the loop that tries again. */
  #onFailed: (() => void) | undefined;
  #failure: string | undefined;
  /** The plan that has not been begun, for whoever changes something until then. */
  #next: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: PlanWriterDeps, options: { readonly path: string }) {
    this.#deps = deps;
    this.#file = new PlanFile(options.path);
  }

  /** Why the plan on disk is older than the catalog; undefined when it is not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Writes the plan once; a failure is logged and tried again. */
  async start(): Promise<void> {
    this.#lifetime.loop((signal) => this.#retry(signal));
    await this.write().catch(() => {});
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /**
   * Writes what the catalog says now, and tells the supervisor. One after another: a plan is that of a thousand cameras, and those
   * who change something while one is written share the next.
   * @throws AppError unavailable  it could not be written; that is tried again without the caller
   */
  write(): Promise<void> {
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined;
      return this.#writeTold();
    });
    this.#writing = this.#next.catch(() => {});
    return this.#next;
  }

  async #writeTold(): Promise<void> {
    try {
      await this.#writeOnce();
    } catch (error) {
      this.#failure = toAppError(error).message;
      this.#deps.log.error('plan not written', { error });
      this.#onFailed?.();
      throw appError('unavailable', 'the change is saved, but recording does not know of it yet', {
        cause: error,
        hint: 'the disk refuses the plan file: see the system page; it is tried again by itself',
      });
    }
  }

  async #writeOnce(): Promise<void> {
    const { cameras, streamSettings } = this.#deps.catalog.tables;
    const plan = planOf(cameras.list(), streamSettings.all());
    this.#deps.onPlan?.(plan);
    const wrote = await this.#file.write(plan);
    this.#failure = undefined;
    if (wrote) this.#deps.onPlanChanged();
  }

  async #retry(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ firstDelayMs: 500, delayMsMax: 10_000 });
    const onAbort = () => this.#onFailed?.();
    signal.addEventListener('abort', onAbort, { once: true });
    while (!signal.aborted) {
      if (this.#failure === undefined) {
        backoff.reset();
        await new Promise<void>((resolve) => {
          this.#onFailed = resolve;
        });
        continue;
      }
      await this.#deps.clock.sleep(backoff.nextDelayMs(), signal);
      await this.#writeOnce().catch((error: unknown) => {
        this.#failure = toAppError(error).message;
      });
    }
  }
}
