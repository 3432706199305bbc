/** What other rooms see of the media plane. */

import type { types } from 'mediasoup';
import type { PeerUse } from './placing.ts';

/** Whether there is a worker to place peers on; people read `reason`. */
export type PlaneStatus =
  | { readonly state: 'ready' }
  | { readonly state: 'off' | 'starting' | 'building' | 'missing' | 'failed'; readonly reason: string };

export type PeerOptions = PeerUse & {
  /** What the peer watches or sends, as given to `place`: peers of one key keep together. */
  readonly key?: string;
};

/** Under what payload types a viewer's offer takes codecs. Absent: not at all. */
export type PayloadTypes = Readonly<Partial<Record<'h264' | 'opus' | 'pcmu' | 'pcma', number>>>;

/** One mediasoup worker with its router and its port. Good until it dies: what was made on it is closed then. */
export interface MediaWorker {
  readonly isAlive: boolean;
  /** UDP and TCP. */
  readonly port: number;
  readonly router: types.Router;
  /** A browser's transport on the worker's port, ICE-lite; its own candidates say nothing, use `candidateAddresses`. */
  createPeer(options?: PeerOptions): Promise<types.WebRtcTransport>;
  /** A transport on 127.0.0.1 for RTP and RTCP of the one port of this machine that it is to be connected to, and of no other. */
  createPlain(): Promise<types.PlainTransport>;
  /**
   * Addresses for candidates, best first, each to be combined with `port` for UDP and for TCP (passive).
   * @param reachedAt  by which the peer reached us (`socket.localAddress`, a host that is an address): first of all
   */
  candidateAddresses(...reachedAt: readonly (string | undefined)[]): string[];
  /**
   * The same worker with another router, which sends under these payload types: mediasoup's consumers send under their router's, and who
   * offers to receive says its own. The same object for the same numbers, for as long as anything stands on it.
   *
   * @throws AppError resource_exhausted  viewers with too many different numbers are here
   * @throws AppError unavailable         the worker died
   */
  speaking(payloadTypes: PayloadTypes): Promise<MediaWorker>;
  /** Called once, when the worker dies or is closed; at once if it has already. Returns how to be told no more. */
  onDied(callback: () => void): () => void;
}
