/**
 * Messages of one channel for peers that are not there: each waits for its time, in order, and goes out when its recipient comes.
 * What finds no room is refused, so that its sender hears of it; what waits is never pushed out by something newer.
 */

import type { Clock } from '../../../storage/base/clock.ts';
import { awsError } from '../errors.ts';
import { signalingLimits } from './limits.ts';

/** Bytes that wait in all channels together. */
export type WaitingBytes = { used: number };

/** A viewer's id, or the master. */
export type Recipient = string | typeof master;

/** The one peer without an id. */
export const master = Symbol('master');

type Waiting = {
  readonly text: string;
  readonly bytes: number;
  readonly sender: Recipient;
  readonly expiresMs: number;
};

export class WaitingMessages {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #all: WaitingBytes;
  readonly #ofRecipient = new Map<Recipient, Set<Waiting>>();
  #count = 0;
  #bytes = 0;

  /** @param deps.all  shared by all channels */
  constructor(deps: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly all: WaitingBytes }) {
    this.#clock = deps.clock;
    this.#all = deps.all;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /**
   * @returns takes the message back, if it still waits
   * @throws AppError ClientLimitExceededException  there is no room
   */
  add(
    text: string,
    { recipient, sender, ttlMs }: { readonly recipient: Recipient; readonly sender: Recipient; readonly ttlMs: number },
  ): () => void {
    const bytes = Buffer.byteLength(text);
    if (!this.#hasRoom(bytes, { recipient, sender })) {
      this.forgetExpired();
      if (!this.#hasRoom(bytes, { recipient, sender })) {
        throw awsError(
          'ClientLimitExceededException',
          'The recipient is not there, and too many messages wait already.',
        );
      }
    }
    const found = this.#ofRecipient.get(recipient) ?? new Set<Waiting>();
    const waiting: Waiting = { text, bytes, sender, expiresMs: this.#clock.monotonicMs() + ttlMs };
    found.add(waiting);
    this.#ofRecipient.set(recipient, found);
    this.#count++;
    this.#bytes += bytes;
    this.#all.used += bytes;
    return () => this.#remove(recipient, waiting);
  }

  /** What waits for a recipient, oldest first; it waits no longer. */
  take(recipient: Recipient): string[] {
    this.forgetExpired();
    const found = [...(this.#ofRecipient.get(recipient) ?? [])];
    for (const waiting of found) this.#remove(recipient, waiting);
    return found.map(({ text }) => text);
  }

  forgetExpired(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [recipient, found] of this.#ofRecipient) {
      for (const waiting of found) if (waiting.expiresMs <= nowMs) this.#remove(recipient, waiting);
    }
  }

  clear(): void {
    for (const [recipient, found] of this.#ofRecipient) {
      for (const waiting of found) this.#remove(recipient, waiting);
    }
  }

  #hasRoom(
    bytes: number,
    { recipient, sender }: { readonly recipient: Recipient; readonly sender: Recipient },
  ): boolean {
    let ofSender = 0;
    for (const one of this.#ofRecipient.get(recipient) ?? []) if (one.sender === sender) ofSender++;
    return (
      ofSender < signalingLimits.waitingOfSenderMax &&
      this.#count < signalingLimits.waitingOfChannelMax &&
      this.#bytes + bytes <= signalingLimits.waitingBytesOfChannelMax &&
      this.#all.used + bytes <= signalingLimits.waitingBytesMax
    );
  }

  #remove(recipient: Recipient, waiting: Waiting): void {
    const found = this.#ofRecipient.get(recipient);
    if (found?.delete(waiting) !== true) return;
    if (found.size === 0) this.#ofRecipient.delete(recipient);
    this.#count--;
    this.#bytes -= waiting.bytes;
    this.#all.used -= waiting.bytes;
  }
}
