/**
 * What a watched camera costs between the lane and the WebRTC worker: CPU of this process alone, which makes the packets and sends
 * them to a real worker, less what making the pictures costs.
 */

import { randomBytes } from 'node:crypto';
import { Bridges } from '../../gateway/webrtc/bridge/index.ts';
import { MediaPlane } from '../../gateway/webrtc/media-plane/index.ts';
import { systemClock } from '../../storage/base/clock.ts';
import { silentLog } from '../../storage/base/log.ts';
import type { LaneClient, LaneEvent } from '../../storage/lane/index.ts';
import { h264Parameters, joinNals, videoTrack } from '../../storage/media/index.ts';
import { findMediaWorker } from '../kit/media-worker.ts';
import { until } from '../kit/until.ts';
import { pps, slice, sps } from '../unit/rtsp/packets.ts';
import type { Row } from './table.ts';

const framesPerSecond = 25;
const gopFrames = 50;
/** 4 Mb/s with key frames of five times the other pictures. */
const pictureBytes = 18_500;

export async function benchWebRtcBridge({ windowMs }: { readonly windowMs: number }): Promise<Row[]> {
  const workerPath = await findMediaWorker();
  const plane = new MediaPlane(
    { clock: systemClock, log: silentLog, random: Math.random },
    { workerPath: () => workerPath, workers: 1, port: 0, host: '127.0.0.1', announced: [] },
  );
  await plane.start();
  await until('the worker is ready', () => plane.status().state === 'ready');
  const bridges = new Bridges({
    ...{ clock: systemClock, log: silentLog, random: randomBytes, ffmpeg: 'ffmpeg' },
    laneOf: () => syntheticCamera,
    conversions: {
      enterRunning: () => {},
      leaveRunning: () => {},
      encoder: () => Promise.reject(new Error('nothing is converted')),
    },
  });
  try {
    const worker = plane.place('bench');
    const pictures = await cpuPercent(windowMs, async () => {
      const ending = new AbortController();
      const reading = drain(syntheticCamera, ending.signal);
      return async () => {
        ending.abort();
        await reading;
      };
    });
    const rows: Row[] = [];
    for (const cohorts of [1, 2, 4, 8]) {
      const percent = await cpuPercent(windowMs, async () => {
        const viewers = await Promise.all(
          Array.from({ length: cohorts }, () =>
            bridges.watch('camera', { worker, canPlay: new Set(['h264'] as const), viewer: 'bench' }),
          ),
        );
        for (const { video } of viewers) video?.begin();
        return async () => {
          for (const viewer of viewers) viewer.release();
        };
      });
      rows.push({ what: 'bridge, one 4 Mb/s camera', cohorts, 'CPU % of a core': percent - pictures });
    }
    return rows;
  } finally {
    await bridges.close();
    await plane.close();
  }
}

const syntheticCamera: Pick<LaneClient, 'subscribe'> = {
  async *subscribe(_streamId, { signal }): AsyncGenerator<LaneEvent> {
    yield { kind: 'joined', tracks: [videoTrack(1, h264Parameters(sps, [pps]))], from: undefined };
    const startedMs = systemClock.monotonicMs();
    for (let at = 0; signal?.aborted !== true; at++) {
      const isKey = at % gopFrames === 0;
      const mediaMs = (at * 1000) / framesPerSecond;
      await systemClock.sleep(Math.max(0, startedMs + mediaMs - systemClock.monotonicMs()));
      const bytes = joinNals([slice({ isKey, bytes: isKey ? 5 * pictureBytes : pictureBytes })]);
      const times = { presentationTimeUs: mediaMs * 1000, serverTimestampMs: systemClock.wallMs() };
      const facts = { trackNumber: 1, producerTimestampMs: undefined, isKey, isAfterLoss: false };
      yield { kind: 'unit', unit: { ...times, ...facts, bytes } };
    }
  },
};

async function drain(lane: Pick<LaneClient, 'subscribe'>, signal: AbortSignal): Promise<void> {
  for await (const _ of lane.subscribe('camera', { onOverflow: 'drop-to-key-frame', bytesMax: 1, signal }));
}

/** @param begin  begins the work, returns how to end it */
async function cpuPercent(windowMs: number, begin: () => Promise<() => Promise<void>>): Promise<number> {
  const end = await begin();
  await systemClock.sleep(3_000);
  const before = process.cpuUsage();
  const startedMs = performance.now();
  await systemClock.sleep(windowMs);
  const { user, system } = process.cpuUsage(before);
  const percent = (user + system) / 10 / (performance.now() - startedMs);
  await end();
  return percent;
}
