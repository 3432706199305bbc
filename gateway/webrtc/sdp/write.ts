/** Descriptions of ours. Pure. */

import type { types } from 'mediasoup';
import { type SessionDescription, write } from 'sdp-transform';
import { must } from '../../../storage/base/assert.ts';
import { candidatesOf } from './candidates.ts';
import { codecName, parametersText } from './codecs.ts';
import type { MediaDirection, OwnTransport, PeerMedia } from './types.ts';

/** An m-line of ours that has media. */
export type OwnMedia = {
  readonly mid: string;
  readonly mediaType: string;
  readonly protocol: string;
  /** As we see it. */
  readonly direction: MediaDirection;
  readonly codecs: readonly types.RtpCodecParameters[];
  readonly headerExtensions: readonly { readonly uri: string; readonly id: number }[];
  /** What we send under. */
  readonly sends: { readonly ssrc: number; readonly rtxSsrc?: number | undefined; readonly cname: string } | undefined;
};

export type OwnDescription = OwnTransport & {
  readonly sessionId: string;
  readonly sessionVersion: number;
  readonly setup: 'actpass' | 'active' | 'passive';
  /** Name of the stream that tracks of one picture and its sound have in common. */
  readonly msid: string;
  readonly areCandidatesInside: boolean;
  readonly media: readonly (OwnMedia | RejectedMedia)[];
};

export type RejectedMedia = Pick<PeerMedia, 'mid' | 'mediaType' | 'protocol' | 'format'> & {
  readonly isRejected: true;
  /** A sentence for people, as the line's title. */
  readonly why: string | undefined;
};

/** Browsers list it themselves; the one that all of them have. */
const fingerprintAlgorithm = 'sha-256';

export function writeDescription(own: OwnDescription): string {
  const accepted = own.media.filter((line) => !('isRejected' in line));
  const fingerprint = must(
    own.dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === fingerprintAlgorithm),
    'mediasoup hashes its certificate by sha-256',
  );
  const description: SessionDescription = {
    version: 0,
    origin: {
      ...{ username: '-', sessionId: own.sessionId, sessionVersion: own.sessionVersion },
      ...{ netType: 'IN', ipVer: 4, address: '127.0.0.1' },
    },
    name: '-',
    timing: { start: 0, stop: 0 },
    icelite: 'ice-lite',
    ...(accepted.length === 0 ? {} : { groups: [{ type: 'BUNDLE', mids: accepted.map(({ mid }) => mid).join(' ') }] }),
    media: own.media.map((line) => {
      const connection = { version: 4, ip: '0.0.0.0' };
      const { mid, mediaType: type, protocol } = line;
      if ('isRejected' in line) {
        const direction = 'inactive' as const;
        const title = line.why === undefined ? {} : { description: `refused: ${line.why}` };
        return {
          type,
          port: 0,
          protocol,
          payloads: line.format,
          ...title,
          connection,
          mid,
          direction,
          rtp: [],
          fmtp: [],
        };
      }
      const isFirst = line === accepted[0];
      return {
        // Never 0: some peers take `bundle-only` for a refusal.
        ...{ type, port: 9, protocol, connection, mid, direction: line.direction },
        ...codecLines(line.codecs),
        ext: line.headerExtensions.map(({ uri, id }) => ({ value: id, uri })),
        iceUfrag: own.iceParameters.usernameFragment,
        icePwd: own.iceParameters.password,
        fingerprint: { type: fingerprint.algorithm, hash: fingerprint.value },
        setup: own.setup,
        rtcpMux: 'rtcp-mux',
        rtcpRsize: 'rtcp-rsize',
        ...sendingLines(line, own.msid),
        // Lines of a bundle have the candidates of its first.
        ...(isFirst && own.areCandidatesInside
          ? { candidates: candidatesOf(own), endOfCandidates: 'end-of-candidates' as const }
          : {}),
      };
    }),
  };
  return write(description);
}

function codecLines(codecs: readonly types.RtpCodecParameters[]) {
  return {
    payloads: codecs.map(({ payloadType }) => payloadType).join(' '),
    rtp: codecs.map(({ payloadType: payload, mimeType, clockRate: rate, channels }) => ({
      ...{ payload, codec: mimeType.slice(mimeType.indexOf('/') + 1), rate },
      ...(channels === undefined || channels < 2 ? {} : { encoding: channels }),
    })),
    fmtp: codecs
      .map(({ payloadType: payload, parameters }) => ({ payload, config: parametersText(parameters) }))
      .filter(({ config }) => config !== ''),
    rtcpFb: codecs.flatMap(({ payloadType: payload, rtcpFeedback }) =>
      (rtcpFeedback ?? []).map(({ type, parameter }) => ({
        ...{ payload, type },
        ...(parameter === undefined || parameter === '' ? {} : { subtype: parameter }),
      })),
    ),
  };
}

function sendingLines({ mediaType, sends, codecs }: OwnMedia, msid: string) {
  if (sends === undefined) return {};
  const { ssrc, rtxSsrc, cname } = sends;
  const rtx = codecs.some((codec) => codecName(codec) === 'rtx') ? rtxSsrc : undefined;
  return {
    msid: [{ id: msid, appdata: mediaType }],
    ...(rtx === undefined ? {} : { ssrcGroups: [{ semantics: 'FID', ssrcs: `${ssrc} ${rtx}` }] }),
    ssrcs: [ssrc, ...(rtx === undefined ? [] : [rtx])].map((id) => ({ id, attribute: 'cname', value: cname })),
  };
}
