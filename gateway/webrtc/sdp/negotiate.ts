/** From what a peer says to what mediasoup is given: for `transport.produce` and `transport.consume`. Pure. */

import type { types } from 'mediasoup';
import * as ortc from 'mediasoup/ortc';
import { appError } from '../../../storage/base/errors.ts';
import { codecName, codecOf, rtxOf, sharedFeedback } from './codecs.ts';
import { sdpLimits } from './limits.ts';
import type { PeerMedia } from './types.ts';

/** Codecs that the media plane's routers have. */
export type PlayableCodec = 'h264' | 'opus' | 'pcmu' | 'pcma';
const playableCodecs: readonly PlayableCodec[] = ['h264', 'opus', 'pcmu', 'pcma'];

const midUri = 'urn:ietf:params:rtp-hdrext:sdes:mid';

/** Under which payload types the peer takes what we could send it. */
export function payloadTypesOf(media: Pick<PeerMedia, 'codecs'>): Map<PlayableCodec, number> {
  const found = new Map<PlayableCodec, number>();
  for (const name of playableCodecs) {
    const payloadType = codecOf(media.codecs, name)?.preferredPayloadType;
    if (payloadType !== undefined) found.set(name, payloadType);
  }
  return found;
}

/**
 * What a line that sends is received as: for `transport.produce`. Of H.264 or Opus, whichever the line's kind has.
 *
 * @param capabilities  the router's
 * @throws AppError invalid_argument  it sends neither
 */
export function producerParameters(media: PeerMedia, capabilities: types.RtpCapabilities): types.RtpParameters {
  const { mid, kind, encoding, cname } = media;
  const name = kind === 'video' ? 'h264' : 'opus';
  const codec = codecOf(media.codecs, name);
  const own = codecOf(capabilities.codecs ?? [], name);
  if (codec === undefined || own === undefined) {
    const what = kind === 'video' ? 'H.264 (packetization-mode 1)' : 'Opus';
    throw appError('invalid_argument', `the ${kind} line has no ${what}`);
  }
  const rtx = kind === 'video' ? rtxOf(media.codecs, codec) : undefined;
  const headerExtensions = media.headerExtensions.filter(({ uri }) => canReceive(capabilities, kind, uri));
  const hasMid = headerExtensions.some(({ uri }) => uri === midUri);
  const parameters: types.RtpParameters = {
    // Packets without a known SSRC are told by it; of a longer one than packets can carry nothing is told.
    ...(Buffer.byteLength(mid) <= sdpLimits.midBytesInPacketsMax ? { mid } : {}),
    codecs: [
      // Profiles are between the peer and its decoder: mediasoup looks at none of them, and knows one.
      received(codec, own, kind === 'video' ? (own.parameters ?? {}) : opusParameters(codec)),
      ...(rtx === undefined ? [] : [received(rtx, rtx, { apt: codec.preferredPayloadType })]),
    ],
    headerExtensions: headerExtensions.map(({ uri, id }) => ({ uri, id })),
    encodings: [encodingFor(encoding, rtx)],
    rtcp: { reducedSize: true, ...(cname === undefined ? {} : { cname }) },
  };
  if (encoding === undefined && !(hasMid && parameters.mid !== undefined)) {
    throw appError('invalid_argument', `the ${kind} line says neither SSRC nor mid of its packets`);
  }
  ortc.getProducerRtpParametersMapping(structuredClone(parameters), capabilities);
  return parameters;
}

/**
 * What a line that receives can be sent: for `transport.consume` with `enableRtx` on. Of our codecs those that the peer has under the
 * same payload type: routers that speak as the peer does see to that.
 */
export function receiverCapabilities(media: PeerMedia, capabilities: types.RtpCapabilities): types.RtpCapabilities {
  const { kind } = media;
  const codecs = (capabilities.codecs ?? []).flatMap((own): types.RtpCodecCapability[] => {
    const name = codecName(own);
    const isRtx = name === 'rtx';
    const theirs = isRtx
      ? media.codecs.find(
          (codec) =>
            codecName(codec) === name &&
            codec.preferredPayloadType === own.preferredPayloadType &&
            codec.parameters?.apt === own.parameters?.apt,
        )
      : playableCodecs.includes(name as PlayableCodec)
        ? codecOf(media.codecs, name as PlayableCodec)
        : undefined;
    if (own.kind !== kind || theirs?.preferredPayloadType !== own.preferredPayloadType) return [];
    return [{ ...own, rtcpFeedback: sharedFeedback(own.rtcpFeedback, theirs.rtcpFeedback) }];
  });
  return {
    codecs,
    // One whose number is another's here would be misread there. mediasoup lets through those that agree.
    headerExtensions: media.headerExtensions.flatMap(({ uri, id }) =>
      kind === undefined ? [] : [{ kind, uri, preferredId: id }],
    ),
  };
}

function canReceive(
  { headerExtensions }: types.RtpCapabilities,
  kind: PeerMedia['kind'],
  uri: types.RtpHeaderExtensionUri,
): boolean {
  return (headerExtensions ?? []).some(
    (own) => own.kind === kind && own.uri === uri && (own.direction === 'sendrecv' || own.direction === 'recvonly'),
  );
}

function received(
  codec: types.RtpCodecCapability,
  own: types.RtpCodecCapability,
  parameters: Record<string, unknown>,
): types.RtpCodecParameters {
  const { mimeType, clockRate, channels, preferredPayloadType = 0 } = codec;
  return {
    ...{ mimeType, clockRate, payloadType: preferredPayloadType, parameters },
    ...(channels === undefined ? {} : { channels }),
    rtcpFeedback: sharedFeedback(own.rtcpFeedback, codec.rtcpFeedback),
  };
}

/** Whether a second channel is worth anything stands there. */
function opusParameters({ parameters }: types.RtpCodecCapability): Record<string, unknown> {
  const { stereo, 'sprop-stereo': spropStereo } = parameters ?? {};
  return {
    ...(stereo === undefined ? {} : { stereo }),
    ...(spropStereo === undefined ? {} : { 'sprop-stereo': spropStereo }),
  };
}

function encodingFor(
  encoding: PeerMedia['encoding'],
  rtx: types.RtpCodecCapability | undefined,
): types.RtpEncodingParameters {
  if (encoding === undefined) return {};
  const { ssrc, rtxSsrc } = encoding;
  return rtx === undefined || rtxSsrc === undefined ? { ssrc } : { ssrc, rtx: { ssrc: rtxSsrc } };
}
