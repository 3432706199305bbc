/**
 * How far a browser is behind the camera: the picture's own clock is read back from the screen, with parts and with segments
 * alone, in the same run. And what a player of each kind costs the appliance.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { startBrowser } from '../kit/browser.ts';
import { addCamera } from '../kit/footage.ts';
import { createGstCamera, type GstCamera } from '../kit/gst-camera.ts';
import { costOfTree } from '../kit/processes.ts';
import { readPlaylist } from '../kit/read-playlist.ts';
import { until } from '../kit/until.ts';
import { untilAllLive } from './recording.ts';
import type { Row } from './table.ts';

const framesPerSecond = 25;
/** As the page plays: it comes back to its delay a little faster than time. */
const configurations = {
  'parts (latency=low)': {
    query: '?latency=low&renditions=one',
    hls: { lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.1 },
  },
  segments: { query: '?renditions=one', hls: { lowLatencyMode: false, liveSyncDurationCount: 2 } },
} as const;

/** Reads the 32 cells at the top of the picture: its number, or -1. */
const pageScript = `
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  const canvas = document.createElement('canvas');
  canvas.width = 640; canvas.height = 32;
  window.play = (url, config) => {
    const hls = new Hls({ enableWorker: true, ...config });
    hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
    hls.loadSource(url);
    hls.attachMedia(video);
    window.stop = () => hls.destroy();
  };
  window.number = () => {
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0, video.videoWidth, 32, 0, 0, 640, 32);
    const bits = Array.from({ length: 32 }, (_, i) => context.getImageData(i * 20 + 10, 16, 1, 1).data[1] > 127 ? 1 : 0);
    const number = bits.slice(0, 24).reduce((value, bit) => value * 2 + bit, 0);
    const checksum = bits.slice(24).reduce((value, bit) => value * 2 + bit, 0);
    return { number: checksum === ((number ^ (number >> 8) ^ (number >> 16) ^ 0x5a) & 255) ? number : -1, atMs: Date.now() };
  };
`;

export async function benchLowLatency(options: { readonly isQuick: boolean }): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-low-latency-'));
  const camera = await createGstCamera({ audio: 'aac', framesPerSecond, gopFrames: 50 });
  const appliance = await startAppliance({ dataDirectory: directory });
  const browser = await startBrowser();
  try {
    const { streamId } = await addCamera(appliance, 'Bench', { url: camera.url });
    await untilAllLive(appliance, 1);
    const path = `/api/streams/${streamId}/hls/master.m3u8`;
    await until('there is something to play', () => appliance.bytes(path).catch(() => undefined));
    const page = await browser.newPage({ ignoreHTTPSErrors: true, bypassCSP: true });
    await page.goto(`${appliance.url}/healthz`);
    await page.addScriptTag({
      content: await readFile(createRequire(import.meta.url).resolve('hls.js/dist/hls.js'), 'utf8'),
    });
    await page.addScriptTag({ content: pageScript });
    const windowMs = options.isQuick ? 10_000 : 30_000;
    const rows: Row[] = [];
    for (const [name, { query, hls }] of Object.entries(configurations)) {
      const url = (await appliance.call('POST', `/api/streams/${streamId}/playback`, {
        renditions: 'one',
        ...(query.includes('low') ? { latency: 'low' } : {}),
      })) as { url: string };
      const delays = await delaysOf(page, camera, { url: url.url, hls, windowMs });
      const players = options.isQuick ? 10 : 20;
      const perViewer = await costOfViewers(appliance, `${path}${query}`, { players, windowMs });
      rows.push({
        what: `HLS with ${name}, GOP of 2 s`,
        'delay ms, median': delays[Math.floor(delays.length / 2)] ?? Number.NaN,
        'delay ms, 95 %': delays[Math.floor(delays.length * 0.95)] ?? Number.NaN,
        'requests/s per viewer': perViewer.requests,
        'CPU % of a core per viewer': perViewer.cpuPercent,
      });
    }
    return rows;
  } finally {
    await browser.close();
    await appliance.close();
    await camera.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** From the moment at which the camera drew a picture to that at which a browser shows it, sorted. */
async function delaysOf(
  page: Page,
  camera: GstCamera,
  { url, hls, windowMs }: { readonly url: string; readonly hls: object; readonly windowMs: number },
): Promise<number[]> {
  await page.evaluate(`play(${JSON.stringify(url)}, ${JSON.stringify(hls)})`);
  const number = () => page.evaluate('number()') as Promise<{ number: number; atMs: number }>;
  await until('a picture is shown', async () => (await number()).number > 0);
  // Players begin further behind and catch up.
  await sleep(windowMs);
  const delays: number[] = [];
  const endMs = Date.now() + windowMs;
  while (Date.now() < endMs) {
    const seen = await number();
    if (seen.number >= 0) delays.push(seen.atMs - camera.options.epochMs - (seen.number * 1000) / framesPerSecond);
    await sleep(100);
  }
  await page.evaluate('stop()');
  return delays.sort((a, b) => a - b);
}

async function costOfViewers(
  appliance: RunningAppliance,
  master: string,
  { players, windowMs }: { readonly players: number; readonly windowMs: number },
): Promise<{ requests: number; cpuPercent: number }> {
  const percent = async () => {
    const beforeMs = costOfTree(appliance.pid).cpuMs;
    const startedMs = performance.now();
    await sleep(windowMs);
    return ((costOfTree(appliance.pid).cpuMs - beforeMs) / (performance.now() - startedMs)) * 100;
  };
  await sleep(12_000);
  const alone = await percent();
  const viewers = Array.from({ length: players }, () => new Viewer(appliance, master));
  const playing = viewers.map((viewer) => viewer.play());
  await sleep(3_000);
  const before = viewers.reduce((sum, viewer) => sum + viewer.requests, 0);
  const watched = await percent();
  const requests = viewers.reduce((sum, viewer) => sum + viewer.requests, 0) - before;
  for (const viewer of viewers) viewer.stop();
  await Promise.all(playing);
  return { requests: requests / players / (windowMs / 1_000), cpuPercent: (watched - alone) / players };
}

/** Asks as a player does and looks at nothing: video and sound, each piece once. */
class Viewer {
  requests = 0;
  readonly #appliance: RunningAppliance;
  readonly #master: string;
  #isStopped = false;

  constructor(appliance: RunningAppliance, master: string) {
    this.#appliance = appliance;
    this.#master = master;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async play(): Promise<void> {
    const master = (await this.#get(this.#master)).toString();
    const uris = [/^video\.m3u8.*$/m.exec(master)?.[0], /URI="(audio\.m3u8[^"]*)"/.exec(master)?.[1]];
    await Promise.all(uris.map((uri) => (uri === undefined ? undefined : this.#follow(uri))));
  }

  async #follow(uri: string): Promise<void> {
    const folder = this.#master.replace(/master\.m3u8.*$/, '');
    const loaded = new Set<string>();
    let more = '';
    while (!this.#isStopped) {
      const { segments, open, partTargetS } = readPlaylist((await this.#get(`${folder}${uri}${more}`)).toString());
      const newest = segments.at(-1);
      const pieces = partTargetS === undefined ? segments.slice(-1) : [...(newest?.parts ?? []), ...open];
      const isFirst = loaded.size === 0;
      for (const { uri: piece } of pieces) {
        if (!loaded.has(piece) && !isFirst) await this.#get(`${folder}${piece}`);
        loaded.add(piece);
      }
      if (partTargetS === undefined) await sleep(1_000);
      else more = `&_HLS_msn=${(newest?.mediaSequence ?? 0) + 1}&_HLS_part=${open.length}`;
    }
  }

  #get(path: string): Promise<Buffer> {
    this.requests++;
    return this.#appliance.bytes(path);
  }
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
