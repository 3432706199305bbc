import type { types } from 'mediasoup';
import { expect, onTestFinished, test, vi } from 'vitest';
import { PeerMedia } from '../../../gateway/webrtc/receive/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import type { SourceState } from '../../../storage/model/camera.ts';
import { startFfmpegRtp } from '../../kit/ffmpeg-publisher.ts';
import { findMediaWorker } from '../../kit/media-worker.ts';
import { until } from '../../kit/until.ts';
import {
  ledgerLines,
  numbersIn,
  plannedOf,
  planOf,
  probedFrames,
  startIngest,
  storedFiles,
  streamId,
} from '../ingest/ingest-kit.ts';
import {
  committedSeconds,
  isConsecutive,
  produced,
  publish,
  receiverTo,
  runsOf,
  source,
  startWaiting,
  startWorker,
} from './kit.ts';

vi.setConfig({ testTimeout: 120_000 });

const workerPath = await findMediaWorker();

test('what a publisher sends is recorded picture by picture, with its sound in step', async () => {
  const [running, worker] = [await startWaiting(), await startWorker(workerPath)];
  const { reception, sender } = await publish(worker, receiverTo(running));
  await until('6 s are committed', async () => (await committedSeconds(running)) >= 6, 60_000);
  const live = await until('the clock of the publisher is known', async () => {
    const [state] = await running.client.request<SourceState[]>('states', null, { timeoutMs: 5_000 });
    return typeof state?.clockOffsetMs === 'number' ? state : undefined;
  });
  await sender.kill();
  await reception.close();
  await until('its end is known', () => running.states.get(streamId)?.reason === 'source-closed');
  await running.ingest.close();

  expect(live).toMatchObject({
    ...{ state: 'live', isRecording: true },
    tracks: [{ codec: 'h264' }, { codec: 'opus' }],
  });
  // By the sender reports of ffmpeg, which runs on this machine.
  expect(Math.abs(live.clockOffsetMs ?? Number.NaN)).toBeLessThan(5_000);
  const files = await storedFiles(running.paths);
  const numbers = await numbersIn(files);
  expect(numbers.length).toBeGreaterThan(140);
  expect(isConsecutive(numbers)).toBe(true);
  expect(files[0]?.head.tracks.map(({ codec, audio, video }) => [codec, audio ?? video])).toEqual([
    ['h264', { widthPixels: 320, heightPixels: 180 }],
    ['opus', { samplingFrequencyHz: 48_000, channels: 2 }],
  ]);
  for (const file of files) {
    const samples = [1, 2].map((trackNumber) =>
      file.fragments.reduce((sum, f) => sum + (f.tracks.find((t) => t.trackNumber === trackNumber)?.samples ?? 0), 0),
    );
    expect(await probedFrames(file.path)).toEqual(samples);
    // The first may begin before its sound does.
    for (const { tracks } of file.fragments.slice(1)) {
      const [picture, sound] = tracks;
      expect(Math.abs((picture?.beginMediaMs ?? 0) - (sound?.beginMediaMs ?? 0))).toBeLessThan(100);
    }
  }
  expect(running.log.join('')).not.toContain(source.keySha256);
});

test('a peer that sends already has sound from its first session on, however late the sound is taken up', async () => {
  const worker = await startWorker(workerPath);
  const { publication, to } = await produced(worker);
  const { video, audio } = publication;
  const packetsOf = async (producer: types.Producer | undefined) => (await producer?.getStats())?.[0]?.packetCount ?? 0;
  startFfmpegRtp({ to });
  await until('both come', async () => (await packetsOf(video)) > 0 && (await packetsOf(audio)) > 0);
  const slow = {
    ...{ router: worker.router, isAlive: true },
    createPlain: async () => {
      const transport = await worker.createPlain();
      const consume = transport.consume.bind(transport);
      const cameBefore = await packetsOf(video);
      const consumeLate = async (options: types.ConsumerOptions) => {
        if (options.producerId === audio?.id) {
          // Two of its groups of pictures at least.
          await until('pictures come meanwhile', async () => (await packetsOf(video)) > cameBefore + 150);
        }
        return consume(options);
      };
      return Object.assign(transport, { consume: consumeLate });
    },
  };
  const sessions: string[][] = [];
  let sounds = 0;
  const media = new PeerMedia(
    {
      ...{ clock: systemClock, random: Math.random, worker: slow, onFault: () => {} },
      sink: {
        session: (tracks) => sessions.push(tracks.map(({ codec }) => codec)),
        unit: ({ trackNumber }) => {
          if (trackNumber === 2) sounds++;
        },
        loss: () => {},
        clock: () => {},
      },
    },
    { video, audio },
  );
  onTestFinished(() => media.close());

  await media.start();

  await until('sound comes', () => sounds > 50);
  expect(sessions).toEqual([['h264', 'opus']]);
});

test('the recording process dies and comes back: its publisher never notices, and goes on in another run', async () => {
  const [running, worker] = [await startWaiting(), await startWorker(workerPath)];
  const { ended, reception } = await publish(worker, receiverTo(running));
  await until('3 s are committed', async () => (await committedSeconds(running)) >= 3, 60_000);

  await running.ingest.close();
  const before = await committedSeconds(running);
  const again = await startIngest({ paths: running.paths });
  await again.ingest.apply(planOf(plannedOf(source)));
  await until('it is recorded again', async () => (await committedSeconds(again)) >= before + 3, 60_000);
  await reception.close();
  await again.ingest.close();

  expect(ended).toEqual([]);
  const runs = await runsOf(again);
  expect(runs).toHaveLength(2);
  for (const files of runs) expect(isConsecutive(await numbersIn(files))).toBe(true);
});

test('a replaced stream key ends the session of its publisher, which cannot come back with the old one', async () => {
  const [running, worker] = [await startWaiting(), await startWorker(workerPath)];
  const receiver = receiverTo(running);
  const { publication, to } = await produced(worker);
  const reception = await receiver.receive({ ...publication, keySha256: source.keySha256 });
  const ended: string[] = [];
  reception.onEnded((reason) => ended.push(reason));
  startFfmpegRtp({ to });
  await until('it is live', () => running.states.get(streamId)?.state === 'live', 60_000);

  await running.ingest.apply(planOf(plannedOf({ kind: 'whip', keySha256: 'b'.repeat(64) }, { revision: 2 })));

  await until('it is told', () => ended.length > 0, 60_000);
  expect(ended).toEqual(['the camera has another stream key by now']);
  expect(running.states.get(streamId)).toMatchObject({ state: 'retrying', isRecording: false });
  await running.ingest.close();
  const reasons = (await ledgerLines(running.paths)).filter((line) => line.kind === 'run-ended');
  expect(reasons[0]).toMatchObject({ reason: 'camera-changed' });
});

test('a second publisher is refused while the first sends, and takes over when it has fallen silent', async () => {
  const [running, worker] = [await startWaiting(), await startWorker(workerPath)];
  const receiver = receiverTo(running);
  const first = await publish(worker, receiver);
  await until('it is live', () => running.states.get(streamId)?.state === 'live', 60_000);

  const refused = publish(worker, receiver, { firstFrame: 5_000 });
  await expect(refused).rejects.toMatchObject({ code: 'already_exists' });
  await first.sender.kill();
  const second = await publish(worker, receiver, { firstFrame: 10_000 });
  await until('the second is recorded', async () => (await runsOf(running)).length > 1, 60_000);
  await until('the first is told', () => first.ended.length > 0);
  await second.sender.kill();
  await running.ingest.close();

  const runs = await runsOf(running);
  const numbers = await Promise.all(runs.map((files) => numbersIn(files)));
  expect(numbers.every(isConsecutive)).toBe(true);
  expect(numbers.map(([number]) => (number ?? 0) >= 10_000)).toEqual([false, true]);
});

test('who publishes to a camera that is none, or to one that is pulled, is told so', async () => {
  const [running, worker] = [await startWaiting(), await startWorker(workerPath)];
  const receiver = receiverTo(running);
  const { publication } = await produced(worker);
  const pulled = plannedOf(
    { kind: 'rtsp', url: 'rtsp://127.0.0.1:9/', transport: 'tcp', tls: 'any' },
    { streamId: 'pulled', cameraId: 'camera-2' },
  );
  await running.ingest.apply(planOf(plannedOf(source), pulled));

  await expect(receiver.receive({ ...publication, streamId: 'pulled' })).rejects.toMatchObject({
    code: 'failed_precondition',
  });
  await expect(receiver.receive({ ...publication, streamId: 'nobody' })).rejects.toMatchObject({ code: 'not_found' });
});
