/** What a viewer's session asks of the bridge, and what it gets. Types alone. */

import type { types } from 'mediasoup';

/** Codecs that mediasoup forwards and cameras or conversion make. H.265 is none of mediasoup's. */
export type ViewerCodec = 'h264' | 'opus' | 'pcmu' | 'pcma';

/** What the bridge needs of a mediasoup worker (`MediaWorker` of the media plane has it). */
export type BridgeWorker = {
  readonly isAlive: boolean;
  /** A transport on 127.0.0.1 that is to be connected to our port, with RTCP on the same. */
  createPlain(): Promise<types.PlainTransport>;
  /** Returns how to listen no more. */
  onDied(callback: () => void): () => void;
};

export type WatchOptions = {
  readonly worker: BridgeWorker;
  /** What the viewer's offer takes. A kind without any codec is left out without a note. */
  readonly canPlay: ReadonlySet<ViewerCodec>;
  /** Name of the person or token: told to those who are turned away from a conversion. */
  readonly viewer: string;
  readonly signal?: AbortSignal;
};

/** A stream as one viewer gets it, until it is released or ends. */
export type Watched = {
  /** Consume `producer`; call `begin` once the viewer is connected: the first picture goes out then. May be called more than once. */
  readonly video?: { readonly producer: types.Producer; begin(): void };
  /** Sound flows at once. */
  readonly audio?: { readonly producer: types.Producer };
  /** What was left out or changed, in sentences for people. */
  readonly notes: readonly string[];
  /** Calls back once, at once when it has ended already: with a sentence for people. Returns how to listen no more. */
  onEnded(callback: (reason: string) => void): () => void;
  /** May be called twice. */
  release(): void;
};

/** The bridge, as sessions see it. */
export type StreamBridges = {
  /**
   * Waits some seconds for a camera to say what it sends.
   *
   * @throws AppError unavailable          the camera is not live, or the worker died
   * @throws AppError failed_precondition  nothing of it can be played by this viewer, or this machine cannot convert
   * @throws AppError resource_exhausted   it would have to be converted and all conversions are taken, or too much is watched
   * @throws AppError cancelled            the signal was raised
   */
  watch(streamId: string, options: WatchOptions): Promise<Watched>;
};
