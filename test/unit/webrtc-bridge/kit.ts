/** A lane that tells what the test says, and a feed over it. */

import { onTestFinished } from 'vitest';
import { LiveFeed } from '../../../gateway/rtp/index.ts';
import { bridgeLimits } from '../../../gateway/webrtc/bridge/limits.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { LaneEvent } from '../../../storage/lane/index.ts';
import { g711Track, h264Parameters, joinNals, videoTrack } from '../../../storage/media/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { until } from '../../kit/until.ts';
import { pps, slice, sps } from '../rtsp/packets.ts';

export const video = videoTrack(1, h264Parameters(sps, [pps]));
export const sound = g711Track(2, { law: 'pcma', samplingFrequencyHz: 8_000, channels: 1 });
export const baseMs = Date.UTC(2026, 0, 1);

/** A picture, or a frame of sound, at so many milliseconds of its session. */
export function unit(
  sessionMs: number,
  facts: { readonly isKey?: boolean; readonly trackNumber?: number; readonly bytes?: number } = {},
): LaneEvent {
  const { isKey = false, trackNumber = 1, bytes = 20 } = facts;
  return {
    kind: 'unit',
    unit: {
      trackNumber,
      presentationTimeUs: sessionMs * 1000,
      serverTimestampMs: baseMs + sessionMs,
      producerTimestampMs: undefined,
      isKey,
      isAfterLoss: false,
      bytes: trackNumber === 1 ? joinNals([slice({ isKey, bytes })]) : new Uint8Array(bytes),
    },
  };
}

export function toldLane() {
  const events: LaneEvent[] = [];
  let wake = () => {};
  return {
    lane: {
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
    },
    tell: async (...told: LaneEvent[]) => {
      events.push(...told);
      wake();
      await until('it is heard', () => events.length === 0);
      for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

export function toldFeed() {
  const clock = new SimulatedClock(baseMs);
  const { lane, tell } = toldLane();
  const random = (bytes: number) => new Uint8Array(bytes).fill(0xff);
  const feed = new LiveFeed({ clock, log: silentLog, random, lane }, { streamId: 'x', limits: bridgeLimits.feeds });
  feed.start();
  onTestFinished(() => feed.close());
  return { clock, feed, tell };
}
