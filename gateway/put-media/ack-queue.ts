/** Acknowledgements on their way to the producer, in order. None is left out: while nobody reads them they wait, and the body does too. */

import type { PutAnswers } from '../../storage/lane/index.ts';
import { putMediaLimits } from './limits.ts';
import type { Ack, PutMediaEvent } from './messages.ts';

export class AckQueue {
  readonly #answers: Pick<PutAnswers, 'event'>;
  #waiting: Ack[] = [];
  #isFlushDue = false;

  constructor({ answers }: { readonly answers: Pick<PutAnswers, 'event'> }) {
    this.#answers = answers;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** False while the producer does not read: then nothing more is read of it. */
  get hasRoom(): boolean {
    return this.#waiting.length < putMediaLimits.acksWaitingMax;
  }

  /** Those of one turn leave together. */
  add(ack: Ack): void {
    this.#waiting.push(ack);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(() => {
      this.#isFlushDue = false;
      this.flush();
    });
  }

  /** Tries once more what could not be sent. */
  flush(): void {
    while (this.#waiting.length > 0) {
      const acks = this.#waiting.slice(0, putMediaLimits.acksOfEventMax);
      if (!this.#answers.event({ kind: 'told', acks } satisfies PutMediaEvent)) return;
      this.#waiting = this.#waiting.slice(acks.length);
    }
  }
}
