/**
 * How the connections of one process read: into one buffer that all share, and in turns. A camera that sends one packet after
 * the other would wake the process four hundred times a second; read every few milliseconds instead, what has come meanwhile
 * is one call. Twenty paced cameras cost less than half so; a live viewer waits ten milliseconds longer on average.
 */

import type { Clock } from '../../storage/base/clock.ts';

/** Several times what the kernel hands over in one go. */
const bufferBytes = 256 * 1024;

/** Longer turns save little more, shorter ones less: at 20 ms a camera is read 50 times a second. */
export const readTurnMs = 20;

/** A reading that filled so much of the buffer goes on at once: the sender is far ahead of us. */
const eagerBytes = bufferBytes / 2;

type Readable = { resume(): unknown };

export class SharedReads {
  /** Filled by one connection at a time, within one synchronous call: nobody keeps a view of it. */
  readonly buffer: Uint8Array = Buffer.allocUnsafeSlow(bufferBytes);
  readonly #clock: Clock;
  readonly #turnMs: number;
  #waiting: Readable[] = [];

  /** @param options.turnMs  0: every connection reads on at once, as one that is alone may */
  constructor(deps: { readonly clock: Clock }, options: { readonly turnMs: number }) {
    this.#clock = deps.clock;
    this.#turnMs = options.turnMs;
  }

  /**
   * To be asked after each reading of a connection that plays: true when it shall go on at once. After false it must stop, and
   * is resumed at the next turn.
   */
  goesOn(connection: Readable, byteLength: number): boolean {
    if (this.#turnMs === 0 || byteLength >= eagerBytes) return true;
    if (this.#waiting.length === 0) this.#clock.after(this.#turnMs, () => this.#turn());
    this.#waiting.push(connection);
    return false;
  }

  #turn(): void {
    const due = this.#waiting;
    this.#waiting = [];
    for (const connection of due) connection.resume();
  }
}
