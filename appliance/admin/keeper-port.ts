/** What `serve` asks the keeper for: the keeper alone writes the index, so holds and the clock's confirmation go there. */

import { z } from 'zod';
import { appError } from '../../storage/base/errors.ts';
import type { LaneClient } from '../../storage/lane/index.ts';
import type { EventRange } from '../../storage/model/event-range.ts';
import { adminLimits } from './limits.ts';

/** What the keeper says of itself; shown as it is. */
const statusShape = z.record(z.string(), z.unknown());

export type KeeperStatus = z.infer<typeof statusShape>;

export type NewHold = {
  /** Undefined: all streams. */
  readonly streamId: string | undefined;
  readonly beginMs: number;
  /** Undefined: also all that is still to come. */
  readonly endMs: number | undefined;
  readonly who: string;
  readonly why: string;
  /** Undefined: until it is released. */
  readonly untilMs: number | undefined;
};

const holdAnswer = z.object({ holdId: z.string() });
const removalAnswer = z.object({ removed: z.number(), held: z.number() });

export class KeeperPort {
  readonly #lane: LaneClient;

  constructor({ lane }: { readonly lane: LaneClient }) {
    this.#lane = lane;
  }

  get isConnected(): boolean {
    return this.#lane.isConnected;
  }

  /** Disk, store, backlog and clock guard. @throws AppError unavailable, deadline_exceeded */
  status(): Promise<KeeperStatus> {
    return this.#request('state', {}, statusShape);
  }

  /** A person says that the clock is right: age retention goes on. */
  async confirmClock(): Promise<void> {
    await this.#request('confirm-clock', {}, z.unknown());
  }

  /** A person says that the store that is there now is ours from now on. @throws AppError unavailable  it does not answer */
  async adoptStore(): Promise<void> {
    await this.#request('adopt-store', {}, z.unknown());
  }

  /** Returns the hold's id; it is durable then. @throws AppError resource_exhausted  there are too many */
  async hold(hold: NewHold): Promise<string> {
    return (await this.#request('hold-add', hold, holdAnswer)).holdId;
  }

  /** @throws AppError not_found  no such hold, or it is released already */
  async release(holdId: string, who: string): Promise<void> {
    await this.#request('hold-release', { holdId, who }, z.unknown());
  }

  /** Marks an event, or replaces the one of that id; durable then. @throws AppError invalid_argument, resource_exhausted */
  async markEvent(range: Omit<EventRange, 'endMs'> & { readonly endMs: number | null }): Promise<void> {
    await this.#request('event-put', range, z.unknown());
  }

  /** @throws AppError not_found, invalid_argument */
  async endEvent(rangeId: string, endMs: number): Promise<void> {
    await this.#request('event-end', { rangeId, endMs }, z.unknown());
  }

  /** @throws AppError not_found */
  async removeEvent(rangeId: string): Promise<void> {
    await this.#request('event-remove', { rangeId }, z.unknown());
  }

  /** Removes whole segments inside a range, but for those under a hold; tells how many of each. */
  removeRange(range: {
    readonly streamId: string;
    readonly beginMs: number;
    readonly endMs: number;
    readonly who: string;
  }): Promise<z.infer<typeof removalAnswer>> {
    return this.#request('delete-range', range, removalAnswer);
  }

  /** Prometheus text. */
  metrics(): Promise<unknown> {
    return this.#lane.request('metrics', {}, { timeoutMs: adminLimits.metricsRequestMs });
  }

  /** A restart of the other role may bring another release's answers: they are parsed like anything from outside. */
  async #request<T>(method: string, params: unknown, shape: z.ZodType<T>): Promise<T> {
    const answer = await this.#lane.request<unknown>(method, params, { timeoutMs: adminLimits.roleRequestMs });
    const parsed = shape.safeParse(answer);
    if (!parsed.success) throw appError('unavailable', 'the keeper answered in words we do not know', { method });
    return parsed.data;
  }
}
