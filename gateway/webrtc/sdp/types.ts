/** What a peer's session description says, once read: everything checked and bounded. */

import type { types } from 'mediasoup';

export type MediaKind = 'audio' | 'video';
export type MediaDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** A peer's offer or answer. */
export type PeerDescription = {
  readonly ice: { readonly usernameFragment: string; readonly password: string };
  /** For `transport.connect()`: `role` is the peer's. A peer that offers `actpass` becomes the client by our answers. */
  readonly dtls: types.DtlsParameters;
  /** In the order of their m-lines, rejected and unknown ones too. */
  readonly media: readonly PeerMedia[];
  /** How many there were: for the log. */
  readonly candidates: number;
};

/** One m-line. */
export type PeerMedia = {
  readonly mid: string;
  /** Undefined for data channels and what we do not know: such a line is rejected. */
  readonly kind: MediaKind | undefined;
  /** As the m-line had them, for answers that repeat them; `format` is the first of its payload types. */
  readonly mediaType: string;
  readonly protocol: string;
  readonly format: string;
  /** Port 0 without `bundle-only`: the peer itself wants nothing of it. */
  readonly isRejected: boolean;
  readonly isBundled: boolean;
  /** RTP and RTCP on one port: nothing else is taken. */
  readonly hasRtcpMux: boolean;
  /** As the peer sees it. */
  readonly direction: MediaDirection;
  /** In the peer's order of preference, with its payload types as `preferredPayloadType`. */
  readonly codecs: readonly types.RtpCodecCapability[];
  readonly headerExtensions: readonly { readonly uri: types.RtpHeaderExtensionUri; readonly id: number }[];
  /** What it sends under: of several (simulcast by SSRC) the first. Absent: the mid in its packets tells. */
  readonly encoding: { readonly ssrc: number; readonly rtxSsrc?: number } | undefined;
  readonly cname: string | undefined;
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
