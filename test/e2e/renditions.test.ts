/** A camera with two sources: added at the command line, both live and recorded, and a browser that goes from one to the other. */

import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { startBrowser } from '../kit/browser.ts';
import { readFrameNumbers, startGstCamera } from '../kit/gst-camera.ts';
import { checkFindings, segmentFiles } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

type Camera = {
  id: string;
  streams: { id: string; name: string; role: string }[];
  state: { state: string; isRecording: boolean } | null;
  sub: { state: { state: string; isRecording: boolean; mainOffsetMs: number | null } | null };
};

type Shown = { widthPixels: number; timeS: number; fatal: string[]; levels: number };

const script = `
  document.body.innerHTML = '<video id="v" muted autoplay></video>';
  window.fatal = [];
  window.play = (url) => {
    window.hls?.destroy();
    const hls = new Hls({ liveSyncDurationCount: 2 });
    window.hls = hls;
    hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) window.fatal.push(data.details); });
    hls.on(Hls.Events.MANIFEST_PARSED, () => document.getElementById('v').play());
    hls.loadSource(url);
    hls.attachMedia(document.getElementById('v'));
  };
  window.shown = () => {
    const video = document.getElementById('v');
    return { widthPixels: video.videoWidth, timeS: video.currentTime, fatal: window.fatal, levels: window.hls?.levels.length ?? 0 };
  };
  window.choose = (width) => { window.hls.nextLevel = window.hls.levels.findIndex((level) => level.width === width); };`;

test('a camera with a main and a sub source is live and recorded in both, and players go from one to the other', {
  timeout: 180_000,
}, async () => {
  const epochMs = Date.now();
  const main = await startGstCamera({ audio: 'aac', widthPixels: 640, heightPixels: 360, auth: 'digest', epochMs });
  const small = { widthPixels: 320, heightPixels: 180, kilobitsPerSecond: 150, gopFrames: 50 };
  const sub = await startGstCamera({ audio: 'aac', ...small, epochMs });
  const dataDirectory = await temporaryDirectory();
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const withUser = main.url.replace('rtsp://', `rtsp://admin:${encodeURIComponent(main.options.password)}@`);
  const subWithUser = sub.url.replace('rtsp://', 'rtsp://nobody:none@');

  const args = ['cameras', 'add', 'gate', withUser, '--sub', subWithUser, '--record-sub'];
  await promisify(execFile)(process.execPath, ['appliance/main.ts', ...args, '--data-directory', dataDirectory]);

  // Both are recorded, and the sub source's place beside the main one is told.
  const camera = await until('both are recorded', async () => {
    const { cameras } = (await appliance.call('GET', '/api/cameras')) as { cameras: Camera[] };
    const [found] = cameras;
    const isBoth = found?.state?.isRecording === true && found.sub.state?.isRecording === true;
    return isBoth && typeof found.sub.state?.mainOffsetMs === 'number' ? found : undefined;
  });
  expect(camera.streams).toMatchObject([
    { name: 'gate', role: 'main' },
    { name: 'gate-sub', role: 'sub' },
  ]);
  expect(Math.abs(camera.sub.state?.mainOffsetMs ?? Number.NaN)).toBeLessThan(1_500);

  // A browser plays the live main stream, the sub one and the main one again.
  const { secret } = (await appliance.call('POST', '/api/tokens', { name: 'viewer', role: 'viewer' })) as {
    secret: string;
  };
  const browser = await startBrowser();
  onTestFinished(() => browser.close());
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    bypassCSP: true,
    extraHTTPHeaders: { authorization: `Bearer ${secret}` },
  });
  const page = await context.newPage();
  await page.goto(`${appliance.url}/healthz`);
  await page.addScriptTag({ path: createRequire(import.meta.url).resolve('hls.js/dist/hls.js') });
  await page.addScriptTag({ content: script });
  const shown = () => page.evaluate<Shown>('shown()');
  const untilWide = (widthPixels: number) =>
    until(`${widthPixels} pixels are shown and go on`, async () => {
      const now = await shown();
      expect(now.fatal).toEqual([]);
      return now.widthPixels === widthPixels && now.timeS > 0 ? now : undefined;
    });
  const [mainId, subId] = camera.streams.map((stream) => stream.id);
  const address = (streamId: string | undefined) => `/api/streams/${streamId}/hls/master.m3u8`;
  const begunMs = Date.now();
  await page.evaluate(`play(${JSON.stringify(address(mainId))})`);
  const first = await untilWide(640);
  await page.evaluate('choose(320)');
  const second = await untilWide(320);
  await page.evaluate('choose(640)');
  const third = await untilWide(640);
  expect(first.levels).toBe(2);
  expect([second.timeS > first.timeS, third.timeS > second.timeS]).toEqual([true, true]);

  // So does a recorded range; each stream's own address plays it alone.
  await until('half a minute is recorded', () => Date.now() > begunMs + 15_000);
  await page.evaluate(`play(${JSON.stringify(`${address(mainId)}?begin=${begunMs}&end=${Date.now() - 1_000}`)})`);
  await untilWide(640);
  await page.evaluate('choose(320)');
  await untilWide(320);
  await page.evaluate(`play(${JSON.stringify(address(subId))})`);
  expect(await untilWide(320)).toMatchObject({ levels: 1 });
  await page.evaluate(`play(${JSON.stringify(`${address(mainId)}?renditions=one`)})`);
  expect(await untilWide(640)).toMatchObject({ levels: 1 });
  await page.close();

  // Every picture of both is there, and check finds nothing.
  await appliance.close();
  for (const streamId of [mainId, subId]) {
    for (const file of await segmentFiles(dataDirectory, streamId ?? '')) {
      const numbers = await readFrameNumbers(file);
      expect(numbers.every((number, i) => i === 0 || number === (numbers[i - 1] ?? 0) + 1)).toBe(true);
    }
  }
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
