/**
 * Live by WebRTC: how far a browser is behind the camera (its picture's own clock is read back from the screen) beside the page's
 * other two ways in the same run; and what viewers cost who decode nothing, many of one camera and one of each of many.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { startBrowser } from '../kit/browser.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addCamera, addSimulated } from '../kit/footage.ts';
import { createGstCamera, type GstCamera } from '../kit/gst-camera.ts';
import { until } from '../kit/until.ts';
import { WhepViewers } from '../kit/whep-viewers.ts';
import { measure, untilAllLive } from './recording.ts';
import type { Row } from './table.ts';

const framesPerSecond = 25;
const sources = join(import.meta.dirname, '..', '..', 'appliance', 'page', 'src');
/** As the camera's view of the page has them. */
const ways = { webrtc: 'WebRTC', socket: 'fMP4 by WebSocket', hls: 'low-latency HLS' } as const;

const html = (streamId: string) => `<!doctype html>
<script type="importmap">{ "imports": { "hls.js": "/bench/hls.mjs" } }</script>
<script type="module">
  import { openersOf } from '/bench/src/player/live/openers.ts';
  const hls = { query: 'latency=low', playerName: 'bench', onForm: () => {}, isOriginalChosen: () => false };
  const openers = openersOf('${streamId}', hls);
  const canvas = document.createElement('canvas');
  canvas.width = 640; canvas.height = 32;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  window.play = (way) => {
    const video = document.createElement('video');
    video.muted = true;
    document.body.append(video);
    window.told = [];
    const events = { onPicture() {}, onAway() {}, onNotes() {}, onFailed(failure) { window.told.push(failure.message); } };
    const session = openers[way](video, events);
    window.stop = () => { session.close(); video.remove(); };
    window.number = () => {
      // An element without a picture draws nothing.
      context.clearRect(0, 0, 640, 32);
      context.drawImage(video, 0, 0, video.videoWidth, 32, 0, 0, 640, 32);
      const bits = Array.from({ length: 32 }, (_, i) => context.getImageData(i * 20 + 10, 16, 1, 1).data[1] > 127 ? 1 : 0);
      const number = bits.slice(0, 24).reduce((value, bit) => value * 2 + bit, 0);
      const checksum = bits.slice(24).reduce((value, bit) => value * 2 + bit, 0);
      const isRight = checksum === ((number ^ (number >> 8) ^ (number >> 16) ^ 0x5a) & 255);
      return { number: isRight && video.videoWidth > 0 ? number : -1, atMs: Date.now() };
    };
  };
</script>`;

export async function benchWebRtc(options: { readonly isQuick: boolean }): Promise<Row[]> {
  const windowMs = options.isQuick ? 10_000 : 30_000;
  return [
    ...(await delays(windowMs)),
    ...(await viewers({ cameras: 1, perCamera: options.isQuick ? 20 : 50, windowMs })),
    ...(await viewers({ cameras: options.isQuick ? 8 : 20, perCamera: 1, windowMs })),
  ];
}

async function delays(windowMs: number): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-webrtc-'));
  const camera = await createGstCamera({ audio: 'aac', framesPerSecond, gopFrames: 50 });
  const appliance = await startAppliance({ dataDirectory: directory });
  // A page that the test gives an address of the appliance's comes from nowhere, for Chromium.
  const browser = await startBrowser(['--disable-features=LocalNetworkAccessChecks']);
  try {
    const { streamId } = await addCamera(appliance, 'Bench', { url: camera.url });
    await untilAllLive(appliance, 1);
    await untilWebRtc(appliance);
    const page = await browser.newPage({ ignoreHTTPSErrors: true, bypassCSP: true });
    await serveSources(page, appliance, streamId);
    await page.goto(`${appliance.url}/healthz`);
    await logIn(page, appliance);
    await page.goto(`${appliance.url}/bench/`);
    const rows: Row[] = [];
    for (const [way, what] of Object.entries(ways)) {
      const { firstMs, delaysMs } = await watch(page, camera, { way, windowMs });
      rows.push({
        what: `${what}, GOP of 2 s`,
        'first picture ms': firstMs,
        'delay ms, median': delaysMs[Math.floor(delaysMs.length / 2)] ?? Number.NaN,
        'delay ms, 95 %': delaysMs[Math.floor(delaysMs.length * 0.95)] ?? Number.NaN,
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
async function watch(
  page: Page,
  camera: GstCamera,
  { way, windowMs }: { readonly way: string; readonly windowMs: number },
): Promise<{ firstMs: number; delaysMs: number[] }> {
  const beganMs = Date.now();
  await page.evaluate(`play('${way}')`);
  const number = () => page.evaluate('number()') as Promise<{ number: number; atMs: number }>;
  const first = await until('a picture is shown', async () => {
    const faults = (await page.evaluate('told')) as string[];
    if (faults.length > 0) throw new Error(faults.join(', '));
    const seen = await number();
    return seen.number > 0 ? seen : undefined;
  });
  // Players that begin further behind catch up.
  await sleep(windowMs);
  const delaysMs: number[] = [];
  const endMs = Date.now() + windowMs;
  while (Date.now() < endMs) {
    const seen = await number();
    if (seen.number >= 0) delaysMs.push(seen.atMs - camera.options.epochMs - (seen.number * 1000) / framesPerSecond);
    await sleep(100);
  }
  await page.evaluate('stop()');
  return { firstMs: first.atMs - beganMs, delaysMs: delaysMs.sort((a, b) => a - b) };
}

async function viewers(options: {
  readonly cameras: number;
  readonly perCamera: number;
  readonly windowMs: number;
}): Promise<Row[]> {
  const { cameras, perCamera, windowMs } = options;
  const count = cameras * perCamera;
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-webrtc-'));
  const simulator = await startCameraSimulator({ cameras, mode: 'paced' });
  const appliance = await startAppliance({ dataDirectory: directory });
  let watching: WhepViewers | undefined;
  try {
    const streams = await addSimulated(appliance, simulator, cameras);
    await untilAllLive(appliance, cameras);
    await untilWebRtc(appliance);
    const made = await appliance.call('POST', '/api/tokens', { name: 'bench', role: 'viewer' });
    const { secret: token } = made as { secret: string };
    const servePid = await appliance.rolePid('serve');
    await sleep(5_000);
    const alone = await measure(windowMs, () => [servePid]);
    const begunMs = performance.now();
    watching = new WhepViewers({
      kind: 'counting',
      urls: Array.from({ length: count }, (_, i) => `${appliance.url}/whep/${streams[i % cameras]?.streamId}`),
      ...{ token, staggerMs: 100 },
    });
    const { faults } = watching;
    await until(
      'all viewers have a picture',
      () => {
        if (faults.length > 0) throw new Error(faults.join('\n'));
        return watching?.watching === count;
      },
      90_000,
    );
    const allMs = performance.now() - begunMs;
    await sleep(5_000);
    await watching.counts();
    const measured = await measure(windowMs, () => [servePid]);
    const counts = await watching.counts();
    const wanted = (measured.windowMs / 1_000) * framesPerSecond;
    const firstMs = counts.map((each) => each.firstMs ?? Number.NaN).sort((a, b) => a - b);
    const cpuPercent = measured.cpuPercent - alone.cpuPercent;
    return [
      {
        what: `${perCamera} viewer${perCamera === 1 ? '' : 's'} of ${cameras === 1 ? 'one 4 Mb/s camera' : `each of ${cameras} cameras`}`,
        viewers: count,
        'first picture ms, median': firstMs[Math.floor(count / 2)] ?? Number.NaN,
        'all pictured ms': allMs,
        'pictures %, worst viewer': (Math.min(...counts.map(({ pictures }) => pictures)) / wanted) * 100,
        'longest pause ms': Math.max(...counts.map(({ longestMs }) => longestMs)),
        'packets lost': counts.reduce((sum, { lost }) => sum + lost, 0),
        'CPU % of a core': cpuPercent,
        'per viewer %': cpuPercent / count,
        'MB more': (measured.pssBytes - alone.pssBytes) / 1e6,
      },
    ];
  } finally {
    await watching?.close();
    await appliance.close();
    await simulator.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** The page's own player, from its sources. */
async function serveSources(page: Page, appliance: RunningAppliance, streamId: string): Promise<void> {
  await page.route(`${appliance.url}/bench/**`, async (route) => {
    const { pathname } = new URL(route.request().url());
    const script = (body: string) => route.fulfill({ contentType: 'text/javascript', body });
    if (pathname === '/bench/') return route.fulfill({ contentType: 'text/html', body: html(streamId) });
    if (pathname === '/bench/hls.mjs') {
      return script(await readFile(createRequire(import.meta.url).resolve('hls.js/dist/hls.mjs'), 'utf8'));
    }
    const file = join(sources, pathname.slice('/bench/src/'.length));
    return script(stripTypeScriptTypes(await readFile(file, 'utf8')));
  });
}

/** The page's own session: a WebSocket of a browser carries nothing but its cookie. */
async function logIn(page: Page, appliance: RunningAppliance): Promise<void> {
  const password = /one-time password\s+(\S+)\s*$/im.exec(appliance.output())?.[1] ?? '';
  const post = (path: string, body: object) =>
    page.evaluate(
      async ([to, text]) => {
        const headers = { 'content-type': 'application/json' };
        const { ok, status } = await fetch(to ?? '', { method: 'POST', headers, body: text ?? '' });
        if (!ok) throw new Error(`${to}: ${status}`);
      },
      [path, JSON.stringify(body)],
    );
  await post('/api/session', { name: 'admin', password });
  await post('/api/session/password', { currentPassword: password, newPassword: 'a password for the bench' });
}

async function untilWebRtc(appliance: RunningAppliance): Promise<void> {
  await until('webrtc is ready', async () => {
    const { webrtc } = (await appliance.call('GET', '/api/system')) as { webrtc: { state: string } };
    return webrtc.state === 'ready';
  });
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
