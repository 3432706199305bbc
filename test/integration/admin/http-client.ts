/** A small HTTP client that remembers its cookie, trusts the site's authority and writes down every answer. */

import { request as httpsRequest, type RequestOptions } from 'node:https';

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
  readonly text: string;
  /** Parsed JSON; undefined when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name, and the assertion fails when it is not there.
  readonly json: any;
};

export type Asked = {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is, with the content type given in the headers. */
  readonly raw?: string | Buffer;
};

export class HttpClient {
  readonly #site: { readonly port: number; readonly ca: string; readonly transcript: string[] };
  cookie: string | undefined;
  token: string | undefined;

  constructor(site: { readonly port: number; readonly ca: string; readonly transcript: string[] }) {
    this.#site = site;
  }

  get = (path: string, asked: Asked = {}) => this.send('GET', path, asked);
  delete = (path: string, asked: Asked = {}) => this.send('DELETE', path, asked);
  post = (path: string, body?: unknown, asked: Asked = {}) => this.send('POST', path, { body, ...asked });
  put = (path: string, body?: unknown, asked: Asked = {}) => this.send('PUT', path, { body, ...asked });
  patch = (path: string, body?: unknown, asked: Asked = {}) => this.send('PATCH', path, { body, ...asked });

  async login(name: string, password: string): Promise<Answer> {
    const answer = await this.post('/api/session', { name, password });
    return answer;
  }

  send(method: string, path: string, asked: Asked = {}): Promise<Answer> {
    const body = asked.raw ?? (asked.body === undefined ? undefined : JSON.stringify(asked.body));
    const options: RequestOptions = {
      host: '127.0.0.1',
      port: this.#site.port,
      ca: this.#site.ca,
      method,
      path,
      agent: false,
      headers: {
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        ...(this.cookie === undefined ? {} : { cookie: this.cookie }),
        ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
        ...asked.headers,
      },
    };
    return new Promise((resolve, reject) => {
      const request = httpsRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const text = bytes.toString();
          const { 'set-cookie': setCookie, ...headers } = response.headers;
          this.#site.transcript.push(`${response.statusCode} ${JSON.stringify(headers)} ${text.slice(0, 100_000)}`);
          const cookie = setCookie?.[0]?.split(';', 1)[0];
          if (cookie !== undefined) this.cookie = cookie.endsWith('=') ? undefined : cookie;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, text, json: parsed(text) });
        });
      });
      request.on('error', reject);
      request.end(body);
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
