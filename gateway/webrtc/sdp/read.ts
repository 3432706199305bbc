/** Peers' offers and answers, read into what sessions work with. Pure; throws nothing but `invalid_argument`. */

import type { types } from 'mediasoup';
import { type MediaDescription, parse, type SessionDescription } from 'sdp-transform';
import { codecsOf } from './codecs.ts';
import { sdpLimits } from './limits.ts';
import { readLines, refusal } from './lines.ts';
import type { OfferedMedia } from './storage-offer.ts';
import type { MediaDirection, MediaKind, PeerDescription, PeerMedia } from './types.ts';

const iceCharacters = /^[\w+/=-]+$/;
const midPattern = /^[!#$%&'*+.^`{|}~\w-]+$/;
const directions: readonly string[] = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];
/** Hexadecimal digits of each, RFC 8122. */
const fingerprintBytes: ReadonlyMap<string, number> = new Map([
  ['sha-1', 20],
  ['sha-224', 28],
  ['sha-256', 32],
  ['sha-384', 48],
  ['sha-512', 64],
]);

/**
 * An offer of a peer.
 * @throws AppError invalid_argument  says what is wrong with it
 */
export function readOffer(text: string): PeerDescription {
  return readDescription(text, 'offer');
}

/**
 * A peer's answer to an offer of ours.
 * @param offered  its m-lines, which the answer's must be
 * @throws AppError invalid_argument  says what is wrong with it
 */
export function readAnswer(text: string, offered: readonly Pick<OfferedMedia, 'mid' | 'kind'>[]): PeerDescription {
  const answer = readDescription(text, 'answer');
  const isOurs = answer.media.every(({ mid, kind }, i) => mid === offered[i]?.mid && kind === offered[i]?.kind);
  if (answer.media.length !== offered.length || !isOurs) throw refusal('its m-lines are not those of the offer');
  return answer;
}

function readDescription(text: string, role: 'offer' | 'answer'): PeerDescription {
  const lines = readLines(text);
  const session = parse(lines.text);
  if (session.icelite !== undefined) throw refusal('two sides of ICE-lite would wait for each other');
  const bundled = bundledMids(session);
  const media = session.media.map((line, index) => mediaOf(line, { index, bundled, session }));
  if (new Set(media.map(({ mid }) => mid)).size < media.length) throw refusal('two m-lines have one mid');
  // What is bundled shares the transport of the first line that is there.
  const first = media.findIndex(({ isRejected, kind }) => !isRejected && kind !== undefined);
  const leader = session.media[first];
  if (leader === undefined) throw refusal('it has neither sound nor picture');
  return { ice: iceOf(leader, session), dtls: dtlsOf(leader, session, role), media, candidates: lines.candidates };
}

function mediaOf(
  line: MediaDescription,
  { index, bundled, session }: { index: number; bundled: ReadonlySet<string>; session: SessionDescription },
): PeerMedia {
  const mediaType = String(line.type ?? '');
  const protocol = String(line.protocol ?? '');
  if (!/^[a-z]{1,32}$/i.test(mediaType) || !/^[\w/]{1,64}$/.test(protocol))
    throw refusal(`m-line ${index + 1} is none`);
  const mid = String(line.mid ?? '');
  const { midCharactersMax } = sdpLimits;
  if (!midPattern.test(mid) || mid.length > midCharactersMax) throw refusal(`m-line ${index + 1} has no good "a=mid"`);
  const kind = kindOf(mediaType, protocol);
  const direction = line.direction ?? session.direction ?? 'sendrecv';
  const { encoding, cname } = encodingOf(line);
  return {
    ...{ mid, kind, mediaType, protocol, encoding, cname },
    format: /^\S{1,64}$/.exec(String(line.payloads ?? '').split(' ', 1)[0] ?? '')?.[0] ?? '0',
    isRejected: line.port === 0 && line.bundleOnly === undefined,
    isBundled: bundled.has(mid),
    hasRtcpMux: line.rtcpMux !== undefined,
    direction: directions.includes(direction) ? (direction as MediaDirection) : 'sendrecv',
    codecs: kind === undefined ? [] : codecsOf(line, kind),
    headerExtensions: headerExtensionsOf(line),
  };
}

/** All RTP profiles with feedback over DTLS; old ones are named by the shorter word. */
function kindOf(mediaType: string, protocol: string): MediaKind | undefined {
  if (!/^(?:(?:UDP|TCP)\/TLS\/)?RTP\/SAVPF$/i.test(protocol)) return undefined;
  return mediaType === 'audio' || mediaType === 'video' ? mediaType : undefined;
}

function bundledMids({ groups }: SessionDescription): Set<string> {
  const bundle = groups?.find(({ type }) => type === 'BUNDLE');
  return new Set(String(bundle?.mids ?? '').split(' ', sdpLimits.mediaMax));
}

function iceOf(line: MediaDescription, session: SessionDescription): PeerDescription['ice'] {
  const usernameFragment = String(line.iceUfrag ?? session.iceUfrag ?? '');
  const password = String(line.icePwd ?? session.icePwd ?? '');
  const isGood = (text: string, charactersMin: number) =>
    text.length >= charactersMin && text.length <= sdpLimits.textCharactersMax && iceCharacters.test(text);
  if (!isGood(usernameFragment, 4)) throw refusal('there is no good "a=ice-ufrag"');
  if (!isGood(password, 22)) throw refusal('there is no good "a=ice-pwd"');
  return { usernameFragment, password };
}

function dtlsOf(line: MediaDescription, session: SessionDescription, role: 'offer' | 'answer'): types.DtlsParameters {
  // sdp-transform keeps the last line of a name; several are several hashes of one certificate.
  const { type, hash } = line.fingerprint ?? session.fingerprint ?? { type: '', hash: '' };
  const algorithm = String(type).toLowerCase();
  const bytes = fingerprintBytes.get(algorithm);
  const value = String(hash).toUpperCase();
  if (bytes === undefined) throw refusal('there is no "a=fingerprint" of a hash that is taken (sha-256)');
  if (value.length !== bytes * 3 - 1 || !/^[\dA-F]{2}(?::[\dA-F]{2})*$/.test(value)) {
    throw refusal('the fingerprint is no hash');
  }
  const setup = String(line.setup ?? session.setup ?? '');
  const isClient = setup === 'active' || (setup === 'actpass' && role === 'offer');
  if (!isClient && setup !== 'passive') throw refusal('there is no good "a=setup"');
  return {
    role: isClient ? 'client' : 'server',
    fingerprints: [{ algorithm: algorithm as types.FingerprintAlgorithm, value }],
  };
}

function headerExtensionsOf(line: MediaDescription): PeerMedia['headerExtensions'] {
  const all = line.ext ?? [];
  if (all.length > sdpLimits.headerExtensionsPerMediaMax) throw refusal('too many header extensions');
  return all.flatMap(({ value, uri, 'encrypt-uri': encrypted }) => {
    const id = Number(value);
    if (encrypted !== undefined || !Number.isInteger(id) || id < 1 || id > 255) return [];
    return /^[\x21-\x7e]{1,128}$/.test(String(uri)) ? [{ uri: String(uri) as types.RtpHeaderExtensionUri, id }] : [];
  });
}

function encodingOf(line: MediaDescription): Pick<PeerMedia, 'encoding' | 'cname'> {
  const all = line.ssrcs ?? [];
  const groups = line.ssrcGroups ?? [];
  const { ssrcLinesPerMediaMax, textCharactersMax } = sdpLimits;
  if (all.length > ssrcLinesPerMediaMax || groups.length > ssrcLinesPerMediaMax) throw refusal('too many SSRCs');
  const isSsrc = (id: unknown) => typeof id === 'number' && Number.isInteger(id) && id > 0 && id <= 0xffff_ffff;
  const pairs = groups
    .filter(({ semantics }) => semantics === 'FID')
    .map(({ ssrcs }) => String(ssrcs).split(' ', 3).map(Number));
  const pair = pairs.find((ssrcs) => ssrcs.length === 2 && ssrcs.every(isSsrc));
  const ssrc = pair?.[0] ?? all.find(({ id }) => isSsrc(id))?.id;
  if (ssrc === undefined) return { encoding: undefined, cname: undefined };
  const cname = all.find(({ id, attribute }) => id === ssrc && attribute === 'cname')?.value;
  const isName = cname !== undefined && /^[\x21-\x7e]+$/.test(String(cname));
  return {
    encoding: pair?.[1] === undefined ? { ssrc } : { ssrc, rtxSsrc: pair[1] },
    cname: isName && String(cname).length <= textCharactersMax ? String(cname) : undefined,
  };
}
