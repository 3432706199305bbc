/** RTSP messages as text: heads parsed leniently (any line end, any case, folded or broken lines), requests written strictly. */

/** Header names are lower case; a name that came several times keeps all its values. */
export type Headers = ReadonlyMap<string, readonly string[]>;

export type RtspResponse = {
  /** `RTSP/1.0`, or `HTTP/1.1` when something else answers on this port. */
  readonly protocol: string;
  readonly status: number;
  readonly reason: string;
  readonly headers: Headers;
  readonly body: string;
};

export type RtspRequest = { readonly method: string; readonly uri: string; readonly headers: Headers };

/** A response, a request of the server's own, or undefined for a head whose first line is neither. */
export function parseMessage(head: string, body: string): RtspResponse | RtspRequest | undefined {
  const [first = '', ...lines] = head.split(/\r\n|\n|\r/);
  const response = /^([A-Za-z]+\/[\d.]+)\s+(\d{3})(?:\s+(.*))?$/.exec(first.trim());
  if (response !== null) {
    const [, protocol = '', status = '', reason = ''] = response;
    return { protocol, status: Number(status), reason: printable(reason), headers: parseHeaders(lines), body };
  }
  const request = /^([A-Z_]+)\s+(\S+)\s+RTSP\/[\d.]+$/.exec(first.trim());
  if (request === null) return undefined;
  const [, method = '', uri = ''] = request;
  return { method, uri, headers: parseHeaders(lines) };
}

export function isResponse(message: RtspResponse | RtspRequest): message is RtspResponse {
  return 'status' in message;
}

/** The first value of a header, trimmed. */
export function header(message: { readonly headers: Headers }, name: string): string | undefined {
  return message.headers.get(name.toLowerCase())?.[0];
}

/** All values of a header that may come several times. */
export function allHeaders(message: { readonly headers: Headers }, name: string): readonly string[] {
  return message.headers.get(name.toLowerCase()) ?? [];
}

/**
 * One request. CSeq comes first: DVRs are known that look for it by position and not by name.
 *
 * @param headers  in order; values must not contain line ends, which are taken out
 */
export function formatRequest(
  method: string,
  uri: string,
  cseq: number,
  headers: readonly (readonly [name: string, value: string])[],
): string {
  const lines = headers.map(([name, value]) => `${name}: ${value.replace(/[\r\n]+/g, ' ')}\r\n`);
  return `${method} ${uri.replace(/[\r\n\s]+/g, '%20')} RTSP/1.0\r\nCSeq: ${cseq}\r\n${lines.join('')}\r\n`;
}

/** The answer to a request that the server sent us. */
export function formatAnswer(request: RtspRequest): string {
  const isKnown = ['OPTIONS', 'GET_PARAMETER', 'SET_PARAMETER', 'ANNOUNCE', 'PLAY_NOTIFY'].includes(request.method);
  const cseq = header(request, 'cseq');
  const session = header(request, 'session');
  return [
    isKnown ? 'RTSP/1.0 200 OK' : 'RTSP/1.0 501 Not Implemented',
    ...(cseq === undefined ? [] : [`CSeq: ${cseq}`]),
    ...(session === undefined ? [] : [`Session: ${session}`]),
    '\r\n',
  ].join('\r\n');
}

/** Words of a stranger that end up in messages for people: short and without control characters. */
export function printable(text: string): string {
  return text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 120);
}

function parseHeaders(lines: readonly string[]): Headers {
  const headers = new Map<string, string[]>();
  let last: string[] | undefined;
  for (const line of lines) {
    if (/^[ \t]/.test(line) && last !== undefined && line.trim() !== '') {
      last.push(`${last.pop() ?? ''} ${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    last = headers.get(name) ?? [];
    last.push(line.slice(colon + 1).trim());
    headers.set(name, last);
  }
  return headers;
}
