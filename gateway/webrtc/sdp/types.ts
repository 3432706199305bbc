/** What a peer's session description says, once read: everything checked and bounded. */

import type { types } from 'mediasoup';

export type MediaKind = 'audio' | 'video';
export type MediaDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** A peer's offer or answer. */
export type PeerDescription = {
  readonly ice: {
    readonly usernameFragment: string;
    readonly password: string;
    /** Two lite sides would wait for each other: refused by `readOffer` and `readAnswer`. */
    readonly canTrickle: boolean;
  };
  /** For `transport.connect()`: `role` is the peer's. Of an offer with `actpass` it is `auto`; the answer then makes the peer the client. */
  readonly dtls: types.DtlsParameters;
  /** In the order of their m-lines, rejected and unknown ones too. */
  readonly media: readonly PeerMedia[];
};

/** One m-line. */
export type PeerMedia = {
  readonly mid: string;
  /** Undefined for data channels and what we do not know: such a line is rejected. */
  readonly kind: MediaKind | undefined;
  /** Of the m-line: answers repeat it. */
  readonly protocol: string;
  readonly mediaType: string;
  /** Port 0: the peer itself wants nothing of it. */
  readonly isRejected: boolean;
  readonly isBundled: boolean;
  /** As the peer sees it. */
  readonly direction: MediaDirection;
  /** In the peer's order of preference, with its payload types as `preferredPayloadType`. */
  readonly codecs: readonly types.RtpCodecCapability[];
  readonly headerExtensions: readonly { readonly uri: string; readonly id: number }[];
  /** What it sends under: of several (simulcast by SSRC) the first. */
  readonly encoding: { readonly ssrc: number; readonly rtxSsrc?: number } | undefined;
  readonly cname: string | undefined;
  readonly msid: string | undefined;
  /** How many m-lines' candidates were in it: for the log. */
  readonly candidates: number;
  /** The peer sends several encodings of one picture (`a=simulcast`, rids): not taken. */
  readonly isSimulcast: boolean;
};

/** Our end of a transport, for answers and offers. */
export type OwnTransport = {
  readonly iceParameters: types.IceParameters;
  readonly dtlsParameters: types.DtlsParameters;
  /** Best first: `MediaWorker.candidateAddresses`. */
  readonly addresses: readonly string[];
  /** Of UDP and TCP alike. */
  readonly port: number;
};
