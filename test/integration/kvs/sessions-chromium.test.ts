/** Streaming sessions in the players that pages use. Numbers are those of the checklist. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { until } from '../../kit/until.ts';
import { launchChromium } from '../playback/chromium.ts';
import { codedClip } from '../playback/coded-clips.ts';
import { startPlaybackSite, TimedStream } from './playback-kit.ts';
import { openPlayer, type PlayerState } from './players.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser.close());

const hourAgoMs = Math.floor(performance.timeOrigin / 1000) * 1000 - 3_600_000;

/** A player that a busy machine holds up finds what it missed. */
const many = { hls: { MaxMediaPlaylistFragmentResults: 100 }, dash: { MaxManifestFragmentResults: 100 } } as const;

function onDemand() {
  return {
    PlaybackMode: 'ON_DEMAND',
    HLSFragmentSelector: selector(),
  } as const;
}

function selector() {
  return {
    FragmentSelectorType: 'SERVER_TIMESTAMP',
    TimestampRange: { StartTimestamp: new Date(hourAgoMs), EndTimestamp: new Date(hourAgoMs + 1_800_000) },
  } as const;
}

/** A camera that broke off for ten minutes, came back in another size without sound, and then as it was. */
async function brokenStream(): Promise<TimedStream> {
  const stream = new TimedStream();
  const clip = await codedClip({ seconds: 2 });
  stream.addRun(clip, { atMs: hourAgoMs });
  stream.addRun(await codedClip({ seconds: 2, audio: 'none', size: '480x270' }), { atMs: hourAgoMs + 600_000 });
  stream.addRun(clip, { atMs: hourAgoMs + 603_000 });
  return stream;
}

const toTheEnd = (state: () => Promise<PlayerState>) =>
  until('played to the end', async () => {
    const now = await state();
    expect(now.fatal).toEqual([]);
    return now.ended ? now : undefined;
  });

test.each([
  ['without any mark', { DiscontinuityMode: 'NEVER' }],
  ['in transport streams', { ContainerFormat: 'MPEG_TS' }],
] as const)(
  '(82, 83, 88) hls.js plays what was recorded over breaks, sizes and silence to its end: %s',
  async (_, options) => {
    const site = await startPlaybackSite(await brokenStream());

    const state = await openPlayer(browser, 'hls', await site.hlsUrl({ ...onDemand(), ...options }));

    const last = await toTheEnd(state);
    expect(last.pictures).toBeGreaterThanOrEqual(110);
    expect(last.soundBytes).toBeGreaterThan(1000);
  },
);

test.each(['hls', 'dash'] as const)(
  '(82, 86, 90) %s replays what was recorded as if it were live, to its end',
  async (player) => {
    const stream = new TimedStream();
    stream.addRun(await codedClip({ seconds: 5 }), { atMs: hourAgoMs });
    const site = await startPlaybackSite(stream);

    const url =
      player === 'hls'
        ? await site.hlsUrl({ ...many.hls, PlaybackMode: 'LIVE_REPLAY', HLSFragmentSelector: selector() })
        : await site.dashUrl({ ...many.dash, PlaybackMode: 'LIVE_REPLAY', DASHFragmentSelector: selector() });
    const state = await openPlayer(browser, player, url);

    await until('played to the end', async () => {
      const now = await state();
      expect(now.fatal).toEqual([]);
      return now.currentTime > 4.5 && now.pictures > 25;
    });
  },
);

test('(82, 90) dash.js plays what was recorded to its end', async () => {
  const stream = new TimedStream();
  const clip = await codedClip({ seconds: 2, audio: 'pcma' });
  stream.addRun(clip, { atMs: hourAgoMs });
  stream.addRun(clip, { atMs: hourAgoMs + 600_000 });
  const site = await startPlaybackSite(stream);

  const url = await site.dashUrl({ PlaybackMode: 'ON_DEMAND', DASHFragmentSelector: selector() });
  const state = await openPlayer(browser, 'dash', url);

  const last = await toTheEnd(state);
  expect(last.pictures).toBeGreaterThanOrEqual(75);
  expect(last.soundBytes).toBeGreaterThan(1000);
  expect(last.duration).toBeCloseTo(4, 0);
});

test.each(['hls', 'dash'] as const)('(82, 90) %s follows a live stream over a break', async (player) => {
  const recorded = new TimedStream();
  // Longer than it is looked at: a busy machine may begin late, and skip some of it.
  const clips = [await codedClip({ seconds: 9 }), await codedClip({ seconds: 30 })] as const;
  const nowMs = systemClock.wallMs();
  recorded.addRun(clips[0], { atMs: nowMs - 6_000 });
  const second = recorded.addRun(clips[1], { atMs: nowMs + 6_000 });
  const live = recorded.head(6);
  const stream = Object.assign(new TimedStream(), {
    fragments: live.fragments,
    clusterBytes: live.clusterBytes.bind(live),
  });
  const coming = recorded.fragments.slice(6);
  const site = await startPlaybackSite(stream);
  onTestFinished(
    systemClock.every(200, () => {
      const [next] = coming;
      if (next === undefined || next.fragment.serverTimestampMs + 1_000 > systemClock.wallMs()) return;
      live.show(next);
      coming.shift();
    }),
  );

  const state = await openPlayer(
    browser,
    player,
    player === 'hls' ? await site.hlsUrl(many.hls) : await site.dashUrl(many.dash),
  );

  const playing = await until('plays', async () => ((await state()).pictures > 10 ? await state() : undefined));
  await until('the stream is there again', () => coming.length < second.length - 3);
  const before = (await state()).pictures;
  const later = await until('goes on behind the break', async () => {
    const now = await state();
    expect(now.fatal).toEqual([]);
    // More than a player that lags may still have of the time before.
    return now.pictures > before + 100 ? now : undefined;
  });
  expect(later.soundBytes).toBeGreaterThan(playing.soundBytes);
});
