/**
 * One PutMedia between its producer and the owner of the stream: bytes one way as fast as the owner takes them, acknowledgements the
 * other way, one by one. Nothing of the media is read here.
 */

import type { LanePut } from '../../../storage/lane/index.ts';
import type { Ack } from '../../put-media/index.ts';
import type { KvsUpload } from '../call.ts';
import { ackLine, Unfinished } from './acks.ts';

/** Acknowledgements that wait for a producer that does not read: above this nothing more is read of it. */
const acksWaitingMax = 4_096;

/** Acknowledgements in the order in which they came, for one reader. */
export class AckPipe {
  #waiting: Ack[] = [];
  #isOver = false;
  #wake: () => void = () => {};
  #onRoom: () => void = () => {};

  push(acks: readonly Ack[]): void {
    this.#waiting.push(...acks);
    this.#wake();
  }

  /** No more come. */
  end(): void {
    this.#isOver = true;
    this.#wake();
    this.#onRoom();
  }

  /** Resolves when not too many wait. */
  async room(): Promise<void> {
    while (this.#waiting.length > acksWaitingMax && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Ack> {
    for (;;) {
      const acks = this.#waiting;
      this.#waiting = [];
      this.#onRoom();
      yield* acks;
      if (this.#waiting.length > 0) continue;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/**
 * Resolves when the producer was told everything.
 *
 * @param options.hasRetention  a producer waits until fragments are persisted, not only received
 */
export async function relay(
  { put, acks, upload }: { readonly put: LanePut; readonly acks: AckPipe; readonly upload: KvsUpload },
  { hasRetention }: { readonly hasRetention: boolean },
): Promise<void> {
  const unfinished = new Unfinished(hasRetention ? 'persisted' : 'received');
  const over = new AbortController();
  // Not waited for: a body that does not end ends with the exchange.
  const sending = send(put, acks, upload, over.signal);
  sending.catch(() => {});
  put.outcome.then(
    () => acks.end(),
    () => {
      // The owner is gone, and with it whatever was not durable.
      acks.push([unfinishedError]);
      acks.end();
    },
  );
  for await (const ack of acks) {
    unfinished.note(ack);
    await upload.send(ackLine(ack === unfinishedError ? unfinished.internalError() : ack));
  }
  over.abort();
}

/** Stands for what is known when it is told. */
const unfinishedError: Ack = { kind: 'error', error: 'internal' };

async function send(put: LanePut, acks: AckPipe, upload: KvsUpload, over: AbortSignal): Promise<void> {
  let isCut = false;
  const onClosing = () => void put.end({ isCut: true }).catch(() => {});
  if (upload.closing.aborted) onClosing();
  else upload.closing.addEventListener('abort', onClosing, { once: true });
  try {
    for await (const bytes of upload.body) {
      if (over.aborted || upload.closing.aborted) return;
      await put.write(bytes);
      await acks.room();
    }
  } catch {
    // The producer broke off, or the owner did; of the latter the outcome tells.
    isCut = true;
  } finally {
    upload.closing.removeEventListener('abort', onClosing);
  }
  if (!over.aborted) await put.end({ isCut });
}
