/** What a WHIP session hands to `receive`. */

import type { types } from 'mediasoup';
import type { AppError } from '../../../storage/base/errors.ts';
import type { MediaWorker } from '../media-plane/index.ts';

/** Media of one publisher, on its way in. */
export type Publication = {
  readonly streamId: string;
  readonly worker: MediaWorker;
  /** H.264, packetization-mode 1. A key frame is asked of the publisher by a consumer's `requestKeyFrame()`. */
  readonly video: types.Producer;
  /** Opus. */
  readonly audio: types.Producer | undefined;
  /** Who sends, in the appliance's words: to be logged. */
  readonly publisher: string;
};

/** A publication that is being recorded. */
export type Reception = {
  /** Called once when it cannot go on: the stream's owner refused it, or is away for good. Never after `close`. */
  onEnded(callback: (error: AppError) => void): void;
  /** Ends the run of what was received; idempotent. */
  close(): Promise<void>;
};

/** Implemented by `gateway/webrtc/receive`. */
export type Receiver = {
  /**
   * Called once the publisher's DTLS stands. Another publication of the stream that is still there is for the receiver to judge.
   *
   * @throws AppError failed_precondition  the stream takes no publisher
   * @throws AppError already_exists       somebody else sends already
   * @throws AppError unavailable          the stream's owner is away
   */
  receive(publication: Publication): Promise<Reception>;
};
