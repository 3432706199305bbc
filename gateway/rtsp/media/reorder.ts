/**
 * Puts UDP packets of one track back into order. A packet that is next passes at once; those that came too early wait, for a
 * bounded time and in a bounded number, for the ones they overtook. Interleaved TCP needs none of this.
 */

import { u16 } from '../../../storage/base/bytes.ts';
import type { Clock } from '../../../storage/base/clock.ts';
import { rtspLimits } from '../limits.ts';

export class ReorderBuffer {
  readonly #clock: Clock;
  readonly #deliver: (packet: Uint8Array) => void;
  readonly #onMissing: (sequence: number, packets: number) => void;
  readonly #waitMsMax: number;
  readonly #waiting = new Map<number, Uint8Array>();
  #expected = -1;
  /** Behind the last packet that came in order or early: what is missing up to there was told. */
  #toldEnd = -1;
  #cancelTimer: (() => void) | undefined;

  /**
   * @param deps.onMissing       packets from this sequence number on were overtaken; told once, for whoever can ask for them again
   * @param options.waitMsMax    how long an overtaken packet is waited for
   */
  constructor(
    deps: {
      readonly clock: Clock;
      readonly deliver: (packet: Uint8Array) => void;
      readonly onMissing?: (sequence: number, packets: number) => void;
    },
    options: { readonly waitMsMax?: number } = {},
  ) {
    this.#clock = deps.clock;
    this.#deliver = deps.deliver;
    this.#onMissing = deps.onMissing ?? (() => {});
    this.#waitMsMax = options.waitMsMax ?? rtspLimits.reorderMsMax;
  }

  /** Takes one packet, whose bytes are the buffer's own from here on. */
  push(packet: Uint8Array): void {
    if (packet.length < 12) return;
    const sequence = u16(packet, 2);
    if (this.#expected < 0) this.#expected = sequence;
    const ahead = (sequence - this.#expected) & 0xffff;
    if (ahead === 0) {
      this.#pass(packet, sequence);
      this.#drain();
    } else if (ahead < rtspLimits.reorderPacketsMax) {
      this.#waiting.set(sequence, packet);
      this.#tellMissing(sequence);
      if (this.#waiting.size >= rtspLimits.reorderPacketsMax) this.#giveUp();
    } else if (ahead < 0x10000 - 0x1000) {
      // Far ahead: a restart of the source. Those that wait go first, the receiver counts the loss.
      this.flush();
      this.#pass(packet, sequence);
    }
    // Else it is late: its place was given up or it came twice.
    this.#watch();
  }

  /** Everything that waits, in order, at once. */
  flush(): void {
    while (this.#waiting.size > 0) this.#giveUp();
    this.#watch();
  }

  close(): void {
    this.#waiting.clear();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** What lies between the packets before and an early one. */
  #tellMissing(sequence: number): void {
    const told = (this.#toldEnd - this.#expected) & 0xffff;
    const begin = this.#toldEnd >= 0 && told < rtspLimits.reorderPacketsMax ? this.#toldEnd : this.#expected;
    const packets = (sequence - begin) & 0xffff;
    // Else it is one of those that were missing.
    if (packets >= rtspLimits.reorderPacketsMax) return;
    this.#toldEnd = (sequence + 1) & 0xffff;
    if (packets > 0) this.#onMissing(begin, packets);
  }

  /** The missing ones are not coming: goes on with the earliest that waits. */
  #giveUp(): void {
    let nearest = 0x10000;
    for (const sequence of this.#waiting.keys()) nearest = Math.min(nearest, (sequence - this.#expected) & 0xffff);
    if (nearest === 0x10000) return;
    this.#expected = (this.#expected + nearest) & 0xffff;
    this.#drain();
  }

  #drain(): void {
    for (;;) {
      const packet = this.#waiting.get(this.#expected);
      if (packet === undefined) return;
      this.#waiting.delete(this.#expected);
      this.#pass(packet, this.#expected);
    }
  }

  #pass(packet: Uint8Array, sequence: number): void {
    this.#expected = (sequence + 1) & 0xffff;
    this.#deliver(packet);
  }

  #watch(): void {
    if (this.#waiting.size === 0) {
      this.#cancelTimer?.();
      this.#cancelTimer = undefined;
      return;
    }
    this.#cancelTimer ??= this.#clock.after(this.#waitMsMax, () => {
      this.#cancelTimer = undefined;
      this.#giveUp();
      this.#watch();
    });
  }
}
