/** hls.js in a page of Chromium, on a server of the test's own. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import type { Hls } from '../../../gateway/playback/index.ts';
import { serveHls } from './serve-hls.ts';

const html = `<!doctype html><video id="video"></video><script src="/hls.js"></script><script>
  const video = document.getElementById('video');
  window.fatal = [];
  window.errors = [];
  window.play = (url) => {
    const hls = new Hls({ enableWorker: false });
    window.hls = hls;
    hls.on(Hls.Events.ERROR, (_, data) => {
      (data.fatal ? window.fatal : window.errors).push(data.details + ' ' + (data.reason || data.error || ''));
    });
    hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
    hls.loadSource(url);
    hls.attachMedia(video);
  };
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  // Of counting pictures: each is brighter than the one before.
  window.brightness = () => {
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data[1];
  };
  window.state = () => ({
    currentTime: video.currentTime,
    duration: video.duration,
    pictures: video.getVideoPlaybackQuality().totalVideoFrames,
    soundBytes: video.webkitAudioDecodedByteCount,
    playingMs: window.hls?.playingDate?.getTime(),
    ended: video.ended,
    fatal: window.fatal,
    errors: window.errors,
    widthPixels: video.videoWidth,
    levels: (window.hls?.levels ?? []).length,
    brightness: window.brightness(),
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
  errors: string[];
  widthPixels: number;
  levels: number;
  /** Green of the picture shown, 0 .. 255. */
  brightness: number;
};

/** Plays a master playlist; `requested` collects the paths that the player asks for. */
export async function openHlsPlayer(
  browser: Browser,
  hls: Pick<Hls, 'get'>,
  query: string,
  requested: string[] = [],
): Promise<{ page: Page; state: () => Promise<PlayerState> }> {
  const script = await readFile(createRequire(import.meta.url).resolve('hls.js/dist/hls.js'), 'utf8');
  const files = { '/': { type: 'text/html', body: html }, '/hls.js': { type: 'text/javascript', body: script } };
  const origin = await serveHls(hls, { files, requested });
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.goto(origin);
  await page.evaluate(`play('/hls/master.m3u8${query}')`);
  return { page, state: () => page.evaluate('state()') };
}
