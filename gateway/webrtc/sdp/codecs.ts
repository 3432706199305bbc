/** Codecs of an m-line, and which of them we and a peer have in common. Pure. */

import type { types } from 'mediasoup';
import type { MediaDescription } from 'sdp-transform';
import { sdpLimits } from './limits.ts';
import { refusal } from './lines.ts';
import type { MediaKind } from './types.ts';

/** Payload types that need no rtpmap: RFC 3551, 6. */
const staticCodecs: ReadonlyMap<number, { readonly codec: string; readonly rate: number; readonly encoding?: number }> =
  new Map([
    [0, { codec: 'PCMU', rate: 8_000 }],
    [8, { codec: 'PCMA', rate: 8_000 }],
  ]);

const feedbackWord = /^[\w-]{1,32}$/;

/** In the order of the m-line. What has no name is left out. @throws AppError invalid_argument  there are too many of something */
export function codecsOf(line: MediaDescription, kind: MediaKind): types.RtpCodecCapability[] {
  const { codecsPerMediaMax } = sdpLimits;
  const payloads = String(line.payloads ?? '').split(' ', codecsPerMediaMax + 1);
  if (payloads.length > codecsPerMediaMax || line.rtp.length > codecsPerMediaMax) throw refusal('too many codecs');
  const names = new Map(line.rtp.map((entry) => [entry.payload, entry]));
  const formats = new Map(line.fmtp.map(({ payload, config }) => [payload, String(config)]));
  const feedback = feedbackOf(line);
  const found = new Map<number, types.RtpCodecCapability>();
  for (const text of payloads) {
    const payload = /^\d{1,3}$/.test(text) ? Number(text) : 128;
    const name = names.get(payload) ?? staticCodecs.get(payload);
    const { codec, rate } = name ?? {};
    if (payload > 127 || codec === undefined || !/^[\w.-]{1,32}$/.test(String(codec))) continue;
    if (!Number.isSafeInteger(rate) || Number(rate) < 1) continue;
    const channels = Number(name?.encoding ?? 1);
    found.set(payload, {
      kind,
      mimeType: `${kind}/${codec}`,
      preferredPayloadType: payload,
      clockRate: Number(rate),
      ...(kind === 'audio' ? { channels: channels > 0 && channels <= 8 ? channels : 1 } : {}),
      parameters: parametersOf(formats.get(payload) ?? ''),
      rtcpFeedback: [...(feedback.get('*') ?? []), ...(feedback.get(String(payload)) ?? [])].slice(
        0,
        sdpLimits.feedbackPerCodecMax,
      ),
    });
  }
  return [...found.values()];
}

/** `packetization-mode=1; useinbandfec`, as mediasoup has it: whole numbers are numbers. */
export function parametersOf(config: string): Record<string, string | number> {
  const pairs = config.split(';').flatMap((part): [string, string | number][] => {
    const equals = part.indexOf('=');
    const key = (equals < 0 ? part : part.slice(0, equals)).trim();
    const value = equals < 0 ? '' : part.slice(equals + 1).trim();
    if (!/^[a-z][\w-]{0,63}$/i.test(key)) return [];
    return [[key.toLowerCase(), /^(?:0|[1-9]\d{0,8})$/.test(value) ? Number(value) : value]];
  });
  return Object.fromEntries(pairs.slice(0, 64));
}

export function parametersText(parameters: Readonly<Record<string, unknown>> | undefined): string {
  return Object.entries(parameters ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => (value === '' ? key : `${key}=${String(value)}`))
    .join(';');
}

/** Lower case, without the kind: `h264`. */
export function codecName({ mimeType }: Pick<types.RtpCodecCapability, 'mimeType'>): string {
  return mimeType.slice(mimeType.indexOf('/') + 1).toLowerCase();
}

/**
 * The peer's H.264 that we and it use, undefined when it has none in pieces (packetization-mode 1). Constrained baseline is preferred,
 * since whoever decodes other profiles decodes them under this name too, and a browser lists first what it likes to encode.
 * One without the parameter is taken last: GStreamer leaves it out and understands both.
 */
export function h264Of(codecs: readonly types.RtpCodecCapability[]): types.RtpCodecCapability | undefined {
  const all = codecs.filter((codec) => codecName(codec) === 'h264' && codec.clockRate === 90_000);
  const inPieces = all.filter(({ parameters }) => parameters?.['packetization-mode'] === 1);
  const isBaseline = ({ parameters }: types.RtpCodecCapability) =>
    /^42[ce]0/i.test(String(parameters?.['profile-level-id'] ?? ''));
  return (
    inPieces.find(isBaseline) ??
    inPieces[0] ??
    all.find(({ parameters }) => parameters?.['packetization-mode'] === undefined)
  );
}

/** The peer's retransmissions of that codec, under a payload type of their own. */
export function rtxOf(
  codecs: readonly types.RtpCodecCapability[],
  codec: types.RtpCodecCapability,
): types.RtpCodecCapability | undefined {
  return codecs.find((rtx) => codecName(rtx) === 'rtx' && rtx.parameters?.apt === codec.preferredPayloadType);
}

/** The peer's codec of a name, as it is said in RTP: Opus is always 48000/2. */
export function codecOf(
  codecs: readonly types.RtpCodecCapability[],
  name: 'h264' | 'opus' | 'pcmu' | 'pcma',
): types.RtpCodecCapability | undefined {
  if (name === 'h264') return h264Of(codecs);
  const [clockRate, channels] = name === 'opus' ? [48_000, 2] : [8_000, 1];
  return codecs.find(
    (codec) => codecName(codec) === name && codec.clockRate === clockRate && (codec.channels ?? 1) === channels,
  );
}

/** What both say, in the first one's order. */
export function sharedFeedback(
  first: readonly types.RtcpFeedback[] | undefined,
  second: readonly types.RtcpFeedback[] | undefined,
): types.RtcpFeedback[] {
  const isSame = (a: types.RtcpFeedback, b: types.RtcpFeedback) =>
    a.type === b.type && (a.parameter ?? '') === (b.parameter ?? '');
  return (first ?? []).filter((one) => (second ?? []).some((other) => isSame(one, other)));
}

function feedbackOf({ rtcpFb }: MediaDescription): Map<string, types.RtcpFeedback[]> {
  const { codecsPerMediaMax, feedbackPerCodecMax } = sdpLimits;
  const all = rtcpFb ?? [];
  if (all.length > codecsPerMediaMax * feedbackPerCodecMax) throw refusal('too much RTCP feedback');
  const found = new Map<string, types.RtcpFeedback[]>();
  for (const { payload, type, subtype } of all) {
    const parameter = subtype === undefined ? '' : String(subtype);
    if (!feedbackWord.test(String(type)) || (parameter !== '' && !feedbackWord.test(parameter))) continue;
    const known = found.get(String(payload)) ?? [];
    known.push({ type: String(type), parameter });
    found.set(String(payload), known);
  }
  return found;
}
