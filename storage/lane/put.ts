/**
 * Media sent to a stream's owner, as its sender sees it: a head that says what it is, the bytes of a Matroska stream, and answers
 * meanwhile. Each put has a connection of its own, so that an owner which takes its time holds up nobody else: it stops reading,
 * the socket fills, and `write` waits.
 */

import { type AppError, appError, toAppError } from '../base/errors.ts';
import { limits } from '../model/limits.ts';
import { LaneConnection, remoteError } from './connection.ts';

export type PutOptions = {
  /** What the bytes are and where they go: JSON, told by its `kind`; its owner checks it. */
  readonly head: { readonly kind: string } & Readonly<Record<string, unknown>>;
  /** What the owner tells meanwhile: fragments received and persisted. */
  readonly onEvent?: (event: unknown) => void;
  /** Gives the put up: the owner keeps what was whole. */
  readonly signal: AbortSignal;
};

/** The put of one connection has this id: it is alone there. */
const putId = 1;

export class LanePut {
  readonly #connection: LaneConnection;
  readonly #onEvent: (event: unknown) => void;
  readonly #outcome: Promise<unknown>;
  #failure: AppError | undefined;

  private constructor(connection: LaneConnection, onEvent: (event: unknown) => void) {
    this.#connection = connection;
    this.#onEvent = onEvent;
    this.#outcome = this.#answers();
    // Told by `write` or `end`, whichever is called next.
    this.#outcome.catch((error: unknown) => {
      this.#failure = toAppError(error);
    });
  }

  /** @throws AppError unavailable, not_found  the owner does not run */
  static async open(path: string, name: string, { head, onEvent, signal }: PutOptions): Promise<LanePut> {
    const connection = await LaneConnection.open(path, { name, signal });
    const put = new LanePut(connection, onEvent ?? (() => {}));
    connection.send({ type: 'put', putId, head });
    return put;
  }

  /**
   * Sends the next bytes, and waits while the owner does not read. The bytes must stay as they are until it resolves.
   *
   * @throws AppError  the owner refused the put, or is gone
   */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += limits.putFrameBytesMax) {
      if (this.#failure !== undefined) throw this.#failure;
      await this.#connection.sendMedia(putId, bytes.subarray(at, at + limits.putFrameBytesMax));
    }
  }

  /**
   * Says that no more bytes come, and waits until everything is durable.
   *
   * @param options.isCut  they end in the middle of something: what is whole counts
   * @returns              the owner's result, to be checked
   * @throws AppError      as `write`
   */
  end(options: { readonly isCut: boolean }): Promise<unknown> {
    this.#connection.send({ type: 'put-end', putId, ...options });
    return this.#outcome.finally(() => this.close());
  }

  /** What `end` resolves or rejects with, for who goes on sending until the owner has enough. */
  get outcome(): Promise<unknown> {
    return this.#outcome;
  }

  close(): void {
    this.#connection.close();
  }

  async #answers(): Promise<unknown> {
    for await (const items of this.#connection.items()) {
      for (const item of items) {
        if (item.type === 'put-event') this.#onEvent(item.event);
        if (item.type === 'put-done') return item.result;
        if (item.type === 'put-failed') throw remoteError(item.error);
      }
    }
    throw appError('unavailable', 'connection to the recording process broke', {
      hint: 'send the same again: what is stored already is passed over',
    });
  }
}
