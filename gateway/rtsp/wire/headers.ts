/** Values of the headers Session, Transport, RTP-Info and Public, as servers really write them. */

import { rtspLimits } from '../limits.ts';

/** `12345678;timeout=60`, with blanks, other case, quotes, or a timeout of 0 or in milliseconds. */
export function parseSession(value: string): { readonly id: string; readonly timeoutMs: number } {
  const [id = '', ...rest] = value.split(';');
  const seconds = Number(/timeout\s*=\s*"?\s*(\d+)/i.exec(rest.join(';'))?.[1] ?? 0);
  const isUsable = seconds > 0 && seconds < 86_400;
  return { id: id.trim(), timeoutMs: isUsable ? seconds * 1_000 : rtspLimits.sessionTimeoutMsDefault };
}

export type TransportAnswer = {
  readonly isTcp: boolean;
  /** Channels of RTP and RTCP; undefined when the server does not tell. */
  readonly interleaved: readonly [number, number] | undefined;
  readonly serverPorts: readonly [number, number] | undefined;
  /** Address that UDP comes from, where it is not the server's own. */
  readonly source: string | undefined;
};

/** The first of the transports in the header. */
export function parseTransport(value: string): TransportAnswer {
  const [first = ''] = value.split(',');
  const interleaved = pairOf(/interleaved\s*=\s*(\d+)(?:\s*-\s*(\d+))?/i.exec(first), 255);
  return {
    isTcp: /^\s*RTP\/S?AVPF?\/TCP/i.test(first) || interleaved !== undefined,
    interleaved,
    serverPorts: pairOf(/server_port\s*=\s*(\d+)(?:\s*-\s*(\d+))?/i.exec(first), 65_535),
    source: /(?:^|;)\s*source\s*=\s*"?([^;"\s]+)/i.exec(first)?.[1],
  };
}

/** Where one track starts, by RTP-Info of the answer to PLAY. */
export type RtpInfo = {
  readonly url: string;
  readonly sequence: number | undefined;
  readonly rtpTime: number | undefined;
};

/** Entries in the order of the header. URLs with commas or semicolons in them split wrongly and are matched by their ends. */
export function parseRtpInfo(value: string): readonly RtpInfo[] {
  return value
    .split(/,(?=\s*(?:url|rtsp|trackID|track|stream)\b)/i)
    .slice(0, rtspLimits.mediasMax)
    .map((entry) => ({
      url: (/url\s*=\s*"?([^;"]*)/i.exec(entry)?.[1] ?? '').trim(),
      sequence: numberOf(/seq\s*=\s*(\d{1,10})/i.exec(entry)?.[1]),
      rtpTime: numberOf(/rtptime\s*=\s*(\d{1,10})/i.exec(entry)?.[1]),
    }));
}

/** Methods that the server offers (`Public`, some write `Allow`), upper case. */
export function parseMethods(values: readonly string[]): ReadonlySet<string> {
  return new Set(
    values
      .join(',')
      .split(/[,\s]+/)
      .map((method) => method.toUpperCase())
      .filter((method) => method !== ''),
  );
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function pairOf(match: RegExpExecArray | null, max: number): readonly [number, number] | undefined {
  if (match === null) return undefined;
  const first = Number(match[1]);
  const second = match[2] === undefined ? first + 1 : Number(match[2]);
  return first > max || second > max ? undefined : [first, second];
}
