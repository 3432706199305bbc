/**
 * The bytes of one open fragment that are not on their way to the file yet, in pieces of the shared budget, and the running
 * hash over the fragment's cluster. Hashing happens a piece at a time: per call it would cost more than per byte.
 */

import { createHash, type Hash } from 'node:crypto';
import { appError } from '../base/errors.ts';
import { limits } from '../model/limits.ts';
import type { ByteBudget } from './byte-budget.ts';

/** A piece with its bytes; whoever has it gives the chunk back to the budget. */
export type Piece = { readonly chunk: Uint8Array; readonly byteLength: number };

export class PendingBytes {
  readonly #budget: ByteBudget;
  /** All but the last are full. */
  #chunks: Uint8Array[] = [];
  #last: Uint8Array | undefined;
  #at = 0;
  #hash: Hash | undefined;
  #hashedTo = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  get byteLength(): number {
    return this.#chunks.length === 0 ? 0 : (this.#chunks.length - 1) * limits.pendingChunkBytes + this.#at;
  }

  /** Copies all of the bytes, or nothing. @throws AppError resource_exhausted  the budget is used up */
  append(bytes: Uint8Array): void {
    const last = this.#last;
    if (last !== undefined && bytes.byteLength <= last.byteLength - this.#at) {
      last.set(bytes, this.#at);
      this.#at += bytes.byteLength;
      return;
    }
    this.#appendAcross(bytes);
  }

  /** From now on appended bytes are hashed. */
  beginHash(): void {
    this.#hash = createHash('sha256');
    this.#hashedTo = this.#at;
  }

  /** SHA-256 of what was appended since `beginHash`; later bytes are not hashed. */
  endHash(): Uint8Array {
    this.#hashLast();
    const digest = new Uint8Array(this.#hash?.digest() ?? []);
    this.#hash = undefined;
    return digest;
  }

  /** Gives the pieces away: to a write. */
  take(): Piece[] {
    this.#hashLast();
    const pieces = this.#chunks.map((chunk) => ({
      chunk,
      byteLength: chunk === this.#last ? this.#at : chunk.byteLength,
    }));
    this.#reset();
    return pieces;
  }

  /** Forgets bytes and hash. */
  drop(): void {
    for (const chunk of this.#chunks) this.#budget.giveChunk(chunk);
    this.#hash = undefined;
    this.#reset();
  }

  /** Views of the bytes, valid until the next call of any other method. */
  views(): Uint8Array[] {
    return this.#chunks.map((chunk) => (chunk === this.#last ? chunk.subarray(0, this.#at) : chunk));
  }

  #appendAcross(bytes: Uint8Array): void {
    const room = this.#last === undefined ? 0 : limits.pendingChunkBytes - this.#at;
    const more = this.#takeChunks(Math.ceil((bytes.byteLength - room) / limits.pendingChunkBytes));
    let from = 0;
    if (this.#last !== undefined && room > 0) {
      this.#last.set(bytes.subarray(0, room), this.#at);
      this.#at += room;
      from = room;
    }
    for (const chunk of more) {
      this.#hashLast();
      const part = bytes.subarray(from, from + limits.pendingChunkBytes);
      chunk.set(part);
      this.#chunks.push(chunk);
      this.#last = chunk;
      this.#at = part.byteLength;
      this.#hashedTo = 0;
      from += part.byteLength;
    }
  }

  #takeChunks(count: number): Uint8Array[] {
    const taken: Uint8Array[] = [];
    while (taken.length < count) {
      const chunk = this.#budget.takeChunk();
      if (chunk === undefined) {
        for (const each of taken) this.#budget.giveChunk(each);
        throw appError('resource_exhausted', 'disk is slower than the recorders and their buffer is full', {
          usedBytes: this.#budget.used,
        });
      }
      taken.push(chunk);
    }
    return taken;
  }

  #hashLast(): void {
    if (this.#hash === undefined || this.#last === undefined || this.#hashedTo === this.#at) return;
    this.#hash.update(this.#last.subarray(this.#hashedTo, this.#at));
    this.#hashedTo = this.#at;
  }

  #reset(): void {
    this.#chunks = [];
    this.#last = undefined;
    this.#at = 0;
    this.#hashedTo = 0;
  }
}
