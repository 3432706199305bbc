/** The smallest HTTP server around `Hls`, as the appliance's routes will be. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Hls } from '../../../gateway/playback/index.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { streamId } from './recorded-stream.ts';

/** Serves `/hls/<file>` and any extra files; returns the origin. `requested` collects paths. */
export async function serveHls(
  hls: Pick<Hls, 'get'>,
  options: {
    readonly files?: Readonly<Record<string, { type: string; body: string | Uint8Array }>>;
    readonly requested?: string[];
  } = {},
): Promise<string> {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    options.requested?.push(url.pathname);
    const extra = options.files?.[url.pathname];
    if (extra !== undefined) {
      response.writeHead(200, { 'content-type': extra.type }).end(extra.body);
      return;
    }
    try {
      const file = url.pathname.split('/').at(-1) ?? '';
      const answer = await hls.get({ streamId, file, query: Object.fromEntries(url.searchParams) });
      response.writeHead(200, { 'content-type': answer.contentType }).end(answer.body);
    } catch (error) {
      response.writeHead(isAppError(error, 'not_found') ? 404 : 500).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
