/** Chromium on a page of another site, which plays and publishes with a token. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startBrowser } from '../../kit/browser.ts';

export type PeerOptions = {
  readonly url: string;
  readonly token: string;
  /** Only candidates of this transport are given to the browser. */
  readonly only?: 'udp' | 'tcp';
  readonly kinds?: readonly ('video' | 'audio')[];
};

/** What came over HTTP. */
export type Told = {
  readonly status: number;
  readonly text: string;
  readonly offer: string;
  readonly location: string | null;
  readonly etag: string | null;
  readonly link: string | null;
  readonly notes: string | null;
};

export type PeerFigures = {
  readonly state: string;
  readonly framesDecoded: number;
  readonly widthPixels: number;
  readonly videoCodec: string;
  readonly audioCodec: string;
  /** Decoded, without what was made up. */
  readonly audioSamples: number;
  readonly protocol: string;
  readonly framesSent: number;
};

/** Browsers give cameras to pages of a known origin alone, and let pages of this machine alone ask this machine. */
async function startOtherSite(): Promise<string> {
  const server = createServer((_request, response) =>
    response.setHeader('content-type', 'text/html').end('<!doctype html>'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://localhost:${(server.address() as AddressInfo).port}/`;
}

/** @param args  more of Chromium's switches */
export async function openPage(args: readonly string[] = []) {
  const browser = await startBrowser(args);
  onTestFinished(() => browser.close());
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  await page.goto(await startOtherSite());
  await page.addScriptTag({ path: join(import.meta.dirname, 'peer-page.js') });
  const call = <T>(name: string, given: object = {}) =>
    page.evaluate(`${name}(${JSON.stringify(given)})`) as Promise<T>;
  return {
    browser,
    page,
    play: (options: PeerOptions) => call<Told>('peer', { ...options, direction: 'recvonly' }),
    /** @param options.codec  the only one of pictures, as `video/VP8` */
    publish: (options: PeerOptions & { readonly codec?: string }) =>
      call<Told>('peer', { ...options, direction: 'sendonly' }),
    restart: (options: PeerOptions & { readonly ifMatch?: string }) =>
      call<Pick<Told, 'status' | 'text' | 'etag'>>('restart', options),
    figures: () => call<PeerFigures>('read'),
    close: () => page.evaluate('held.connection.close()'),
  };
}
