/** The first request head, parsed only as far as it takes to choose who gets the connection. */

export type RequestHead = {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  /** Path alone, still percent-encoded. */
  readonly path: string;
  /** Names in lower case; of repeated ones the first. */
  readonly headers: ReadonlyMap<string, string>;
};

/** What is not HTTP at all goes to the HTTP server, which knows how to refuse it. */
const unreadable: RequestHead = { method: '', target: '', path: '', headers: new Map() };

/** The head at the beginning of `bytes`, or undefined while its end has not come. Never throws. */
export function parseRequestHead(bytes: Uint8Array): RequestHead | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const end = text.search(/\r?\n\r?\n/);
  if (end < 0) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split(/\r?\n/);
  const line = /^([A-Za-z]{1,32}) (\S+) HTTP\/1\.[01]$/.exec(first);
  if (line === null) return unreadable;
  const [, method = '', target = ''] = line;
  const headers = new Map<string, string>();
  for (const header of lines) {
    const colon = header.indexOf(':');
    const name = header.slice(0, Math.max(0, colon)).toLowerCase();
    if (name !== '' && !headers.has(name)) headers.set(name, header.slice(colon + 1).trim());
  }
  return { method: method.toUpperCase(), target, path: target.split('?', 1)[0] ?? '', headers };
}

/** Where a plain request finds us by https: same host and path, our port; undefined when the head names no usable host. */
export function redirectTarget(head: RequestHead, port: number): string | undefined {
  const host = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i.exec(head.headers.get('host') ?? '')?.[1];
  // Only a path: an absolute target could name another host.
  if (host === undefined || !/^\/(?!\/)[\x21-\x7e]*$/.test(head.target)) return undefined;
  return `https://${host}${port === 443 ? '' : `:${port}`}${head.target}`;
}
