/**
 * Lets bursts of packets out at a pace: a socket's other end has room for 100 KiB only, and a key frame is larger than that. What fits
 * into the allowance leaves in the very call, so that usual pictures wait for nothing; the rest goes in timed pieces, in order.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { frameHeadBytes } from '../../rtp/index.ts';

export type PacerOptions = {
  readonly bytesPerMs: number;
  /** Allowance after a rest. */
  readonly burstBytes: number;
  /** Between pieces. */
  readonly pieceMs: number;
  /** Waiting at most. */
  readonly queuedBytesMax: number;
};

export type PacerDeps = {
  readonly clock: Clock;
  /** Takes one packet: a view of a burst's memory. */
  readonly send: (packet: Uint8Array) => void;
  /** True while the socket takes nothing: then everything waits. */
  readonly isBlocked: () => boolean;
};

export class Pacer {
  readonly #deps: PacerDeps;
  readonly #options: PacerOptions;
  readonly #queue: Uint8Array[] = [];
  /** Of the first burst in the queue: where its next packet's frame begins. */
  #at = 0;
  #queuedBytes = 0;
  #allowance: number;
  #allowedMs: number;
  #cancelPiece: (() => void) | undefined;

  constructor(deps: PacerDeps, options: PacerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#allowance = options.burstBytes;
    this.#allowedMs = Number.NEGATIVE_INFINITY;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * @param burst  packets in interleaved frames; owned by the pacer from now on
   * @returns      false when too much waits already: nothing of it was taken
   */
  push(burst: Uint8Array): boolean {
    if (this.#queuedBytes + burst.length > this.#options.queuedBytesMax) return false;
    this.#queue.push(burst);
    this.#queuedBytes += burst.length;
    if (this.#cancelPiece === undefined) this.#piece();
    return true;
  }

  /** Forgets what waits. */
  close(): void {
    this.#cancelPiece?.();
    this.#cancelPiece = undefined;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#at = 0;
  }

  #piece(): void {
    this.#cancelPiece = undefined;
    this.#refill();
    while (this.#allowance > 0 && !this.#deps.isBlocked()) {
      const burst = this.#queue[0];
      if (burst === undefined) return;
      this.#sendNext(burst);
    }
    if (this.#queue.length === 0) return;
    this.#cancelPiece = this.#deps.clock.after(this.#options.pieceMs, () => this.#piece());
  }

  #sendNext(burst: Uint8Array): void {
    const begin = this.#at + frameHeadBytes;
    const end = begin + (((burst[this.#at + 2] ?? 0) << 8) | (burst[this.#at + 3] ?? 0));
    this.#deps.send(burst.subarray(begin, end));
    this.#allowance -= end - this.#at;
    this.#queuedBytes -= end - this.#at;
    this.#at = end;
    if (end < burst.length) return;
    this.#queue.shift();
    this.#at = 0;
  }

  #refill(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const earned = (nowMs - this.#allowedMs) * this.#options.bytesPerMs;
    this.#allowance = Math.min(this.#options.burstBytes, this.#allowance + earned);
    this.#allowedMs = nowMs;
  }
}
