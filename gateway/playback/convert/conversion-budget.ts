/**
 * How many streams are converted at once, and who watches which. A conversion is one stream played in one way; all who watch it
 * share it. It ends when nobody has asked for any of it for a while. Pure but for the clock.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { type AppError, appError } from '../../../storage/base/errors.ts';

/** How a converted stream is played: its live end, recorded ranges, as a clip that is being downloaded, or by WebRTC. */
export type ConversionKind = 'live' | 'recorded' | 'clip' | 'webrtc';

/** One conversion, and one of those who watch it. */
export type ConversionUse = {
  readonly streamId: string;
  readonly kind: ConversionKind;
  /** Name of the person or token. */
  readonly viewer: string;
  /** Tells players of one person apart, where they say who they are: a player plays one thing at a time. */
  readonly player?: string | undefined;
};

/** A conversion as it is told to people and programs. */
export type RunningConversion = {
  readonly streamId: string;
  readonly kind: ConversionKind;
  readonly viewers: readonly string[];
  readonly sinceMs: number;
};

type Seat = {
  readonly streamId: string;
  readonly kind: ConversionKind;
  readonly sinceMs: number;
  /** By person and player: when they last asked for something, monotonic. */
  readonly viewers: Map<string, { readonly name: string; readonly atMs: number }>;
};

export class ConversionBudget {
  readonly #clock: Clock;
  readonly #conversionsMax: number;
  readonly #idleMs: number;
  readonly #seats = new Map<string, Seat>();
  #refused = 0;

  constructor(
    { clock }: { readonly clock: Clock },
    options: { readonly conversionsMax: number; readonly idleMs: number },
  ) {
    this.#clock = clock;
    this.#conversionsMax = options.conversionsMax;
    this.#idleMs = options.idleMs;
  }

  get conversionsMax(): number {
    return this.#conversionsMax;
  }

  /** How often somebody was turned away. */
  get refused(): number {
    return this.#refused;
  }

  /** What is being converted now, the longest first. */
  running(): readonly RunningConversion[] {
    this.#endIdle();
    return [...this.#seats.values()].map(({ streamId, kind, sinceMs, viewers }) => ({
      ...{ streamId, kind, sinceMs },
      viewers: [...new Set([...viewers.values()].map(({ name }) => name))],
    }));
  }

  /**
   * Takes part in a conversion, which begins with its first viewer. A player that went on to something else leaves what it played.
   *
   * @throws AppError resource_exhausted  all conversions are taken: `running` of its context tells by what
   */
  enter(use: ConversionUse): void {
    if (use.player !== undefined) this.#leaveOthers(use);
    if (this.touch(use)) return;
    if (this.#seats.size >= this.#conversionsMax) {
      this.#refused++;
      throw this.#refusal();
    }
    this.#seats.set(keyOf(use), {
      ...{ streamId: use.streamId, kind: use.kind, sinceMs: this.#clock.wallMs() },
      viewers: new Map([[viewerKey(use), { name: use.viewer, atMs: this.#clock.monotonicMs() }]]),
    });
  }

  /**
   * Says that a conversion is at work; a clip's reader may have been so slow that its place was lost, and takes one again.
   *
   * @throws AppError resource_exhausted  it has no place
   */
  require(use: Omit<ConversionUse, 'viewer'> & { readonly viewer?: string }): void {
    if (use.viewer !== undefined) this.enter({ ...use, viewer: use.viewer });
    else if (!this.#seats.has(keyOf({ ...use, viewer: '' }))) throw this.#refusal();
  }

  /** Keeps a conversion that is running; false when it is not. */
  touch(use: ConversionUse): boolean {
    this.#endIdle();
    const seat = this.#seats.get(keyOf(use));
    seat?.viewers.set(viewerKey(use), { name: use.viewer, atMs: this.#clock.monotonicMs() });
    return seat !== undefined;
  }

  /** A viewer is done, before they would have been forgotten. */
  leave(use: ConversionUse): void {
    const seat = this.#seats.get(keyOf(use));
    seat?.viewers.delete(viewerKey(use));
    if (seat?.viewers.size === 0) this.#seats.delete(keyOf(use));
  }

  #leaveOthers(use: ConversionUse): void {
    for (const [key, { viewers }] of this.#seats) {
      if (key === keyOf(use)) continue;
      viewers.delete(viewerKey(use));
      if (viewers.size === 0) this.#seats.delete(key);
    }
  }

  #refusal(): AppError {
    return appError('resource_exhausted', refusal(this.#conversionsMax), {
      conversionsMax: this.#conversionsMax,
      running: this.running(),
      retryAfterMs: this.#idleMs,
    });
  }

  #endIdle(): void {
    const idleSinceMs = this.#clock.monotonicMs() - this.#idleMs;
    for (const [key, { viewers }] of this.#seats) {
      for (const [viewer, { atMs }] of viewers) if (atMs <= idleSinceMs) viewers.delete(viewer);
      if (viewers.size === 0) this.#seats.delete(key);
    }
  }
}

function keyOf({ streamId, kind, viewer }: ConversionUse): string {
  // Each clip is read at its own pace from its own beginning: nothing of it can be shared.
  return kind === 'clip' ? `${streamId} clip ${viewer}` : `${streamId} ${kind}`;
}

function viewerKey({ viewer, player = '' }: ConversionUse): string {
  return `${player} ${viewer}`;
}

function refusal(conversionsMax: number): string {
  if (conversionsMax === 0) return 'video is not converted on this machine (playback.conversionsMax is 0)';
  return `no more than ${conversionsMax} ${conversionsMax === 1 ? 'stream is' : 'streams are'} converted at once`;
}
