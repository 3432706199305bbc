/**
 * Where publishers arrive at the process that records: which stream waits for one, and who of two may send. Their permission was asked
 * where they knocked, in `serve`; here only a stream key that was replaced meanwhile is refused.
 */

import type { Clock } from '../../storage/base/clock.ts';
import { appError } from '../../storage/base/errors.ts';
import type { Log } from '../../storage/base/log.ts';
import type { IncomingPut, PutAnswers } from '../../storage/lane/index.ts';
import { whipLimits } from './limits.ts';
import type { WhipHead } from './messages.ts';
import { WhipPublisher } from './publisher.ts';

/** A stream that waits for its publisher, or has one. */
export type WhipClaimant = {
  /** Of the stream key by which one may publish to it. */
  readonly keySha256: string;
  /** Takes the publisher. */
  claim(publisher: WhipPublisher): void;
  /** Since when nothing came from the publisher it has, on `Clock.monotonicMs`; undefined while it waits for one. */
  readonly silentSinceMs: number | undefined;
  /** Its publisher is replaced: ends that session, so that the stream waits again. */
  replace(): void;
};

export class WhipDoor {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #claimants = new Map<string, WhipClaimant>();
  /** Publishers that wait to be taken or refused, the newest of each stream. */
  readonly #parked = new Map<string, { readonly publisher: WhipPublisher; readonly cancel: () => void }>();
  readonly #publishers = new Set<WhipPublisher>();
  #refused = 0;

  constructor(deps: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  get stats() {
    return { publishers: this.#publishers.size, refused: this.#refused };
  }

  /**
   * A stream waits for whoever publishes to it.
   *
   * @returns how it stops to wait; to be called when its session is over, too
   */
  expect(streamId: string, claimant: WhipClaimant): () => void {
    this.#claimants.set(streamId, claimant);
    const parked = this.#parked.get(streamId);
    if (parked !== undefined) {
      this.#unpark(streamId);
      this.#give(parked.publisher, claimant);
    }
    return () => {
      if (this.#claimants.get(streamId) === claimant) this.#claimants.delete(streamId);
    };
  }

  /**
   * A publisher is there. It is taken at once, or within `claimWaitMs`, or refused.
   *
   * @throws AppError resource_exhausted  there are as many publishers as there may be
   */
  begin(head: WhipHead, answers: PutAnswers): IncomingPut {
    if (this.#publishers.size >= whipLimits.publishersMax) {
      throw appError('resource_exhausted', 'too many publishers send at the same time');
    }
    const publisher = new WhipPublisher({ answers, onOver: () => this.#forget(publisher) }, { head });
    this.#publishers.add(publisher);
    const claimant = this.#claimants.get(head.streamId);
    if (claimant !== undefined && claimant.silentSinceMs === undefined) this.#give(publisher, claimant);
    else {
      this.#park(publisher);
      this.#takeOver(head.streamId);
    }
    return publisher;
  }

  /** Refuses all that wait. Those that send are ended by their sessions. */
  close(): void {
    for (const { publisher } of [...this.#parked.values()]) {
      publisher.refuse(appError('unavailable', 'the recording process ends'));
    }
  }

  /** Only now is it known which key is the camera's: it may have been replaced while the publisher waited. */
  #give(publisher: WhipPublisher, claimant: WhipClaimant): void {
    const { keySha256 } = publisher.head;
    if (keySha256 === undefined || keySha256 === claimant.keySha256) claimant.claim(publisher);
    else publisher.refuse(appError('permission_denied', 'the camera has another stream key by now'));
  }

  /** Holds one that cannot be taken now: its stream may be between two sessions, or its own old session is not known to be dead. */
  #park(publisher: WhipPublisher): void {
    const { streamId } = publisher.head;
    const before = this.#parked.get(streamId)?.publisher;
    if (before !== undefined) this.#refuse(before, 'another publisher came to the same camera');
    const cancel = this.#clock.after(whipLimits.claimWaitMs, () => {
      if (this.#takeOver(streamId)) return;
      if (this.#claimants.has(streamId)) this.#refuse(publisher, 'another publisher sends to this camera');
      // After a mistake of ours it waits for a while before it begins anew.
      else publisher.refuse(appError('unavailable', 'the camera takes nobody just now'));
    });
    this.#parked.set(streamId, { publisher, cancel });
  }

  /** Where the publisher of a stream sends nothing more, the one that is parked is its next: `expect` hands it over. */
  #takeOver(streamId: string): boolean {
    const claimant = this.#claimants.get(streamId);
    if (claimant?.silentSinceMs === undefined) return false;
    if (this.#clock.monotonicMs() - claimant.silentSinceMs < whipLimits.claimWaitMs) return false;
    claimant.replace();
    return true;
  }

  #refuse(publisher: WhipPublisher, why: string): void {
    this.#refused++;
    const { streamId, peer } = publisher.head;
    this.#log.counted('whip publisher refused', 1, { streamId, peer, why });
    publisher.refuse(appError('already_exists', why, { hint: 'end the other one, or add a camera of its own' }));
  }

  #unpark(streamId: string): void {
    this.#parked.get(streamId)?.cancel();
    this.#parked.delete(streamId);
  }

  #forget(publisher: WhipPublisher): void {
    this.#publishers.delete(publisher);
    const { streamId } = publisher.head;
    if (this.#parked.get(streamId)?.publisher === publisher) this.#unpark(streamId);
  }
}
