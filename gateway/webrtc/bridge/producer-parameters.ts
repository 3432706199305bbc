/** Our tracks in the words of mediasoup. Pure. */

import type { types } from 'mediasoup';
import type { RtpFormat } from '../../rtp/index.ts';
import type { ViewerCodec } from './watched.ts';

/** How a producer is described, or undefined for what WebRTC does not carry as it is. */
export function producerOptionsOf(format: RtpFormat, ssrc: number): types.ProducerOptions | undefined {
  const codec = codecOf(format);
  if (codec === undefined) return undefined;
  const { kind, payloadType } = format;
  return {
    kind,
    rtpParameters: { codecs: [{ ...codec, payloadType }], encodings: [{ ssrc }], rtcp: { cname: 'weir' } },
  };
}

/** The name by which viewers say that they take a track, or undefined for what WebRTC does not carry as it is. */
export function viewerCodecOf(format: RtpFormat): ViewerCodec | undefined {
  if (codecOf(format) === undefined || format.codec === 'aac' || format.codec === 'h265') return undefined;
  return format.codec;
}

function codecOf({ codec, clockHz, track }: RtpFormat): Omit<types.RtpCodecParameters, 'payloadType'> | undefined {
  const channels = track.audio?.channels ?? 1;
  switch (codec) {
    case 'h264':
      // Whatever the profile: browsers decode more than they declare, and this is what all of them declare. Without feedback:
      // a camera makes no key frame because a viewer lost a packet.
      return {
        ...{ mimeType: 'video/H264', clockRate: clockHz },
        parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 },
      };
    case 'opus':
      return {
        ...{ mimeType: 'audio/opus', clockRate: clockHz, channels: 2 },
        parameters: channels === 2 ? { 'sprop-stereo': 1 } : {},
      };
    case 'pcmu':
    case 'pcma':
      // RFC 7874 3: browsers take these two at 8 kHz, mono.
      if (clockHz !== 8_000 || channels !== 1) return undefined;
      return { mimeType: `audio/${codec.toUpperCase()}`, clockRate: clockHz, channels: 1 };
    case 'aac':
    case 'h265':
      return undefined;
  }
}
