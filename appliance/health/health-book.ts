/**
 * How sources did in the last hours: every ten seconds the `ingest` processes are asked for what they counted. Kept in memory only;
 * the durable truth is the gap ledger, and Prometheus is there for more.
 */

import { z } from 'zod';
import type { Clock } from '../../storage/base/clock.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { type ClockFigures, FigureRing } from './figure-ring.ts';

/** Slots of ten seconds show a stutter; six hours of them are the night until somebody looks. 5 columns of 17 kB a stream. */
export const healthLimits = { slotMs: 10_000, slots: 2_160, streamsMax: 1_000, askMs: 5_000 } as const;

const figuresShape = z
  .array(
    z.object({
      streamId: z.string().max(64),
      bytes: z.number(),
      units: z.number(),
      packetsLost: z.number(),
    }),
  )
  .max(healthLimits.streamsMax);

export type HealthBookDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** By name: who answers the request `figures`. */
  readonly ingests: ReadonlyMap<
    string,
    { request(method: string, params: unknown, options: { readonly timeoutMs: number }): Promise<unknown> }
  >;
  readonly clockOf: (streamId: string) => ClockFigures;
};

export class HealthBook {
  readonly #deps: HealthBookDeps;
  readonly #lifetime = new Lifetime();
  readonly #rings = new Map<string, FigureRing>();

  constructor(deps: HealthBookDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock } = this.#deps;
    this.#lifetime.loop(async (signal) => {
      while (!signal.aborted) {
        await this.#look();
        await clock.sleep(healthLimits.slotMs - (clock.wallMs() % healthLimits.slotMs), signal);
      }
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** Undefined: nobody told anything of this stream in the last hours. */
  of(streamId: string): FigureRing | undefined {
    return this.#rings.get(streamId);
  }

  async #look(): Promise<void> {
    const { ingests, log } = this.#deps;
    await Promise.all(
      [...ingests].map(async ([name, lane]) => {
        try {
          this.#take(await lane.request('figures', {}, { timeoutMs: healthLimits.askMs }));
        } catch (error) {
          // A process that is away is told elsewhere: here its slots stay empty.
          log.debug('figures of a role left out', { role: name, error });
        }
      }),
    );
    const oldestMs = this.#deps.clock.wallMs() - healthLimits.slotMs * healthLimits.slots;
    for (const [streamId, ring] of this.#rings) if ((ring.latestMs ?? 0) < oldestMs) this.#rings.delete(streamId);
  }

  #take(answer: unknown): void {
    const { clock, clockOf } = this.#deps;
    const nowMs = clock.wallMs();
    for (const { streamId, ...counters } of figuresShape.parse(answer)) {
      let ring = this.#rings.get(streamId);
      if (ring === undefined) {
        if (this.#rings.size >= healthLimits.streamsMax) return;
        ring = new FigureRing(healthLimits);
        this.#rings.set(streamId, ring);
      }
      ring.record(nowMs, counters, clockOf(streamId));
    }
  }
}
