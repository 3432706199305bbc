/**
 * What all recorders of one process may hold in memory together on the way to the disk, and the pieces it is held in. Pieces
 * are reused, since 50 MB a second of fresh buffers would keep the garbage collector busy.
 */

import { assert } from '../base/assert.ts';
import { limits } from '../model/limits.ts';

export class ByteBudget {
  readonly #bytesMax: number;
  readonly #whole: ByteBudget | undefined;
  readonly #free: Uint8Array[];
  #used = 0;

  /**
   * @param bytesMax  bytes that may be taken at once; `limits.recorderBytesMax` but in tests
   * @param whole     what this is a share of: `share` makes those
   */
  constructor(bytesMax: number, whole?: ByteBudget) {
    this.#bytesMax = bytesMax;
    this.#whole = whole;
    this.#free = whole === undefined ? [] : whole.#free;
  }

  /** What one of many may take of this budget, in which everything it takes is counted too. */
  share(bytesMax: number): ByteBudget {
    return new ByteBudget(bytesMax, this);
  }

  /** Bytes taken now. */
  get used(): number {
    return this.#used;
  }

  /** Takes bytes, or none and answers false when so many are not left. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.#bytesMax || this.#whole?.take(bytes) === false) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    assert(bytes <= this.#used, 'no more is given back than was taken');
    this.#used -= bytes;
    this.#whole?.give(bytes);
  }

  /** A piece of `limits.pendingChunkBytes` with any content, counted as taken; undefined when the budget is used up. */
  takeChunk(): Uint8Array | undefined {
    if (!this.take(limits.pendingChunkBytes)) return undefined;
    return this.#free.pop() ?? new Uint8Array(new ArrayBuffer(limits.pendingChunkBytes));
  }

  /** Gives a piece back; nobody may hold a view of it any more. */
  giveChunk(chunk: Uint8Array): void {
    this.give(limits.pendingChunkBytes);
    if ((this.#free.length + 1) * limits.pendingChunkBytes <= limits.pendingFreeBytesMax) this.#free.push(chunk);
  }
}
