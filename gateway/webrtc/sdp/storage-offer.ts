/**
 * Offers of ours, for KVS storage sessions: the gateway is the controlling side of the negotiation there, and ICE-lite all the same.
 * Pure.
 */

import type { types } from 'mediasoup';
import { codecName } from './codecs.ts';
import type { MediaDirection, MediaKind, OwnTransport } from './types.ts';
import { type OwnMedia, writeDescription } from './write.ts';

/** An m-line that we offer. */
export type OfferedMedia = {
  readonly mid: string;
  readonly kind: MediaKind;
  /** As we see it: what the master sends is `recvonly`. */
  readonly direction: MediaDirection;
  /** What may be received and sent: the router's, whole; codecs that this line's session takes are H.264 or Opus. */
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

/** Both lines have port 9 and are bundled; what AWS does with port 0 and `bundle-only` some clients take for a refusal. */
export function storageOffer(offer: StorageOffer): string {
  const { media, ...own } = offer;
  return writeDescription({
    ...own,
    setup: 'actpass',
    msid: 'weir',
    media: media.map((line): OwnMedia => {
      const encoding = line.sends?.encodings?.[0];
      return {
        mid: line.mid,
        mediaType: line.kind,
        protocol: 'UDP/TLS/RTP/SAVPF',
        direction: line.direction,
        codecs: offeredCodecs(line),
        headerExtensions: offeredExtensions(line),
        sends:
          encoding?.ssrc === undefined
            ? undefined
            : { ssrc: encoding.ssrc, rtxSsrc: encoding.rtx?.ssrc, cname: line.sends?.rtcp?.cname ?? 'weir' },
      };
    }),
  });
}

function offeredCodecs({ kind, capabilities }: OfferedMedia): types.RtpCodecParameters[] {
  const wanted = kind === 'video' ? ['h264', 'rtx'] : ['opus'];
  return (capabilities.codecs ?? [])
    .filter((codec) => codec.kind === kind && wanted.includes(codecName(codec)))
    .map(({ mimeType, preferredPayloadType, clockRate, channels, parameters, rtcpFeedback }) => ({
      ...{ mimeType, payloadType: preferredPayloadType, clockRate },
      ...(channels === undefined ? {} : { channels }),
      parameters: codecName({ mimeType }) === 'opus' ? { minptime: 10, useinbandfec: 1 } : (parameters ?? {}),
      rtcpFeedback: rtcpFeedback ?? [],
    }));
}

/** Of both directions: what only one side can use the other leaves out of its answer. */
function offeredExtensions({ kind, capabilities, direction }: OfferedMedia): { uri: string; id: number }[] {
  const isSimulcast = (uri: string) => uri.endsWith('rtp-stream-id') || uri.includes('dependency-descriptor');
  const isOurs = (uri: string) => uri.startsWith('urn:mediasoup:');
  return (capabilities.headerExtensions ?? [])
    .filter((extension) => extension.kind === kind && !isSimulcast(extension.uri) && !isOurs(extension.uri))
    .filter((extension) => extension.direction === 'sendrecv' || direction !== 'sendonly')
    .map(({ uri, preferredId }) => ({ uri, id: preferredId }));
}
