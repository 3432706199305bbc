/** The session description that DESCRIBE answers with (RFC 4566, RFC 2326 C). Pure. */

import type { RtpFormat } from '../../rtp/index.ts';
import { trackUrl } from './target.ts';
import { formatNpt } from './times.ts';

export type Description = {
  readonly name: string;
  /** Tracks are put behind it. */
  readonly base: string;
  readonly sessionId: number;
  readonly address: string;
  readonly formats: readonly RtpFormat[];
  /** Of recorded media; undefined is live. An end is what players make their slider of. */
  readonly recorded: { readonly durationMs: number | undefined } | undefined;
};

export function formatDescription(description: Description): string {
  const { name, base, sessionId, address, formats, recorded } = description;
  const family = address.includes(':') ? 'IP6' : 'IP4';
  const end = recorded?.durationMs === undefined ? '' : formatNpt(recorded.durationMs);
  const lines = [
    'v=0',
    `o=- ${sessionId} 1 IN ${family} ${address}`,
    `s=${name.replace(/[\r\n]+/g, ' ')}`,
    `c=IN ${family} ${family === 'IP6' ? '::' : '0.0.0.0'}`,
    't=0 0',
    'a=tool:weir',
    recorded === undefined ? 'a=range:npt=now-' : `a=range:npt=${formatNpt(0)}-${end}`,
    `a=control:${base}`,
    ...formats.flatMap((format) => mediaLines(format, base)),
  ];
  return `${lines.join('\r\n')}\r\n`;
}

function mediaLines(format: RtpFormat, base: string): readonly string[] {
  const { kind, payloadType, map, parameters, track } = format;
  const size = track.video;
  return [
    `m=${kind} 0 RTP/AVP ${payloadType}`,
    `a=rtpmap:${payloadType} ${map}`,
    ...(parameters === undefined || parameters === '' ? [] : [`a=fmtp:${payloadType} ${parameters}`]),
    ...(size === undefined ? [] : [`a=framesize:${payloadType} ${size.widthPixels}-${size.heightPixels}`]),
    `a=control:${trackUrl(base, track.number)}`,
  ];
}
