/** Answers to offers of viewers and publishers. The peer's m-lines stay in their order; what is not taken is rejected by port 0. Pure. */

import type { types } from 'mediasoup';
import { codecName, sharedFeedback } from './codecs.ts';
import type { OwnTransport, PeerDescription, PeerMedia } from './types.ts';
import { type OwnMedia, type RejectedMedia, writeDescription } from './write.ts';

export type AnswerOptions = OwnTransport & {
  readonly offer: PeerDescription;
  /** Digits. */
  readonly sessionId: string;
};

/**
 * Our answer to a viewer.
 * @param answer.sends   by mid: the `rtpParameters` of the consumer that the line gets
 * @param answer.stream  what players name the whole: letters, digits, dots, dashes
 */
export function whepAnswer(
  answer: AnswerOptions & { readonly sends: ReadonlyMap<string, types.RtpParameters>; readonly stream: string },
): string {
  return write(answer, answer.stream, (line) => {
    const sends = answer.sends.get(line.mid);
    return sends === undefined ? undefined : sendingLine(line, sends);
  });
}

/**
 * Our answer to a publisher.
 * @param answer.receives  by mid: the parameters that the line's producer was made with
 * @param answer.refusals  by mid: why a line was not taken; stands in the answer as its title
 */
export function whipAnswer(
  answer: AnswerOptions & {
    readonly receives: ReadonlyMap<string, types.RtpParameters>;
    readonly refusals?: ReadonlyMap<string, string>;
  },
): string {
  return write(answer, 'weir', (line) => {
    const receives = answer.receives.get(line.mid);
    return receives === undefined ? undefined : receivingLine(line, receives);
  });
}

/** One transport: of lines that no BUNDLE joins, the first that could be taken is the only one. */
export function takenLines(offer: PeerDescription, isWanted: (line: PeerMedia) => boolean): PeerMedia[] {
  const usable = offer.media.filter((line) => !line.isRejected && line.hasRtcpMux && isWanted(line));
  return usable.filter((line) => line === usable[0] || (line.isBundled && usable[0]?.isBundled === true));
}

function write(
  { offer, sessionId, refusals, ...own }: AnswerOptions & { readonly refusals?: ReadonlyMap<string, string> },
  msid: string,
  lineOf: (line: PeerMedia) => OwnMedia | undefined,
): string {
  const { iceParameters, dtlsParameters, addresses, port } = own;
  return writeDescription({
    ...{ iceParameters, dtlsParameters, addresses, port, sessionId, msid },
    sessionVersion: 1,
    setup: offer.dtls.role === 'client' ? 'passive' : 'active',
    areCandidatesInside: true,
    media: offer.media.map((line) => lineOf(line) ?? rejected(line, refusals?.get(line.mid))),
  });
}

function rejected({ mid, mediaType, protocol, format }: PeerMedia, why: string | undefined): RejectedMedia {
  return { mid, mediaType, protocol, format, isRejected: true, why };
}

function sendingLine(line: PeerMedia, sends: types.RtpParameters): OwnMedia {
  const { mid, mediaType, protocol } = line;
  const encoding = sends.encodings?.[0];
  return {
    ...{ mid, mediaType, protocol, direction: 'sendonly' },
    codecs: sends.codecs.map((codec) => withTheirParameters(codec, line)),
    headerExtensions: sends.headerExtensions ?? [],
    sends:
      encoding?.ssrc === undefined
        ? undefined
        : { ssrc: encoding.ssrc, rtxSsrc: encoding.rtx?.ssrc, cname: sends.rtcp?.cname ?? 'weir' },
  };
}

function receivingLine(line: PeerMedia, receives: types.RtpParameters): OwnMedia {
  const { mid, mediaType, protocol } = line;
  return {
    ...{ mid, mediaType, protocol, direction: 'recvonly' },
    codecs: receives.codecs.map((codec) => withTheirParameters(codec, line)),
    headerExtensions: receives.headerExtensions ?? [],
    sends: undefined,
  };
}

/** Parameters as the peer wrote them under that payload type: of profiles and levels it knows its own best. */
function withTheirParameters(codec: types.RtpCodecParameters, line: PeerMedia): types.RtpCodecParameters {
  const theirs = line.codecs.find(({ preferredPayloadType }) => preferredPayloadType === codec.payloadType);
  const wanted = codecName(codec) === 'h264' ? h264Parameters : opusParameters;
  const parameters = codecName(codec) === 'rtx' ? (codec.parameters ?? {}) : pick(theirs?.parameters, wanted);
  return {
    ...codec,
    mimeType: theirs?.mimeType ?? codec.mimeType,
    parameters,
    rtcpFeedback: sharedFeedback(codec.rtcpFeedback, theirs?.rtcpFeedback),
  };
}

const h264Parameters = ['level-asymmetry-allowed', 'packetization-mode', 'profile-level-id'];
const opusParameters = ['minptime', 'useinbandfec', 'stereo', 'sprop-stereo'];

function pick(parameters: Record<string, unknown> | undefined, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = parameters?.[name];
      const isPlain = typeof value === 'number' || (typeof value === 'string' && /^[\w.-]{1,64}$/.test(value));
      return isPlain ? [[name, value]] : [];
    }),
  );
}
