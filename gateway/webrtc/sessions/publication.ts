/** What a WHIP session hands to whoever records it. */

import type { types } from 'mediasoup';
import type { MediaWorker } from '../media-plane/index.ts';

/** Media of one publisher, on its way in. */
export type Publication = {
  readonly streamId: string;
  readonly worker: MediaWorker;
  /** H.264, packetization-mode 1. */
  readonly video: types.Producer;
  /** Opus. */
  readonly audio: types.Producer | undefined;
  /** Who sends, in the appliance's words: to be logged. */
  readonly publisher: string;
  /** Of the stream key by which it may; absent where a token or an account did. */
  readonly keySha256?: string | undefined;
};

/** A publication that is being recorded. */
export type Reception = {
  /** Called once when it cannot go on. Never after `close`. */
  onEnded(callback: (reason: string) => void): void;
  /**
   * What is whole is recorded; idempotent.
   * @param options.isLost  the publisher was lost, it did not end its stream
   */
  close(options?: { readonly isLost?: boolean }): Promise<void>;
};

export type Receiver = {
  /**
   * Called before the publisher gets its answer, so that it learns of a refusal.
   *
   * @throws AppError failed_precondition  the stream takes no publisher
   * @throws AppError already_exists       another publisher sends
   * @throws AppError not_found            no such stream
   * @throws AppError unavailable          the stream's owner is away
   */
  receive(publication: Publication): Promise<Reception>;
};
