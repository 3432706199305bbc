/**
 * How the connections of one process read: into one buffer that all share, and in turns. A camera that sends one packet after
 * the other would wake the process four hundred times a second; read every few milliseconds instead, what has come meanwhile
 * is one call. Twenty paced cameras cost less than half so, and a third less again while nobody watches: recording is in no
 * hurry. A live viewer waits ten milliseconds longer on average.
 */

import type { Clock } from '../../storage/base/clock.ts';

/** Several times what the kernel hands over in one go. */
const bufferBytes = 256 * 1024;

/** While somebody watches a stream of the process: a camera is read 50 times a second. */
export const readTurnMs = 20;

/**
 * While nobody does: longer turns save little more. Arrival is known that much later, which is within what scheduling on a
 * busy machine does to it, and the kernel's buffer holds it: 100 ms of 100 Mb/s are 1.2 MB.
 */
export const unwatchedTurnMs = 100;

/**
 * What one connection may read in a millisecond of a turn: 200 Mb/s, twice what an 8K camera sends at its best. A camera that
 * floods waits for its next turn beyond it, and the kernel tells it so: the other cameras of the process must be read too.
 */
const bytesPerMsMax = 25 * 1024;

/** What one connection may read in one turn of the length. */
export function turnBytesMax(turnMs: number): number {
  return turnMs * bytesPerMsMax;
}

/** A reading that filled so much of the buffer goes on at once: the sender is far ahead of us. */
const eagerBytes = bufferBytes / 2;

type Readable = { resume(): unknown };

export class SharedReads {
  /** Filled by one connection at a time, within one synchronous call: nobody keeps a view of it. */
  readonly buffer: Uint8Array = Buffer.allocUnsafeSlow(bufferBytes);
  readonly #clock: Clock;
  readonly #nextTurnMs: () => number;
  #turnMs: number;
  #waiting: Readable[] = [];
  /** Bytes of this turn, by connection. */
  readonly #read = new Map<Readable, number>();
  #isTurnDue = false;

  /** @param options.turnMs  how long the turn that begins now may be; 0: every connection reads on at once, as one that is alone may */
  constructor(deps: { readonly clock: Clock }, options: { readonly turnMs: () => number }) {
    this.#clock = deps.clock;
    this.#nextTurnMs = options.turnMs;
    this.#turnMs = options.turnMs();
  }

  /**
   * To be asked after each reading of a connection that plays: true when it shall go on at once. After false it must stop, and
   * is resumed at the next turn.
   *
   * @param options.isUrgent  an answer is awaited
   */
  goesOn(connection: Readable, byteLength: number, options: { readonly isUrgent: boolean }): boolean {
    if (this.#turnMs === 0) return true;
    if (!this.#isTurnDue) this.#beginTurn();
    const read = (this.#read.get(connection) ?? 0) + byteLength;
    this.#read.set(connection, read);
    if ((options.isUrgent || byteLength >= eagerBytes) && read < turnBytesMax(this.#turnMs)) return true;
    this.#waiting.push(connection);
    return false;
  }

  #beginTurn(): void {
    this.#isTurnDue = true;
    this.#turnMs = this.#nextTurnMs();
    this.#clock.after(this.#turnMs, () => this.#turn());
  }

  #turn(): void {
    const due = this.#waiting;
    this.#waiting = [];
    this.#read.clear();
    this.#isTurnDue = false;
    for (const connection of due) connection.resume();
  }
}
