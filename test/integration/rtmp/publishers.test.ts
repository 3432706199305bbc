import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { OwnCertificates } from '../../../appliance/tls/index.ts';
import type { RtmpListenerOptions } from '../../../gateway/ingest/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import type { RtmpSource } from '../../../storage/model/camera.ts';
import { streamKeySha256 } from '../../../storage/model/stream-key.ts';
import { judgeFrames } from '../../kit/camera-simulator/index.ts';
import { startFfmpegPublisher } from '../../kit/ffmpeg-publisher.ts';
import { amf0, chunks, publishNumbered, RtmpPublisher } from '../../kit/rtmp-publisher/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import {
  ledgerLines,
  numbersIn,
  plannedOf,
  planOf,
  probedFrames,
  type RunningIngest,
  startIngest,
  storedFiles,
  streamId,
} from '../ingest/ingest-kit.ts';

vi.setConfig({ testTimeout: 120_000 });

const run = promisify(execFile);
const key = 'abcdefghijklmnopqrstuvwxyz234567';
const source: RtmpSource = { kind: 'rtmp', keySha256: streamKeySha256(key) };
const smallClip = { widthPixels: 320, heightPixels: 180, bitsPerSecond: 300_000, gopFrames: 25 };

const isConsecutive = (numbers: readonly number[]) =>
  numbers.every((n, i) => i === 0 || n === (numbers[i - 1] ?? 0) + 1);

async function startWaiting(
  options: Pick<RtmpListenerOptions, 'identity'> = {},
): Promise<RunningIngest & { readonly url: string; readonly port: number }> {
  const running = await startIngest({ rtmp: { address: '127.0.0.1', port: 0, ...options } });
  await running.ingest.apply(planOf(plannedOf(source)));
  await until('it waits for its publisher', () => running.states.get(streamId)?.reason === 'no-publisher');
  const port = running.ingest.rtmpPort ?? 0;
  return { ...running, port, url: `rtmp://127.0.0.1:${port}/live/${key}` };
}

async function committedSeconds({ paths }: RunningIngest): Promise<number> {
  const fragments = (await storedFiles(paths)).flatMap((file) => file.fragments);
  return fragments.reduce((sum, fragment) => sum + fragment.durationMs, 0) / 1_000;
}

const runsOf = async ({ paths }: RunningIngest) => {
  const files = await storedFiles(paths);
  const ids = [...new Set(files.map((file) => file.head.runId))];
  return ids.map((runId) => files.filter((file) => file.head.runId === runId));
};

test('ffmpeg with B-frames and AAC is recorded frame by frame, killed, and recorded again when it is back', async () => {
  const running = await startWaiting();
  const waiting = running.states.get(streamId);

  const first = startFfmpegPublisher({ url: running.url, bFrames: 2 });
  await until('8 s are committed', async () => (await committedSeconds(running)) >= 8, 60_000);
  expect(running.states.get(streamId)).toMatchObject({ state: 'live', isRecording: true });
  await first.kill();
  await until('the state says why', () => running.states.get(streamId)?.state === 'retrying');
  const lost = running.states.get(streamId);
  startFfmpegPublisher({ url: running.url, bFrames: 2, firstFrame: 5_000 });
  await until('it is live again', () => running.states.get(streamId)?.state === 'live');
  const before = await committedSeconds(running);
  await until('4 s more are committed', async () => (await committedSeconds(running)) >= before + 4);
  await running.ingest.close();

  expect(waiting).toMatchObject({ state: 'retrying', hint: expect.stringContaining('/live/<stream key>') });
  expect(lost).toMatchObject({ reason: 'connection-lost', hint: expect.any(String) });
  const runs = await runsOf(running);
  // An encoder that a busy machine keeps far behind its own clock may begin a further run.
  expect(runs.map((files) => files[0]?.head.runReason).slice(0, 2)).toEqual(['connecting', 'connection-lost']);
  // A stream that is cut lacks B-frames of its last pictures.
  const numbers = await Promise.all(runs.map(async (files) => (await numbersIn(files)).slice(0, -3)));
  expect(numbers.every(isConsecutive)).toBe(true);
  expect([numbers[0]?.[0], numbers[1]?.[0]]).toEqual([0, 5_000]);
  expect(numbers[0]?.length).toBeGreaterThan(190);
  for (const file of runs.flat()) {
    const samples = [1, 2].map((trackNumber) =>
      file.fragments.reduce((sum, f) => sum + (f.tracks.find((t) => t.trackNumber === trackNumber)?.samples ?? 0), 0),
    );
    expect(await probedFrames(file.path)).toEqual(samples);
  }
  const ended = (await ledgerLines(running.paths)).filter((line) => line.kind === 'run-ended');
  expect([ended[0]?.reason, ended.at(-1)?.reason]).toEqual(['connection-lost', 'shutdown']);
  expect(JSON.stringify(running.log)).not.toContain(key);
});

test.each([
  ['rtmp2sink', 'avenc_aac', 'aac', 170],
  ['rtmpsink', 'audio/x-raw,rate=8000,channels=1 ! alawenc', 'pcma', 31],
])('GStreamer publishes by its %s', async (sink, audio, codec, soundBuffers) => {
  const running = await startWaiting();
  const pictures = 100;

  await run('gst-launch-1.0', [
    ...['-q', 'videotestsrc', `num-buffers=${pictures}`, 'is-live=true', '!'],
    ...['video/x-raw,width=320,height=240,framerate=25/1', '!', 'x264enc', 'tune=zerolatency', 'key-int-max=25', '!'],
    ...['flvmux', 'streamable=true', 'name=mux', '!', sink, `location=${running.url}`],
    ...['audiotestsrc', 'is-live=true', `num-buffers=${soundBuffers}`, '!', 'audioconvert', '!', 'audioresample', '!'],
    ...[...audio.split(' '), '!', 'mux.'],
  ]);
  await until('its end is known', () => running.states.get(streamId)?.reason === 'source-closed');
  await running.ingest.close();

  const files = await storedFiles(running.paths);
  expect(files.at(-1)?.head.tracks.map((track) => track.codec)).toEqual(['h264', codec]);
  let stored = 0;
  for (const file of files) stored += (await probedFrames(file.path))[0] ?? 0;
  // The last fragment may lack its sound and is then given up.
  expect(stored).toBeGreaterThan(pictures - 26);
});

test.each(['h264', 'h265'] as const)(
  'an enhanced publisher of %s is recorded without a missing picture, over the wrap of its clock',
  async (codec) => {
    const running = await startWaiting();

    const beginMs = 2 ** 32 - 3_000;
    const publisher = await publishNumbered({ port: running.port, key, clip: { ...smallClip, codec }, beginMs });
    await until('8 s are committed', async () => (await committedSeconds(running)) >= 8, 60_000);
    publisher.end();
    await until('its end is known', () => running.states.get(streamId)?.reason === 'source-closed');
    await running.ingest.close();

    const runs = await runsOf(running);
    expect(runs).toHaveLength(1);
    expect(runs[0]?.[0]?.head.tracks.map((track) => track.codec)).toEqual([codec, 'aac']);
    const { frames, missing, doubled } = await judgeFrames((runs[0] ?? []).map((file) => file.path));
    expect([frames[0], missing, doubled]).toEqual([0, [], []]);
    expect(publisher.lastFrame - (frames.at(-1) ?? 0)).toBeLessThan(25);
  },
);

test('ffmpeg publishes by RTMPS on the same port as others by RTMP', async () => {
  const certificates = new OwnCertificates(
    { clock: systemClock, log: silentLog, random: randomBytes },
    { directory: await temporaryDirectory(), names: [] },
  );
  await certificates.start();
  onTestFinished(() => certificates.close());
  const running = await startWaiting({ identity: async () => certificates.identity() });

  const publisher = startFfmpegPublisher({ url: running.url.replace('rtmp:', 'rtmps:') });
  await until('2 s are committed', async () => (await committedSeconds(running)) >= 2, 60_000);
  const stranger = new RtmpPublisher({ port: running.port, key: 'guessed' });
  const answer = await stranger.publish();
  await publisher.end();
  await running.ingest.close();

  expect(answer).toBe('NetStream.Publish.BadName');
  expect(publisher.stderr()).not.toMatch(/error/i);
  expect(isConsecutive(await numbersIn(await storedFiles(running.paths)))).toBe(true);
});

test('a publisher is read as fast as it sends: 60 Mb/s', async () => {
  const running = await startWaiting();

  const publisher = await publishNumbered({ port: running.port, key, speed: 15 });
  // 30 MB: whoever reads a piece a turn would need longer than this test waits.
  await until('60 s are committed', async () => (await committedSeconds(running)) >= 60);
  publisher.end();
  await running.ingest.close();

  const { missing } = await judgeFrames((await storedFiles(running.paths)).map((file) => file.path));
  expect(missing).toEqual([]);
});

test('sound that is not recorded is left out with a reason', async () => {
  const running = await startWaiting();

  startFfmpegPublisher({ url: running.url, audio: 'mp3' });
  await until('2 s are committed', async () => (await committedSeconds(running)) >= 2);

  expect(running.states.get(streamId)?.warnings).toEqual(['the sound is left out: MP3 is not recorded']);
  expect((await storedFiles(running.paths)).at(-1)?.head.tracks.map((track) => track.codec)).toEqual(['h264']);
});

test('a key that is unknown, a player, and a second publisher are refused, and the first goes on', async () => {
  const running = await startWaiting();
  const first = await publishNumbered({ port: running.port, key, clip: smallClip });
  await until('it is live', () => running.states.get(streamId)?.state === 'live');

  const stranger = new RtmpPublisher({ port: running.port, key: 'guessed' });
  const second = new RtmpPublisher({ port: running.port, key });
  const answers = await Promise.all([stranger.publish(), second.publish()]);
  const player = await run('ffmpeg', ['-v', 'error', '-i', running.url, '-f', 'null', '-']).catch((error) => error);
  await Promise.all([stranger.closed(), second.closed()]);
  const before = await committedSeconds(running);
  await until('it goes on', async () => (await committedSeconds(running)) >= before + 2);
  first.end();
  await running.ingest.close();

  expect(answers).toEqual(['NetStream.Publish.BadName', 'NetStream.Publish.BadName']);
  expect(player.stderr).toContain('this server takes publishers');
  const { missing } = await judgeFrames((await storedFiles(running.paths)).map((file) => file.path));
  expect(missing).toEqual([]);
});

test('a publisher takes over from one that says nothing more', async () => {
  const running = await startWaiting();
  const silent = new RtmpPublisher({ port: running.port, key });
  expect(await silent.publish()).toBe('NetStream.Publish.Start');

  const next = await publishNumbered({ port: running.port, key, clip: smallClip });
  await until('it is live', () => running.states.get(streamId)?.state === 'live');
  await silent.closed();
  next.end();

  expect(next.answer).toBe('NetStream.Publish.Start');
});

test('connections that say nothing, or half of it, end by themselves and never keep publishers out', async () => {
  const running = await startWaiting();
  const mute = Array.from({ length: 100 }, () => new RtmpPublisher({ port: running.port, key: 'none' }));
  const slow = mute[0];
  const drip = setInterval(() => slow?.socket.write('\x03'), 100);
  onTestFinished(() => clearInterval(drip));

  await until('too many are refused at once', () => mute.filter((one) => one.isGone).length >= 36);
  await until('all others after their time', () => mute.every((one) => one.isGone), 20_000);
  const publisher = await publishNumbered({ port: running.port, key, clip: smallClip });
  publisher.end();

  expect(publisher.answer).toBe('NetStream.Publish.Start');
});

test('a stranger that floods commands is ended at once, and one that keeps coming back does not keep publishers out', async () => {
  const running = await startWaiting();
  const noise = chunks(
    {
      type: 20,
      timestampMs: 0,
      body: Buffer.concat([amf0('noise'), Buffer.alloc(4_000, 5)]),
      chunkStream: 3,
      streamId: 0,
    },
    { chunkBytes: 128 },
  );
  const flood = async () => {
    const stranger = new RtmpPublisher({ port: running.port, key: 'none' });
    await stranger.shake().catch(() => {});
    const more = () => {
      while (!stranger.isGone && stranger.socket.write(noise));
    };
    stranger.socket.on('drain', more);
    more();
    await stranger.closed();
    return stranger.socket.bytesWritten;
  };

  const sent = [];
  for (let times = 0; times < 8; times++) sent.push(await flood());
  const publisher = await publishNumbered({ port: running.port, key, clip: smallClip });
  publisher.end();

  expect(publisher.answer).toBe('NetStream.Publish.Start');
  expect(Math.max(...sent)).toBeGreaterThan(3_073);
});

test('two addresses that take all places of strangers do not keep a third one out', async () => {
  const running = await startWaiting();
  const mute = ['127.0.0.2', '127.0.0.3'].flatMap((localAddress) =>
    Array.from({ length: 32 }, () => connect({ host: '127.0.0.1', port: running.port, localAddress })),
  );
  onTestFinished(() => {
    for (const socket of mute) socket.destroy();
  });
  for (const socket of mute) socket.on('error', () => {});
  await until('all have come', () => mute.every((socket) => socket.readyState === 'open'));

  const publisher = await publishNumbered({ port: running.port, key, clip: smallClip });
  publisher.end();

  expect(publisher.answer).toBe('NetStream.Publish.Start');
});

test('a peer that sends garbage after its key ends its own session, and the next one is recorded', async () => {
  const running = await startWaiting();
  const broken = new RtmpPublisher({ port: running.port, key });
  await broken.publish();

  broken.socket.write(Buffer.alloc(100_000, 0xa5));
  await broken.closed();
  const broke = await until('the state says why', () => {
    const state = running.states.get(streamId);
    return state?.reason === 'protocol-error' ? state : undefined;
  });
  const publisher = await publishNumbered({ port: running.port, key, clip: smallClip });
  await until('2 s are committed', async () => (await committedSeconds(running)) >= 2);
  publisher.end();

  expect(broke).toMatchObject({ state: 'retrying', message: expect.stringContaining('broke the protocol') });
});

test('a port that another program has is told, and taken when it is free', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const port = (other.address() as { port: number }).port;
  const running = await startIngest({ rtmp: { address: '127.0.0.1', port } });
  await running.ingest.apply(planOf(plannedOf(source)));
  await until('the state says so', () =>
    running.states.get(streamId)?.message?.includes('another program has the port'),
  );

  await new Promise((resolve) => other.close(resolve));
  const publisher = await until('the port is open', async () => {
    const one = await publishNumbered({ port, key, clip: smallClip });
    return one.answer === 'NetStream.Publish.Start' ? one : undefined;
  });
  await until('it is live', () => running.states.get(streamId)?.state === 'live');
  publisher.end();
});
