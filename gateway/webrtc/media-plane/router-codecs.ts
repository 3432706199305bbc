/** What every router takes and gives. */

import type { types } from 'mediasoup';
import type { PayloadTypes } from './types.ts';

/**
 * H.264 by one profile for all: browsers decode more than they declare, and constrained baseline is what every one of them declares.
 * H.265 is no codec of mediasoup.
 */
export const routerCodecs: types.RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
  { kind: 'audio', mimeType: 'audio/PCMU', clockRate: 8_000, channels: 1 },
  { kind: 'audio', mimeType: 'audio/PCMA', clockRate: 8_000, channels: 1 },
  {
    ...{ kind: 'video', mimeType: 'video/H264', clockRate: 90_000 },
    parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 },
  },
];

/**
 * Of those the ones that are named, under payload types of others' choice: an unnamed one could be given a number that is another's.
 * H.264 stays last, since mediasoup takes a number for its retransmissions that is free then.
 */
export function codecsSpeaking(payloadTypes: PayloadTypes): types.RouterRtpCodecCapability[] {
  return routerCodecs.flatMap((codec) => {
    const name = codec.mimeType.slice(codec.mimeType.indexOf('/') + 1).toLowerCase() as keyof PayloadTypes;
    const preferredPayloadType = payloadTypes[name];
    return preferredPayloadType === undefined ? [] : [{ ...codec, preferredPayloadType }];
  });
}
