import { expect, test } from 'vitest';
import { type FeedLimits, type FeedReader, type FeedUnit, LiveFeed } from '../../../gateway/rtp/live-feed.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { LaneEvent } from '../../../storage/lane/index.ts';
import { aacTrack, h264Parameters, joinNals, videoTrack } from '../../../storage/media/index.ts';
import type { Track } from '../../../storage/model/track.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { until } from '../../kit/until.ts';
import { pps, slice, sps } from '../rtsp/packets.ts';

const video = videoTrack(1, h264Parameters(sps, [pps]));
const sound = aacTrack(2, Uint8Array.of(0x11, 0x90));
const feedLimits: FeedLimits = {
  packets: { packetBytesMax: 1_400, hasDelimiters: true },
  laneBytesMax: 16_000_000,
  keptBytesMax: 8_000_000,
  keptUnitsMax: 4_000,
  sourceAwayMs: 15_000,
};
const baseMs = Date.UTC(2026, 0, 1);

const joined = (tracks: readonly Track[]): LaneEvent => ({ kind: 'joined', tracks, from: undefined });
const session = (tracks: readonly Track[]): LaneEvent => ({ kind: 'session', tracks });
/** A picture at so many milliseconds of its session, that came at so many of the day. */
const picture = (sessionMs: number, dayMs: number, isKey = false): LaneEvent => ({
  kind: 'unit',
  unit: {
    trackNumber: 1,
    presentationTimeUs: sessionMs * 1000,
    serverTimestampMs: baseMs + dayMs,
    producerTimestampMs: undefined,
    isKey,
    isAfterLoss: false,
    bytes: joinNals([slice({ isKey })]),
  },
});

/** A feed whose lane is what the test tells. */
function feedOf() {
  const clock = new SimulatedClock();
  const events: LaneEvent[] = [];
  let wake = () => {};
  const lane = {
    async *subscribe(_streamId: string, { signal }: { readonly signal?: AbortSignal }) {
      signal?.addEventListener('abort', () => wake());
      while (signal?.aborted !== true) {
        const event = events.shift();
        if (event !== undefined) yield event;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
  };
  const random = (bytes: number) => new Uint8Array(bytes).fill(0xff);
  const feed = new LiveFeed({ clock, log: silentLog, random, lane }, { streamId: 'x', limits: feedLimits });
  feed.start();
  return {
    feed,
    clock,
    tell: async (...told: LaneEvent[]) => {
      events.push(...told);
      wake();
      await until('it is heard', () => events.length === 0);
      await new Promise((resolve) => setImmediate(resolve));
    },
    join: () => {
      const seen = { units: [] as FeedUnit[], ended: [] as string[] };
      const reader: FeedReader = {
        tracks: new Set(feed.tracks),
        unit: (unit) => seen.units.push(unit),
        ended: (why) => seen.ended.push(why),
      };
      feed.join(reader);
      return seen;
    },
  };
}

/** Seconds of RTP time from the first unit on. */
const secondsOf = (units: readonly FeedUnit[]) =>
  units.map(({ burst }) => ((burst.rtpTime - (units[0]?.burst.rtpTime ?? 0) + 2 ** 32) % 2 ** 32) / 90_000);

test('a reader begins with the kept GOP, another one with the same bytes', async () => {
  const { tell, join, feed } = feedOf();
  await tell(joined([video]), picture(0, 0, true), picture(40, 40), picture(1_000, 1_000, true), picture(1_040, 1_040));

  const [first, second] = [join(), join()];
  await tell(picture(1_080, 1_080));

  expect(secondsOf(first.units)).toEqual([0, 0.04, 0.08]);
  expect(first.units.map(({ burst }) => burst.bytes)).toEqual(second.units.map(({ burst }) => burst.bytes));
  expect(first.units[2]?.burst.bytes).toBe(second.units[2]?.burst.bytes);
  await feed.close();
});

test('a source that begins anew goes on by what really passed, on the same numbers', async () => {
  const { tell, join, feed } = feedOf();
  await tell(joined([video]), picture(5_000, 0, true));
  const reader = join();

  await tell(
    { kind: 'ended', reason: 'connection-lost' },
    session([video]),
    picture(0, 8_000, true),
    picture(40, 8_040),
  );

  expect(secondsOf(reader.units)).toEqual([0, 8, 8.04]);
  const sequences = reader.units.map(({ burst }) => [burst.firstSequence, burst.packets]);
  expect(sequences).toEqual([
    [65_535, 3],
    [2, 3],
    [5, 1],
  ]);
  expect(reader.ended).toEqual([]);
  await feed.close();
});

test('sound that comes later is for those who ask then; another codec ends whoever has the old one', async () => {
  const { tell, join, feed } = feedOf();
  await tell(joined([video]), picture(0, 0, true));
  const early = join();
  await tell(session([video, sound]), picture(0, 1_000, true));
  const late = join();
  const h265: Track = { ...video, codec: 'h265', codecId: 'V_MPEGH/ISO/HEVC', codecPrivate: new Uint8Array() };

  expect([early.ended, feed.tracks.map((track) => track.format.codec)]).toEqual([[], ['h264', 'aac']]);
  await tell(session([h265]));

  expect([early.ended.length, late.ended.length]).toEqual([1, 1]);
  await feed.close();
});

test('a camera that stays away ends its readers after a while, and not before', async () => {
  const { tell, join, feed, clock } = feedOf();
  await tell(joined([video]), picture(0, 0, true));
  const reader = join();
  await tell({ kind: 'ended', reason: 'source-closed' });

  await clock.advance(14_000);
  expect(reader.ended).toEqual([]);
  await clock.advance(2_000);

  expect(reader.ended).toEqual(['the camera is away']);
  await feed.close();
});
