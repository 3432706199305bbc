import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Clip, Clips } from '../../../gateway/playback/index.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { until } from '../../kit/until.ts';
import { launchChromium } from './chromium.ts';
import { codedClip } from './coded-clips.ts';
import { beginMs, RecordedStream, streamId } from './recorded-stream.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser.close());

/** Serves a clip with byte ranges, and a page that plays it. */
async function servedClip(clip: Clip): Promise<string> {
  const server = createServer(async (request, response) => {
    if (request.url !== '/clip.mp4') {
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end('<video id="video" src="/clip.mp4" autoplay></video>');
      return;
    }
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const begin = Number(first ?? 0);
    const end = last === undefined || last === '' ? clip.byteLength : Number(last) + 1;
    response.writeHead(first === undefined ? 200 : 206, {
      'content-type': clip.contentType,
      'content-length': end - begin,
      'accept-ranges': 'bytes',
      ...(first === undefined ? {} : { 'content-range': `bytes ${begin}-${end - 1}/${clip.byteLength}` }),
    });
    // A browser that seeks ends the old request.
    await pipeline(clip.read({ begin, end }), response).catch(() => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

type State = {
  time: number;
  duration: number;
  pictures: number;
  soundBytes: number;
  ended: boolean;
  error: string | null;
};

function stateOf(page: Page): Promise<State> {
  return page.evaluate(`(() => {
    const video = document.getElementById('video');
    return {
      time: video.currentTime,
      duration: video.duration,
      pictures: video.getVideoPlaybackQuality().totalVideoFrames,
      soundBytes: video.webkitAudioDecodedByteCount,
      ended: video.ended,
      error: video.error && video.error.message,
    };
  })()`);
}

async function openClip(clip: Clip): Promise<Page> {
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.goto(await servedClip(clip));
  return page;
}

describe('a clip as a plain file in Chromium', () => {
  test.each([
    ['AAC', 'aac', 0],
    ['G.711 mu-law', 'pcmu', 2],
    ['G.711 A-law', 'pcma', 0],
    ['Opus', 'opus', 0],
  ] as const)('plays to its end with %s', async (_, audio, bFrames) => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 4, audio, bFrames }), { atMs: beginMs });
    const clip = await new Clips({ source: stream, log: silentLog }).open(streamId, {
      beginMs,
      endMs: beginMs + 60_000,
    });

    const page = await openClip(clip);

    const last = await until('played to the end', async () => {
      const now = await stateOf(page);
      expect(now.error).toBeNull();
      return now.ended ? now : undefined;
    });
    expect(last.duration).toBeGreaterThan(3.9);
    expect(last.duration).toBeLessThan(4.4);
    expect(last.pictures).toBeGreaterThanOrEqual(95);
    expect(last.soundBytes).toBeGreaterThan(1000);
  });

  test('seeks over a change of picture size and codec, reading only what it needs', async () => {
    const stream = new RecordedStream();
    stream.addRun(await codedClip({ seconds: 30, gopPictures: 50 }), { atMs: beginMs });
    stream.addRun(await codedClip({ seconds: 20, audio: 'pcma', size: '480x270' }), { atMs: beginMs + 60_000 });
    const clip = await new Clips({ source: stream, log: silentLog }).open(streamId, {
      beginMs,
      endMs: beginMs + 600_000,
    });
    const page = await openClip(clip);

    for (const toS of [40, 5, 29, 45]) {
      await page.evaluate(`document.getElementById('video').currentTime = ${toS}`);
      await until(`plays at ${toS} s`, async () => {
        const { time, error } = await stateOf(page);
        expect(error).toBeNull();
        return time > toS + 0.3 && time < toS + 5;
      });
    }

    expect((await stateOf(page)).duration).toBeCloseTo(50, 0);
  });
});
