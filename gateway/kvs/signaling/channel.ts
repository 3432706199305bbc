/** One channel while somebody is there: its peers, what waits for those who are not, and who waits for an answer. */

import type { Clock } from '../../../storage/base/clock.ts';
import type { SignalingConnection, SignalingPeer } from './connection.ts';
import { master, type Recipient, type WaitingBytes, WaitingMessages } from './waiting-messages.ts';

/** Takes the payload of a master's answer. */
export type OnAnswer = (payload: string | undefined) => void;

export class SignalingChannel {
  readonly waiting: WaitingMessages;
  readonly #peers = new Map<Recipient, SignalingConnection>();
  /** By the client id under which an offer was brought; oldest first. */
  readonly #asking = new Map<string, Set<OnAnswer>>();

  /** @param deps.all  shared by all channels */
  constructor(deps: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly all: WaitingBytes }) {
    this.waiting = new WaitingMessages(deps);
  }

  get isEmpty(): boolean {
    return this.#peers.size === 0 && this.#asking.size === 0 && this.waiting.isEmpty;
  }

  get viewerCount(): number {
    return this.#peers.size - (this.#peers.has(master) ? 1 : 0);
  }

  find(recipient: Recipient): SignalingConnection | undefined {
    return this.#peers.get(recipient);
  }

  enter(connection: SignalingConnection): void {
    this.#peers.set(recipientOf(connection.peer), connection);
  }

  /** Nothing when another connection has its place. */
  leave(connection: SignalingConnection): void {
    const recipient = recipientOf(connection.peer);
    if (this.#peers.get(recipient) === connection) this.#peers.delete(recipient);
  }

  /** @returns stops waiting */
  expectAnswer(clientId: string, onAnswer: OnAnswer): () => void {
    const expecting = this.#asking.get(clientId) ?? new Set<OnAnswer>();
    this.#asking.set(clientId, expecting.add(onAnswer));
    return () => {
      expecting.delete(onAnswer);
      if (expecting.size === 0) this.#asking.delete(clientId);
    };
  }

  /** Who has waited longest for an answer to this client. */
  expecting(clientId: string): OnAnswer | undefined {
    const [oldest] = this.#asking.get(clientId) ?? [];
    return oldest;
  }

  /** Nothing waits any longer. */
  clear(): void {
    for (const expecting of this.#asking.values()) for (const onAnswer of expecting) onAnswer(undefined);
    this.waiting.clear();
  }
}

export function recipientOf({ role, clientId }: Pick<SignalingPeer, 'role' | 'clientId'>): Recipient {
  return role === 'master' ? master : clientId;
}
