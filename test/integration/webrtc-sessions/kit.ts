/** A running `serve` with a real media plane, and a real camera behind a real `Ingest` for its viewers. */

import { randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { iceServers, type TurnServers } from '../../../gateway/kvs/index.ts';
import { Conversions } from '../../../gateway/playback/index.ts';
import { Bridges } from '../../../gateway/webrtc/bridge/index.ts';
import { MediaPlane } from '../../../gateway/webrtc/media-plane/index.ts';
import {
  type Receiver,
  type SessionEvents,
  WhepSessions,
  WhipSessions,
} from '../../../gateway/webrtc/sessions/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import { startGstCamera } from '../../kit/gst-camera.ts';
import { findMediaWorker } from '../../kit/media-worker.ts';
import { until } from '../../kit/until.ts';
import { type SiteOptions, startSite } from '../admin/kit.ts';
import { plannedOf, planOf, sourceOf, startIngest, storedFiles, streamId } from '../ingest/ingest-kit.ts';
import { noLane, readerOf } from '../rtsp-server/kit.ts';

const workerPath = await findMediaWorker();

const nobodyReceives: Receiver = {
  receive: async () => ({ onEnded: () => {}, close: async () => {} }),
};

export type LiveSiteOptions = {
  readonly receiver?: Receiver;
  readonly events?: SessionEvents;
  readonly turn?: TurnServers;
  /** There is no worker, and there will be none. */
  readonly isWorkerAway?: boolean;
  readonly site?: SiteOptions;
  /** What viewers of any stream are shown; nothing where it is left out. */
  readonly camera?: Parameters<typeof startGstCamera>[0];
};

export async function startLiveSite(options: LiveSiteOptions = {}) {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => lines.push(line) } });
  const deps = { clock: systemClock, log, random: randomBytes };
  const plane = new MediaPlane(
    { ...deps, random: Math.random },
    {
      workerPath: () => (options.isWorkerAway === true ? undefined : workerPath),
      whyNoWorker: () => ({ state: 'building', reason: 'the WebRTC worker is being built, 120 of 263 steps' }),
      ...{ workers: 1, port: 0, host: '127.0.0.1', announced: [] },
    },
  );
  await plane.start();
  onTestFinished(() => plane.close());
  if (options.isWorkerAway !== true) await until('the worker is ready', () => plane.status().state === 'ready');

  const recorded = await startCamera(options.camera, deps);
  const bridges = new Bridges({
    ...{ ...deps, ffmpeg: 'ffmpeg' },
    conversions:
      recorded?.conversions ??
      ({ enterRunning: () => {}, leaveRunning: () => {}, encoder: async () => 'libx264' } as never),
    laneOf: () =>
      recorded === undefined ? noLane : { subscribe: (_id, how) => recorded.client.subscribe(streamId, how) },
  });
  onTestFinished(() => bridges.close());
  const events = options.events ?? {};
  const whep = new WhepSessions({ ...deps, plane, bridges, events });
  const whip = new WhipSessions({ ...deps, plane, receiver: options.receiver ?? nobodyReceives, events });
  onTestFinished(async () => {
    await Promise.all([whep.sessions.close(), whip.sessions.close()]);
  });
  const site = await startSite({
    ...options.site,
    liveSessions: {
      ...{ whep, whip },
      iceServers: async (who) =>
        options.turn === undefined ? [] : iceServers(options.turn, { who, nowMs: Date.now() }),
    },
  });
  return { ...site, plane, whep, whip, lines, origin: `https://127.0.0.1:${site.port}` };
}

async function startCamera(
  options: LiveSiteOptions['camera'],
  deps: { readonly clock: typeof systemClock; readonly log: ReturnType<typeof createLog> },
) {
  if (options === undefined) return undefined;
  const camera = await startGstCamera({ gopFrames: 50, ...options });
  const started = await startIngest();
  await started.ingest.apply(planOf(plannedOf(sourceOf(camera))));
  await until('it records', async () => (await storedFiles(started.paths)).length > 0);
  const source = await readerOf(started.paths, started.client);
  const conversions = new Conversions({ ...deps, source, ffmpeg: 'ffmpeg' }, { conversionsMax: 1, cores: 2 });
  onTestFinished(() => conversions.close());
  return { ...started, camera, conversions };
}
