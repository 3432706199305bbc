/** What `serve` asks the keeper for: the keeper alone writes the index, so holds and the clock's confirmation go there. */

import { z } from 'zod';
import { appError } from '../../storage/base/errors.ts';
import type { LaneClient } from '../../storage/lane/index.ts';
import { adminLimits } from './limits.ts';

/** What the keeper says of itself; shown as it is. */
const statusShape = z.record(z.string(), z.unknown());

export type KeeperStatus = z.infer<typeof statusShape>;

export type NewHold = {
  readonly holdId: string;
  /** Null: all streams. */
  readonly streamId: string | null;
  readonly beginMs: number;
  /** Null: also all that is still to come. */
  readonly endMs: number | null;
  readonly who: string;
  readonly why: string;
  /** Null: until it is released. */
  readonly untilMs: number | null;
};

export class KeeperPort {
  readonly #lane: LaneClient;

  constructor({ lane }: { readonly lane: LaneClient }) {
    this.#lane = lane;
  }

  get isConnected(): boolean {
    return this.#lane.isConnected;
  }

  /** Disk, store, backlog and clock guard. @throws AppError unavailable, deadline_exceeded */
  async status(): Promise<KeeperStatus> {
    const answer = statusShape.safeParse(await this.#request('status', {}));
    if (!answer.success) throw appError('unavailable', 'the keeper answered with something else than its status', {});
    return answer.data;
  }

  /** A person says that the clock is right: age retention goes on. */
  async confirmClock(who: string): Promise<void> {
    await this.#request('confirmClock', { who });
  }

  async hold(hold: NewHold): Promise<void> {
    await this.#request('hold', hold);
  }

  /** @throws AppError not_found  no such hold */
  async release(holdId: string, who: string): Promise<void> {
    await this.#request('release', { holdId, who });
  }

  /** Prometheus text. */
  metrics(): Promise<unknown> {
    return this.#lane.request('metrics', {}, { timeoutMs: adminLimits.metricsRequestMs });
  }

  #request(method: string, params: unknown): Promise<unknown> {
    return this.#lane.request(method, params, { timeoutMs: adminLimits.roleRequestMs });
  }
}
