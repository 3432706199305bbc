/** hls.js and dash.js in a page of Chromium, of another origin than what they play. */

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { onTestFinished } from 'vitest';

const html = `<!doctype html><video id="video" muted></video>
<script src="/hls.js"></script><script src="/dash.js"></script><script>
  const video = document.getElementById('video');
  const fatal = [];
  const requested = [];
  window.playHls = (url) => {
    const hls = new Hls({ enableWorker: false });
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (data.fatal) fatal.push(data.details + ' ' + (data.reason || data.error || ''));
    });
    hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
    hls.loadSource(url);
    hls.attachMedia(video);
    window.playingMs = () => hls.playingDate?.getTime();
    window.ended = () => video.ended;
  };
  window.playDash = (url) => {
    const player = dashjs.MediaPlayer().create();
    player.on('error', ({ error }) => fatal.push(error.code + ' ' + error.message));
    let ended = false;
    player.on('playbackEnded', () => { ended = true; });
    player.initialize(video, url, true);
    window.playingMs = () => undefined;
    // At the end of what it knows it often pauses the element before that says so itself.
    window.ended = () => ended;
  };
  window.state = () => ({
    currentTime: video.currentTime,
    duration: video.duration,
    pictures: video.getVideoPlaybackQuality().totalVideoFrames,
    soundBytes: video.webkitAudioDecodedByteCount,
    playingMs: window.playingMs(),
    ended: window.ended(),
    fatal,
  });
</script>`;

export type PlayerState = {
  currentTime: number;
  duration: number;
  pictures: number;
  soundBytes: number;
  playingMs: number | undefined;
  ended: boolean;
  fatal: string[];
};

/** Plays a session URL. */
export async function openPlayer(
  browser: Browser,
  player: 'hls' | 'dash',
  url: string,
): Promise<() => Promise<PlayerState>> {
  const { resolve } = createRequire(import.meta.url);
  const files: Readonly<Record<string, { type: string; body: string }>> = {
    '/': { type: 'text/html', body: html },
    '/hls.js': { type: 'text/javascript', body: await readFile(resolve('hls.js/dist/hls.js'), 'utf8') },
    '/dash.js': {
      type: 'text/javascript',
      body: await readFile(resolve('dashjs'), 'utf8'),
    },
  };
  const server = createServer((request, response) => {
    const file = files[request.url ?? ''];
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': file.type }).end(file.body);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const page = await browser.newPage();
  onTestFinished(async () => {
    await page.close();
    server.closeAllConnections();
    await new Promise<void>((closed) => server.close(() => closed()));
  });
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.evaluate(`${player === 'hls' ? 'playHls' : 'playDash'}(${JSON.stringify(url)})`);
  return () => page.evaluate('state()');
}
