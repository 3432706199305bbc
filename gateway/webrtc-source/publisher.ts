/** One publisher's put at the owner of its camera: waits until it is taken or refused, then its media goes to whoever took it. */

import { type AppError, appError, toAppError } from '../../storage/base/errors.ts';
import type { IncomingPut, PutAnswers } from '../../storage/lane/index.ts';
import type { SourceEnd } from '../rtsp/index.ts';
import { ends, endToError } from './ends.ts';
import { accepted, type WhipHead } from './messages.ts';

/** Who receives what a publisher sends; given with the permission to send. */
export type PutReceiver = {
  /** @param bytes  borrowed until return @throws  only mistakes of ours */
  bytes(bytes: Uint8Array): void;
  /** The put is over; called once. */
  ended(end: SourceEnd): void;
  /** A mistake of ours while handling what came; the put is over. */
  crashed(error: unknown): void;
};

export class WhipPublisher implements IncomingPut {
  readonly head: WhipHead;
  readonly #answers: PutAnswers;
  readonly #onOver: () => void;
  #receiver: PutReceiver | undefined;
  #isOver = false;

  /** @param deps.onOver  nothing is left of it; called once */
  constructor(
    deps: { readonly answers: PutAnswers; readonly onOver: () => void },
    options: { readonly head: WhipHead },
  ) {
    this.#answers = deps.answers;
    this.#onOver = deps.onOver;
    this.head = options.head;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Lets it send: media goes to the receiver until `ended`. */
  accept(receiver: PutReceiver): void {
    if (this.#isOver) {
      receiver.ended(ends.lost);
      return;
    }
    this.#receiver = receiver;
    this.#answers.event(accepted);
  }

  /** Tells it why not. */
  refuse(error: AppError): void {
    if (this.#isOver) return;
    this.#leave();
    this.#answers.failed(error);
  }

  /** Ends it from this side; whoever receives is told the reason. */
  stop(end: SourceEnd): void {
    if (this.#isOver) return;
    this.refuse(endToError(end));
    this.#receiver?.ended(end);
  }

  bytes(bytes: Uint8Array): undefined {
    if (this.#isOver) return;
    if (this.#receiver === undefined) {
      this.refuse(appError('invalid_argument', 'media came before it was asked for'));
      return;
    }
    try {
      this.#receiver.bytes(bytes);
    } catch (error) {
      this.refuse(toAppError(error));
      this.#receiver.crashed(error);
    }
  }

  end({ isCut }: { readonly isCut: boolean }): void {
    if (this.#isOver) return;
    this.#leave();
    this.#answers.done({});
    this.#receiver?.ended(isCut ? ends.lost : ends.closed);
  }

  lost(): void {
    if (this.#isOver) return;
    this.#leave();
    this.#receiver?.ended(ends.serveGone);
  }

  #leave(): void {
    this.#isOver = true;
    this.#onOver();
  }
}
