/**
 * Follows the schedule of one stream: whether it is to be recorded now, and when exactly that changed. It only tells; the recorder
 * goes on over every edge, and the keeper decides by segment what is kept.
 */

import type { Clock } from '../../storage/base/clock.ts';
import type { RecordingPolicy } from '../../storage/model/camera.ts';
import type { PauseReason } from '../../storage/model/ledger.ts';
import { recordingModeAt } from '../../storage/model/recording-mode.ts';

/** The stream is, or is no longer, to be recorded. */
export type WantedChange = { readonly isWanted: boolean; readonly atMs: number };

type Policy = Pick<RecordingPolicy, 'mode' | 'schedule'>;

/** Edges passed at once that are told one by one: after a longer sleep of the machine only the last state is. */
const edgesMax = 100;

export class ScheduleWatch {
  readonly #clock: Clock;
  #policy: Policy;
  #isWanted: boolean;
  #fromMs: number;
  #untilMs: number;

  constructor(dependencies: { readonly clock: Clock }, options: { readonly policy: Policy }) {
    this.#clock = dependencies.clock;
    this.#policy = options.policy;
    this.#fromMs = Number.POSITIVE_INFINITY;
    this.#untilMs = Number.POSITIVE_INFINITY;
    this.#isWanted = true;
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Why the stream is not to be recorded, while it is not. */
  get whyNot(): PauseReason {
    return (this.#policy.schedule?.spans.length ?? 0) > 0 ? 'not-scheduled' : 'live-only';
  }

  /** Begins, or begins anew with another policy: what holds now, from now on. */
  begin(policy: Policy = this.#policy): WantedChange {
    this.#policy = policy;
    const nowMs = this.#clock.wallMs();
    this.#look(nowMs);
    return { isWanted: this.#isWanted, atMs: nowMs };
  }

  /** What changed since the last look, in order; edges have the time at which they were due. To be called about twice a second. */
  look(): WantedChange[] {
    const nowMs = this.#clock.wallMs();
    if (nowMs >= this.#fromMs && nowMs < this.#untilMs) return [];
    const changes: WantedChange[] = [];
    const before = this.#isWanted;
    for (let i = 0; nowMs >= this.#untilMs && i < edgesMax; i++) {
      const [wasWanted, atMs] = [this.#isWanted, this.#untilMs];
      this.#look(atMs);
      if (wasWanted !== this.#isWanted) changes.push({ isWanted: this.#isWanted, atMs });
    }
    if (nowMs >= this.#fromMs && nowMs < this.#untilMs) return changes;
    // The clock was set back, or far ahead: nobody knows what the time before was.
    this.#look(nowMs);
    return this.#isWanted === before ? [] : [{ isWanted: this.#isWanted, atMs: nowMs }];
  }

  #look(atMs: number): void {
    const { mode, untilMs } = recordingModeAt(this.#policy, atMs);
    this.#isWanted = mode !== 'live';
    this.#fromMs = atMs;
    this.#untilMs = untilMs;
  }
}
