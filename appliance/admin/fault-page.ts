/**
 * What the public port says while `serve` cannot start for the state of its own files: who opens the page or asks the API reads
 * what is wrong and what to do, instead of finding nobody there. It knows no users and shows nothing of the site.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Clock } from '../../storage/base/clock.ts';
import type { AppError } from '../../storage/base/errors.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import { Dispatcher } from './dispatch.ts';
import { LocalDoor } from './local-door.ts';
import type { TlsMaterial } from './parts.ts';

export type FaultPageOptions = {
  readonly error: AppError;
  readonly host?: string | undefined;
  readonly port: number;
  readonly isPlainAllowed: boolean;
  /** The local socket of the command line. */
  readonly socketPath: string;
};

const retryAfterSeconds = 5;

export class FaultPage {
  readonly #deps: { readonly clock: Clock; readonly log: Log; readonly tls: TlsMaterial | undefined };
  readonly #options: FaultPageOptions;
  readonly #lifetime = new Lifetime();

  constructor(
    dependencies: { readonly clock: Clock; readonly log: Log; readonly tls: TlsMaterial | undefined },
    options: FaultPageOptions,
  ) {
    this.#deps = dependencies;
    this.#options = options;
  }

  /** @throws AppError unavailable  the port is taken */
  async start(): Promise<void> {
    const { clock, log, tls } = this.#deps;
    const { socketPath, ...options } = this.#options;
    const http: Server = createServer((request, response) => this.#answer(request, response));
    this.#lifetime.defer(() => http.closeAllConnections());
    const door = this.#lifetime.own(new LocalDoor({ http }, { path: socketPath }));
    await door.start();
    const dispatcher = this.#lifetime.own(new Dispatcher({ clock, log, http, identity: tls?.identity() }, options));
    await dispatcher.start();
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { code, message, hint = '' } = this.#options.error;
    const path = request.url ?? '/';
    request.resume();
    response.setHeader('cache-control', 'no-store');
    if (path === '/healthz') {
      sendJson(response, 200, { status: 'alive' });
      return;
    }
    response.setHeader('retry-after', retryAfterSeconds);
    if (path === '/readyz') {
      sendJson(response, 503, { ready: false, parts: [{ part: 'catalog', ready: false, reason: message }] });
    } else if (path.startsWith('/api/')) {
      sendJson(response, 503, { error: { code, message, hint, requestId: '' } });
    } else {
      response.writeHead(503, { 'content-type': 'text/html; charset=utf-8' });
      response.end(`<!doctype html><meta charset="utf-8"><title>Weir</title><meta http-equiv="refresh" content="10">
<h1>Weir cannot show its page: ${escaped(message)}</h1>
<p>Cameras are recorded meanwhile. What to do: ${escaped(hint)}</p>
`);
    }
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
