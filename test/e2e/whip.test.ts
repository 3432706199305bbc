/** A browser that publishes its camera by WHIP to a whole appliance, loses the process that speaks WebRTC, and publishes again. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openPage } from '../integration/webrtc-sessions/page.ts';
import { startAppliance } from '../kit/appliance.ts';
import { timeline, untilState } from '../kit/footage.ts';
import { checkFindings, probeFrames, segmentFiles } from '../kit/judge.ts';
import { findMediaWorker } from '../kit/media-worker.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

// Here, where no test's time runs while it is built.
await findMediaWorker();

type Created = { id: string; streams: { id: string; name: string }[]; streamKeys: { main: string } };

/** The pictures stop and the connection stays: what was sent until then is all there will be. */
const stopPictures = `(async () => {
  const sender = held.connection.getSenders().find(({ track }) => track?.kind === 'video');
  await sender.replaceTrack(null);
  for (let sent = -1; ; ) {
    const before = sent;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    for (const one of (await held.connection.getStats()).values())
      if (one.type === 'outbound-rtp' && one.kind === 'video') sent = one.framesSent;
    if (sent === before) return sent;
  }
})()`;

test('a browser is recorded picture by picture, through the death of the process that speaks WebRTC, and its clip plays', async () => {
  const dataDirectory = await temporaryDirectory();
  const appliance = await startAppliance({ dataDirectory });
  const beganMs = Date.now();
  const created = (await appliance.call('POST', '/api/cameras', {
    name: 'Booth',
    source: { kind: 'whip' },
  })) as Created;
  const [streamId = '', key] = [created.streams[0]?.id, created.streamKeys.main];
  const url = `${appliance.url}/whip/${created.streams[0]?.name}`;
  const { page, publish, figures } = await openPage([
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
  ]);
  // The worker, and after its death `serve`, may still be starting: a publisher tries again.
  const publishing = () =>
    until(
      'it publishes',
      async () => {
        const told = await publish({ url, token: key }).catch(() => undefined);
        return told?.status === 201 ? told : undefined;
      },
      60_000,
    );
  const recorded = async () => {
    let pictures = 0;
    for (const file of await segmentFiles(dataDirectory, streamId)) {
      for (const stream of await probeFrames(file))
        if (stream.codec_name === 'h264') pictures += Number(stream.nb_read_frames);
    }
    return pictures;
  };

  const waiting = await untilState(appliance, created.id, {
    what: 'the camera waits for its publisher',
    is: (state) => state.reason === 'no-publisher',
  });
  await publishing();
  await until('200 pictures are sent', async () => (await figures()).framesSent > 200, 60_000);
  const sent = Number(await page.evaluate(stopPictures));
  const live = await untilState(appliance, created.id, { what: 'it records', is: (state) => state.isRecording });
  const killedMs = Date.now();
  await appliance.kill('serve');
  await until('the gap can be seen', () => Date.now() - killedMs > 4_000);
  const lost = await untilState(appliance, created.id, {
    what: 'it is lost',
    is: (state) => state.reason === 'connection-lost',
    timeoutMs: 60_000,
  });
  const first = await recorded();
  await publishing();
  await until('100 more are sent', async () => (await figures()).framesSent > 100, 60_000);
  const sentAgain = Number(await page.evaluate(stopPictures));
  await page.evaluate('held.connection.close()');
  await untilState(appliance, created.id, { what: 'it has left', is: (state) => state.state === 'retrying' });
  const { gaps, spans } = await timeline(appliance, streamId, beganMs);
  const begin = Math.floor(spans[0]?.beginMs ?? 0);
  const clip = join(dataDirectory, 'clip.mp4');
  await writeFile(clip, await appliance.bytes(`/api/streams/${streamId}/clip.mp4?begin=${begin}&end=${begin + 4_000}`));
  await appliance.close();

  expect(waiting.hint).toContain('WHIP');
  expect(live.tracks.map(({ codec }) => codec)).toEqual(['h264', 'opus']);
  expect(lost.hint).toEqual(expect.any(String));
  // Of pictures that were on their way into a dead process some may be lost, and the last fragment may lack its sound.
  expect(first).toBeGreaterThan(sent - 30);
  expect(first).toBeLessThanOrEqual(sent);
  const second = (await recorded()) - first;
  expect(second).toBeGreaterThan(sentAgain - 30);
  expect(second).toBeLessThanOrEqual(sentAgain);
  const between = gaps.find((gap) => gap.beginMs - 2_000 <= killedMs + 2_000 && killedMs + 2_000 <= gap.endMs + 1_000);
  expect(between?.reasons).toContain('connection-lost');
  const streams = await probeFrames(clip);
  expect(streams.map((stream) => stream.codec_name)).toEqual(['h264', 'opus']);
  expect(streams.every((stream) => Number(stream.nb_read_frames) > 20)).toBe(true);
  expect(appliance.output()).not.toContain(key);
  expect(await checkFindings(dataDirectory)).toEqual([]);
}, 240_000);
