/**
 * Session descriptions (RFC 4566) as cameras write them. Only the lines that matter to us are read, each on its own, so that
 * a broken line costs nothing but itself: `o=` without an address (Uniview), a negative port or binary rubbish in `c=` (Tuya),
 * `a=fmtp` for a payload type that is not in use (HIK Media Server), attributes without a value.
 */

import { rtspLimits } from '../limits.ts';
import { printable } from './message.ts';

export type MediaFormat = {
  readonly payloadType: number;
  /** Upper case encoding name; empty when nothing tells it. */
  readonly encoding: string;
  /** 0 when nothing tells it. */
  readonly clockRateHz: number;
  readonly channels: number;
  /** `a=fmtp`, names in lower case; values keep their case. */
  readonly parameters: ReadonlyMap<string, string>;
};

export type MediaDescription = {
  /** `video`, `audio`, `application`, ... */
  readonly kind: string;
  readonly protocol: string;
  readonly control: string | undefined;
  /** In the order of preference of the m= line, which may be empty. */
  readonly formats: readonly MediaFormat[];
  /** sendonly marks the back channel to a camera's loudspeaker (ONVIF streaming 5.3). */
  readonly direction: 'recvonly' | 'sendonly' | 'sendrecv' | 'inactive' | undefined;
};

export type SessionDescription = {
  readonly control: string | undefined;
  readonly name: string | undefined;
  readonly medias: readonly MediaDescription[];
};

type RtpMap = { encoding: string; clockRateHz: number; channels: number };
type OpenMedia = {
  kind: string;
  protocol: string;
  payloadTypes: number[];
  control: string | undefined;
  direction: MediaDescription['direction'];
  maps: Map<number, RtpMap>;
  formatParameters: Map<number, Map<string, string>>;
};

/** Payload types that need no rtpmap (RFC 3551). */
const staticFormats: Readonly<Record<number, RtpMap>> = {
  0: { encoding: 'PCMU', clockRateHz: 8000, channels: 1 },
  3: { encoding: 'GSM', clockRateHz: 8000, channels: 1 },
  8: { encoding: 'PCMA', clockRateHz: 8000, channels: 1 },
  9: { encoding: 'G722', clockRateHz: 8000, channels: 1 },
  10: { encoding: 'L16', clockRateHz: 44100, channels: 2 },
  11: { encoding: 'L16', clockRateHz: 44100, channels: 1 },
  14: { encoding: 'MPA', clockRateHz: 90000, channels: 1 },
  26: { encoding: 'JPEG', clockRateHz: 90000, channels: 1 },
  32: { encoding: 'MPV', clockRateHz: 90000, channels: 1 },
  33: { encoding: 'MP2T', clockRateHz: 90000, channels: 1 },
};

/** Reads what it can and never throws; a text without any `m=` line has no medias. */
export function parseSdp(text: string): SessionDescription {
  const medias: OpenMedia[] = [];
  let control: string | undefined;
  let name: string | undefined;
  for (const raw of text.split(/\r\n|\n|\r/)) {
    const line = raw.trim();
    const value = line.slice(2).trim();
    if (line.startsWith('m=')) {
      if (medias.length >= rtspLimits.mediasMax) break;
      medias.push(openMedia(value));
      continue;
    }
    if (line.startsWith('s=')) name = value;
    if (!line.startsWith('a=')) continue;
    const media = medias.at(-1);
    if (media !== undefined) readAttribute(media, value);
    else if (value.toLowerCase().startsWith('control:')) control = value.slice('control:'.length).trim();
  }
  return { control: control === '' ? undefined : control, name, medias: medias.map(closeMedia) };
}

function openMedia(value: string): OpenMedia {
  const [kind = '', _port, protocol = '', ...formats] = value.split(/\s+/);
  return {
    kind: kind.toLowerCase(),
    protocol: protocol.toUpperCase(),
    payloadTypes: formats
      .filter((text) => /^\d{1,3}$/.test(text))
      .map(Number)
      .slice(0, 64),
    control: undefined,
    direction: undefined,
    maps: new Map(),
    formatParameters: new Map(),
  };
}

function readAttribute(media: OpenMedia, value: string): void {
  const colon = value.indexOf(':');
  const name = (colon === -1 ? value : value.slice(0, colon)).trim().toLowerCase();
  const rest = colon === -1 ? '' : value.slice(colon + 1).trim();
  switch (name) {
    case 'control':
      media.control ??= rest === '' ? undefined : rest;
      break;
    case 'rtpmap': {
      const map = /^(\d{1,3})\s+([^/\s]+)(?:\s*\/\s*(\d+))?(?:\s*\/\s*(\d+))?/.exec(rest);
      if (map === null) break;
      const [, payloadType = '', encoding = '', rate = '0', channels = '1'] = map;
      media.maps.set(Number(payloadType), {
        encoding: printable(encoding).slice(0, 32).toUpperCase(),
        clockRateHz: Number(rate),
        channels: Math.max(1, Number(channels)),
      });
      break;
    }
    case 'fmtp': {
      const parameters = /^(\d{1,3})\s+(.*)$/.exec(rest);
      if (parameters !== null) media.formatParameters.set(Number(parameters[1]), parseParameters(parameters[2] ?? ''));
      break;
    }
    case 'recvonly':
    case 'sendonly':
    case 'sendrecv':
    case 'inactive':
      media.direction = name;
      break;
  }
}

/** `a=b; c = "d";e`: split at semicolons, since base64 values end in `=` and hold no semicolon. */
function parseParameters(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const part of text.split(';')) {
    const equals = part.indexOf('=');
    const name = (equals === -1 ? part : part.slice(0, equals)).trim().toLowerCase();
    if (name === '') continue;
    const value = equals === -1 ? '' : part.slice(equals + 1).trim();
    if (!parameters.has(name)) parameters.set(name, value.replace(/^"(.*)"$/, '$1'));
  }
  return parameters;
}

function closeMedia(media: OpenMedia): MediaDescription {
  // An m= line without payload types happens; the rtpmap lines then say what there is.
  const payloadTypes = media.payloadTypes.length > 0 ? media.payloadTypes : [...media.maps.keys()];
  const [anyParameters] = media.formatParameters.values();
  const isSingle = payloadTypes.length === 1 && media.formatParameters.size === 1;
  const formats = payloadTypes.map((payloadType): MediaFormat => {
    const [onlyMap] = media.maps.values();
    const map =
      media.maps.get(payloadType) ??
      staticFormats[payloadType] ??
      (payloadTypes.length === 1 && media.maps.size === 1 ? onlyMap : undefined);
    return {
      payloadType,
      encoding: map?.encoding ?? '',
      clockRateHz: map?.clockRateHz ?? 0,
      channels: map?.channels ?? 1,
      // One format and one fmtp belong together, whatever number the camera wrote.
      parameters: media.formatParameters.get(payloadType) ?? (isSingle ? anyParameters : undefined) ?? new Map(),
    };
  });
  return {
    kind: media.kind,
    protocol: media.protocol,
    control: media.control,
    formats,
    direction: media.direction,
  };
}
