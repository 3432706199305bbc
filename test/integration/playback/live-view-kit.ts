/** The page's own live view in Chromium, on a server of the test's own: every way can be made to fail. */

import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { LiveSockets } from '../../../gateway/playback/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { until } from '../../kit/until.ts';
import { streamId } from '../ingest/ingest-kit.ts';
import type { LowLatencySite } from './low-latency-kit.ts';

const sources = join(import.meta.dirname, '..', '..', '..', 'appliance', 'page', 'src');
const html = `<!doctype html>
<script type="importmap">{ "imports": { "hls.js": "/hls.mjs" } }</script>
<style>#stage { position: relative; width: 640px; height: 360px } video { position: absolute; width: 100%; height: 100% }</style>
<div id="stage"></div>
<script type="module">
  import { LiveView } from '/src/player/live/live-view.ts';
  import { openersOf } from '/src/player/live/openers.ts';
  window.told = [];
  const stage = document.getElementById('stage');
  const hls = { query: 'latency=low', playerName: 'test', onForm: () => {}, isOriginalChosen: () => false };
  window.view = new LiveView({
    stage,
    openers: openersOf('${streamId}', hls),
    isMuted: true,
    isCostly: false,
    onStatus: (status) => window.told.push(status),
  });
  window.view.start();
  window.state = () => {
    const video = [...stage.children].at(-1);
    return {
      ...window.told.at(-1),
      videos: stage.children.length,
      pictures: video?.getVideoPlaybackQuality().totalVideoFrames ?? 0,
      soundBytes: video?.webkitAudioDecodedByteCount ?? 0,
      timeS: video?.currentTime ?? 0,
      ...window.view.figures(),
    };
  };
</script>`;

export type LiveViewState = {
  way: 'webrtc' | 'socket' | 'hls' | undefined;
  why: string | undefined;
  isAway: boolean;
  isPaused: boolean;
  /** Elements on the stage. */
  videos: number;
  /** Of the element on top. */
  pictures: number;
  soundBytes: number;
  timeS: number;
  behindS: number | undefined;
  atMs: number | undefined;
};

/** What the server of a test does; may be changed while it runs. */
export type LiveViewServer = { whep: { status: number; message: string }; isSocketRefused: boolean };

export async function openLiveView(browser: Browser, site: LowLatencySite, wanted: Partial<LiveViewServer> = {}) {
  const serves: LiveViewServer = {
    ...{ whep: { status: 503, message: 'the WebRTC worker is being built' }, isSocketRefused: false },
    ...wanted,
  };
  const sockets = new LiveSockets({ clock: systemClock, log: silentLog, laneOf: () => site.client });
  sockets.start();
  onTestFinished(() => sockets.close());
  const requested: string[] = [];
  const server = createServer((request, response) => {
    requested.push(request.url ?? '');
    answer(request, response, { site, serves }).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  const upgrades = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (serves.isSocketRefused) {
      socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n');
      return;
    }
    upgrades.handleUpgrade(request, socket, head, (webSocket) =>
      sockets.add(webSocket, {
        ...{ streamId, account: 'test', canPlayH265: !(request.url ?? '').includes('video=h264') },
        permission: () => 'granted',
        onSent: () => {},
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        for (const client of upgrades.clients) client.terminate();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  const page: Page = await browser.newPage();
  onTestFinished(() => page.close());
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const state = () => page.evaluate<LiveViewState>('state()');
  /** As many pictures more of what is shown. */
  const playsOn = (way: LiveViewState['way'], pictures: number) => {
    let first: number | undefined;
    return async () => {
      const now = await state();
      if (now.way !== way) return undefined;
      first = first === undefined || now.pictures < first ? now.pictures : first;
      return now.pictures >= first + pictures ? now : undefined;
    };
  };
  /** Attempts at a better way come and go: what was left is gone. */
  const untilOneElement = () => until('one element is left', async () => (await state()).videos === 1);
  const endSockets = () => {
    for (const client of upgrades.clients) client.terminate();
  };
  return { page, state, playsOn, serves, sockets, requested, complaints, endSockets, untilOneElement };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { site, serves }: { readonly site: LowLatencySite; readonly serves: LiveViewServer },
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const script = (code: string | Buffer) => response.writeHead(200, { 'content-type': 'text/javascript' }).end(code);
  if (url.pathname === '/') {
    response.writeHead(200, { 'content-type': 'text/html' }).end(html);
  } else if (url.pathname === '/hls.mjs') {
    script(await readFile(createRequire(import.meta.url).resolve('hls.js/dist/hls.mjs')));
  } else if (url.pathname.startsWith('/src/')) {
    script(stripTypeScriptTypes(await readFile(join(sources, url.pathname.slice('/src/'.length)), 'utf8')));
  } else if (url.pathname.startsWith('/whep/')) {
    const { status, message } = serves.whep;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { code: 'unavailable', message } }));
  } else {
    const file = url.pathname.split('/').at(-1) ?? '';
    const got = await site.hls.get({ streamId, file, query: Object.fromEntries(url.searchParams) });
    response.writeHead(200, { 'content-type': got.contentType }).end(got.body);
  }
}
