/**
 * URLs of an RTSP session. What a camera writes into Content-Base and a=control is often wrong in ways that every player has
 * learnt to live with, so each request has a short list of candidates, the most likely first, and host and port are always
 * those that we connected to: addresses behind NAT, 0.0.0.0 and other people's credentials in answers are not followed.
 */

/** An RTSP URL in the parts we need; path begins with `/` and holds the query string too. */
export type RtspUrl = {
  readonly scheme: 'rtsp' | 'rtsps';
  readonly host: string;
  readonly port: number;
  readonly path: string;
};

const defaultPorts = { rtsp: 554, rtsps: 322 } as const;

/**
 * Reads an absolute URL; user and password in it are left out. Undefined when it is none.
 * Repeated schemes (`rtsp://rtsp://`, an IPC called icamra) and any case are taken.
 */
export function parseRtspUrl(text: string): RtspUrl | undefined {
  const match =
    /^(?:rtspu?:\/\/(?=rtsps?:\/\/))?(rtsps?|rtspu):\/\/(?:[^/?#]*@)?(\[[^\]/]+\]|[^:/?#]+)(?::(\d{1,5}))?([/?#].*)?$/i.exec(
      text.trim(),
    );
  if (match === null) return undefined;
  const [, schemeText = 'rtsp', host = '', portText, rest = ''] = match;
  const scheme = schemeText.toLowerCase() === 'rtsps' ? 'rtsps' : 'rtsp';
  const port = portText === undefined ? defaultPorts[scheme] : Number(portText);
  if (port < 1 || port > 65_535) return undefined;
  const path = rest === '' || rest.startsWith('/') ? rest : `/${rest}`;
  return { scheme, host, port, path: path.replace(/#.*$/, '') };
}

/** Text of a URL, with the port only where it is not the scheme's own. */
export function formatRtspUrl(url: RtspUrl): string {
  const port = url.port === defaultPorts[url.scheme] ? '' : `:${url.port}`;
  return `${url.scheme}://${url.host}${port}${url.path.replace(/\s/g, '%20')}`;
}

/** Host as `net.connect` takes it: IPv6 without brackets. */
export function connectHost(url: RtspUrl): string {
  return url.host.replace(/^\[(.*)\]$/, '$1');
}

/**
 * Base for relative controls: Content-Base, else Content-Location, else the request's own URL (RFC 2326 C.1.1), each with host
 * and port of the connection. Bases without scheme (`192.168.1.10:554/stream0/`, SV3C) or of a path alone are taken.
 */
export function baseUrl(
  request: RtspUrl,
  answer: { readonly contentBase: string | undefined; readonly contentLocation: string | undefined },
): RtspUrl {
  for (const text of [answer.contentBase, answer.contentLocation]) {
    const path = text === undefined || text.trim() === '' ? undefined : pathOf(text.trim());
    if (path !== undefined) return { ...request, path };
  }
  return request;
}

/**
 * Candidates for one media's SETUP, without repetition, most likely first.
 *
 * A control that is no URL is appended to the base after exactly one slash: that is what live555, ffmpeg and the cameras
 * themselves do, also behind a query string (Dahua: `...?channel=1&subtype=0/trackID=1`), where RFC 3986 would cut the last
 * part of the path away. The standard's way is the second try.
 */
export function controlCandidates(base: RtspUrl, control: string | undefined): readonly string[] {
  const plain = formatRtspUrl(base);
  if (control === undefined || control === '*' || control === '')
    return unique([plain, `${plain.replace(/\/+$/, '')}`]);
  const absolute = absoluteControl(base, control);
  if (absolute !== undefined) return unique([formatRtspUrl(absolute), control.trim()]);
  const [path = '', query] = splitQuery(base.path);
  const relative = control.replace(/^\/+/, '');
  const directory = path.slice(0, path.lastIndexOf('/') + 1) || '/';
  return unique([
    ...(control.startsWith('/') ? [formatRtspUrl({ ...base, path: control })] : []),
    `${plain.replace(/\/+$/, '')}/${relative}`,
    formatRtspUrl({ ...base, path: `${directory}${relative}` }),
    ...(query === undefined
      ? []
      : [formatRtspUrl({ ...base, path: `${path.replace(/\/+$/, '')}/${relative}?${query}` })]),
  ]);
}

/** Candidates for PLAY, keepalive and TEARDOWN: the aggregate's URL. */
export function aggregateCandidates(request: RtspUrl, base: RtspUrl, control: string | undefined): readonly string[] {
  const absolute = control === undefined || control === '*' ? undefined : absoluteControl(base, control);
  const baseText = formatRtspUrl(base);
  return unique([
    ...(absolute === undefined ? [] : [formatRtspUrl(absolute)]),
    baseText,
    formatRtspUrl(request),
    baseText.replace(/\/+$/, ''),
  ]);
}

/** An absolute control, on the host of the connection; undefined when it is relative. */
function absoluteControl(base: RtspUrl, control: string): RtspUrl | undefined {
  const url = parseRtspUrl(control);
  return url === undefined ? undefined : { ...base, path: url.path };
}

function pathOf(text: string): string | undefined {
  const url = parseRtspUrl(text);
  if (url !== undefined) return url.path;
  if (text.startsWith('/')) return text;
  // Without a scheme: host[:port]/path.
  const match = /^[\w.-]+(?::\d{1,5})?(\/.*)?$/.exec(text);
  return match === null ? undefined : (match[1] ?? '/');
}

function splitQuery(path: string): [path: string, query: string | undefined] {
  const at = path.indexOf('?');
  return at === -1 ? [path, undefined] : [path.slice(0, at), path.slice(at + 1)];
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
