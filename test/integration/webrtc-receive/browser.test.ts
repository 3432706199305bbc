import { expect, test } from 'vitest';
import { PeerMedia } from '../../../gateway/webrtc/receive/index.ts';
import type { Receiver } from '../../../gateway/webrtc/sessions/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { findMediaWorker } from '../../kit/media-worker.ts';
import { until } from '../../kit/until.ts';
import { startLiveSite } from '../webrtc-sessions/kit.ts';
import { openPage } from '../webrtc-sessions/page.ts';

await findMediaWorker();

test("Chromium's pictures have key frames in time, their sound in step, and another session for each real change of size", async () => {
  const sessions: { readonly reason: string; readonly width: number | undefined; readonly isKey: boolean[] }[] = [];
  /** Producer time of time 0, by each unit: the same for both tracks where sound is in step. */
  const zeros = { video: [] as number[], audio: [] as number[] };
  let keyFrames = 0;
  const faults: unknown[] = [];
  const receive: Receiver['receive'] = async ({ worker, video, audio }) => {
    const media = new PeerMedia(
      {
        ...{ clock: systemClock, random: Math.random, worker, onFault: (end) => faults.push(end) },
        sink: {
          session: (tracks, reason) => sessions.push({ reason, width: tracks[0]?.video?.widthPixels, isKey: [] }),
          unit: ({ trackNumber, isKey, presentationTimeUs, producerTimestampMs }) => {
            const isVideo = trackNumber === 1;
            if (isVideo) sessions.at(-1)?.isKey.push(isKey);
            if (isVideo && isKey) keyFrames++;
            if (producerTimestampMs === undefined) return;
            zeros[isVideo ? 'video' : 'audio'].push(producerTimestampMs - presentationTimeUs / 1_000);
          },
          loss: () => {},
          clock: () => {},
        },
      },
      { video, audio },
    );
    await media.start();
    return { onEnded: () => {}, close: async () => media.close() };
  };
  const site = await startLiveSite({ receiver: { receive } });
  const admin = await site.admin();
  const { json } = await admin.post('/api/cameras', { name: 'Booth', source: { kind: 'whip' } });
  const { publish, page } = await openPage(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']);
  const scale = (by: number) =>
    page.evaluate(`(async () => {
      const sender = held.connection.getSenders().find(({ track }) => track.kind === 'video');
      const parameters = sender.getParameters();
      parameters.encodings[0].scaleResolutionDownBy = ${by};
      await sender.setParameters(parameters);
    })()`);

  const told = await publish({ url: `${site.origin}/whip/Booth`, token: json.streamKeys.main });
  await until('three key frames came', () => keyFrames >= 3, 60_000);
  const apartMs = () => Math.abs((zeros.video.at(-1) ?? Number.NaN) - (zeros.audio.at(-1) ?? Number.NaN));
  await until('sound is in step', () => apartMs() < 50, 60_000);
  const width = sessions.at(-1)?.width ?? 0;
  await scale(2);
  await until('it is half as wide', () => (sessions.at(-1)?.width ?? width) <= width / 2, 60_000);
  await until('it goes on', () => (sessions.at(-1)?.isKey.length ?? 0) > 60, 60_000);

  expect(told.status).toBe(201);
  expect(faults).toEqual([]);
  expect(sessions.every(({ isKey }) => isKey[0] === true)).toBe(true);
  expect(sessions.slice(1).every(({ reason }) => reason === 'tracks-changed')).toBe(true);
  // One change that we made; on a busy machine Chromium changes the size by itself, a few times.
  expect(sessions.length).toBeLessThan(10);
}, 180_000);
