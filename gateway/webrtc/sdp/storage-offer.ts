/**
 * Offers of ours, for KVS storage sessions: the gateway is the controlling side of the negotiation there, and ICE-lite all the same.
 */

import type { types } from 'mediasoup';
import type { MediaDirection, MediaKind, OwnTransport } from './types.ts';

/** An m-line that we offer. */
export type OfferedMedia = {
  readonly mid: string;
  readonly kind: MediaKind;
  /** As we see it: what the master sends is `recvonly`. */
  readonly direction: MediaDirection;
  /** What may be received and sent: the router's, narrowed to the codecs that are wanted. */
  readonly capabilities: types.RtpCapabilities;
  /** What we send: a consumer's `rtpParameters`, made with `mid` and `capabilities`. */
  readonly sends?: types.RtpParameters | undefined;
};

export type StorageOffer = OwnTransport & {
  readonly media: readonly OfferedMedia[];
  /** Digits: tells this offer from others of the session. */
  readonly sessionId: string;
  readonly sessionVersion: number;
  /** With candidates in the text; without, the caller trickles `candidateLines`. */
  readonly areCandidatesInside: boolean;
};
