/** What other rooms see of media that a peer sends: its sound and pictures as units, and the way of units to a stream's owner. */

import type { types } from 'mediasoup';
import type { AppError } from '../../../storage/base/errors.ts';
import type { LanePut, PutOptions } from '../../../storage/lane/index.ts';
import type { SourceEnd, SourceSink } from '../../rtsp/index.ts';
import type { MediaWorker } from '../media-plane/index.ts';

/**
 * Takes what a peer sends: the sink of any source. `session` begins a timeline near 0 and comes again when the picture really changed
 * or a clock jumped; units are borrowed until return.
 */
export type MediaSink = SourceSink;

export type PeerMediaOptions = {
  readonly worker: Pick<MediaWorker, 'router'>;
  /** H.264. Without it the peer sends sound alone. */
  readonly video?: types.Producer | undefined;
  /** Opus. */
  readonly audio?: types.Producer | undefined;
};

/** Media of one peer on its way out of mediasoup. `gateway/webrtc/receive` makes it: `new PeerMedia(deps, options)`. */
export interface PeerMediaDoor {
  /** @throws AppError unavailable  the worker, or a producer, is gone */
  start(): Promise<void>;
  /** Asks the peer for a key frame; as often as anybody likes. */
  wantKeyFrame(): void;
  /** On `Clock.monotonicMs`: when the peer's last packet came. */
  readonly lastMediaMs: number;
  close(): Promise<void>;
}

export type PeerMediaEvents = {
  readonly sink: MediaSink;
  /** Nothing more comes of it: silence, media that breaks its format. Called once; `close` is the caller's. */
  readonly onFault: (end: SourceEnd) => void;
};

/** What media is sent as, and whose it is. */
export type MediaPutHead =
  /** To a camera of the source kind `whip`. */
  | {
      readonly kind: 'whip';
      readonly streamId: string;
      /** For logs: address and port, or whatever names the publisher. */
      readonly peer: string;
      /** Of the stream key by which the publisher may send; absent where an API token or a session allowed it. */
      readonly keySha256?: string | undefined;
    }
  /** To a stream that KVS producers feed. Each session of the media is a put of its own, each fragment has all tracks. */
  | { readonly kind: 'put-media'; readonly streamId: string; readonly requestId: string };

export type MediaPutDeps = {
  /** The process that records the stream. */
  readonly owner: { put(options: PutOptions): Promise<LanePut> };
  /** A picture that is decodable alone is needed to go on: `PeerMedia.wantKeyFrame`. */
  readonly wantKeyFrame: () => void;
  /** The owner has ended it for good, or was away for too long; undefined after `close`. Called once. */
  readonly onEnded: (error: AppError | undefined) => void;
};

/**
 * Units as Matroska to the stream's owner. `gateway/webrtc/receive` makes it: `new MediaPut(deps, { head })`. It is a `MediaSink`: never
 * waits and never throws; while the owner is slow, whole groups of pictures are left out and that is told to it.
 */
export interface MediaPutDoor extends MediaSink {
  /**
   * Asks the owner for the stream; of kind `whip` it waits up to 3 s for another publisher to fall silent.
   *
   * @throws AppError already_exists     another publisher sends
   * @throws AppError not_found          no such stream
   * @throws AppError failed_precondition  the stream is fed otherwise
   * @throws AppError permission_denied  another stream key is the camera's by now
   * @throws AppError unavailable        its owner is away
   */
  open(): Promise<void>;
  /** What is whole is recorded. */
  close(): Promise<void>;
}
