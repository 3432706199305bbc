/** A camera that comes to us: ffmpeg publishes to a whole appliance, dies, and is back; then the recording process dies. */

import { expect, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { startFfmpegPublisher } from '../kit/ffmpeg-publisher.ts';
import { timeline, untilRecorded, untilState } from '../kit/footage.ts';
import { readFrameNumbers } from '../kit/gst-camera.ts';
import { checkFindings, segmentFiles } from '../kit/judge.ts';
import { freePort, temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

type Created = { id: string; streams: { id: string }[]; streamKeys: { main: string } };

test('a publisher is recorded, lost and found again, through the death of the recording process, and nothing is unexplained', async () => {
  const dataDirectory = await temporaryDirectory();
  const port = await freePort();
  const rtmp = ['--rtmp-port', String(port)];
  const appliance = await startAppliance({ dataDirectory, args: rtmp });
  const beganMs = Date.now();
  const created = (await appliance.call('POST', '/api/cameras', {
    name: 'Drone',
    source: { kind: 'rtmp' },
  })) as Created;
  const [streamId = '', key] = [created.streams[0]?.id, created.streamKeys.main];
  const url = `rtmp://127.0.0.1:${port}/live/${key}`;
  const recorded = (frames: number) => untilRecorded(appliance, streamId, Date.now() + frames * 40);

  const waiting = await untilState(appliance, created.id, {
    what: 'the camera waits for its publisher',
    is: (state) => state.reason === 'no-publisher',
  });
  const first = startFfmpegPublisher({ url, firstFrame: 0 });
  await recorded(150);
  const lostMs = Date.now();
  await first.kill();
  await untilState(appliance, created.id, { what: 'it is lost', is: (state) => state.reason === 'connection-lost' });
  await until('a while passes', () => Date.now() - lostMs > 4_000);
  const second = startFfmpegPublisher({ url, firstFrame: 10_000 });
  await recorded(150);
  const killedMs = Date.now();
  await appliance.kill('ingest');
  await second.exited;
  const third = await until('a publisher is taken again', async () => {
    const publisher = startFfmpegPublisher({ url, firstFrame: 20_000 });
    const isGone = await Promise.race([publisher.exited.then(() => true), untilLive()]);
    return isGone === true ? undefined : publisher;
  });
  await recorded(100);
  const { gaps } = await timeline(appliance, streamId, beganMs);
  await third.end();
  await appliance.close();

  expect(waiting.hint).toContain(`:${port}/live/<stream key>`);
  expect(appliance.output()).not.toContain(key);
  const numbers: number[] = [];
  for (const file of await segmentFiles(dataDirectory, streamId)) numbers.push(...(await readFrameNumbers(file)));
  for (const begin of [0, 10_000, 20_000]) {
    const part = numbers.filter((number) => number >= begin && number < begin + 10_000);
    expect(part.length).toBeGreaterThan(75);
    expect(part).toEqual(part.map((_, i) => begin + i));
  }
  const covers = (atMs: number, reason: string) =>
    gaps.some((gap) => gap.beginMs - 1_000 <= atMs && atMs <= gap.endMs + 1_000 && gap.reasons.includes(reason));
  expect(covers(lostMs + 2_000, 'connection-lost')).toBe(true);
  expect(covers(killedMs, 'crashed')).toBe(true);
  expect(await checkFindings(dataDirectory)).toEqual([]);

  function untilLive(): Promise<unknown> {
    return untilState(appliance, created.id, {
      what: 'it is live',
      is: (state) => state.state === 'live',
      timeoutMs: 60_000,
    });
  }
}, 180_000);
