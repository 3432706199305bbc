import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { OwnCertificates } from '../../../appliance/tls/index.ts';
import { parseSdp } from '../../../gateway/rtsp/wire/sdp.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { readFrameNumbers, startGstCamera } from '../../kit/gst-camera.ts';
import { probeFrames } from '../../kit/judge.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { numbersIn, plannedOf, planOf, sourceOf, startIngest, storedFiles, streamId } from '../ingest/ingest-kit.ts';
import { areConsecutive, password, readerOf, recordWithFfmpeg, startRtspServer } from './kit.ts';
import { RawClient } from './raw-client.ts';

/** A real camera, recorded, and its stream offered to readers. */
async function site(options: Parameters<typeof startGstCamera>[0] = {}) {
  const camera = await startGstCamera({ audio: 'aac', gopFrames: 25, ...options });
  const { ingest, paths, client } = await startIngest();
  await ingest.apply(planOf(plannedOf(sourceOf(camera))));
  await until('it records', async () => (await storedFiles(paths)).length > 0);
  const tls = new OwnCertificates(
    { clock: systemClock, log: silentLog, random: randomBytes, machineNames: () => ['127.0.0.1'] },
    { directory: await temporaryDirectory(), names: [] },
  );
  await tls.start();
  const started = await startRtspServer({ client, source: await readerOf(paths, client), tls });
  await tls.close();
  return { ...started, camera, target: `rtsp://${started.host}/${streamId}` };
}

for (const transport of ['tcp', 'udp'] as const) {
  test(`ffmpeg records a live stream by ${transport}, picture by picture, with its sound`, async () => {
    const { url, lines } = await site();

    const { path } = await recordWithFfmpeg(url(streamId), { transport, seconds: 4 });

    const numbers = await readFrameNumbers(path);
    expect(areConsecutive(numbers)).toBe(true);
    expect(numbers.length).toBeGreaterThan(90);
    const codecs = (await probeFrames(path)).map(({ codec_name }) => codec_name);
    expect(codecs).toEqual(['h264', 'aac']);
    expect(lines.join('')).not.toContain(password);
  });
}

test.each([
  ['h265', 'opus', 'tcp', 'rtph265depay ! h265parse', 'rtpopusdepay'],
  ['h264', 'pcma', 'udp', 'rtph264depay ! h264parse', 'rtppcmadepay'],
] as const)('GStreamer records %s with %s by %s', async (codec, audio, protocol, video, sound) => {
  // Few and small pictures: a camera that a busy machine has encode H.265 ten seconds late is taken for one whose clock stood still.
  const { url } = await site({ codec, audio, widthPixels: 320, heightPixels: 180, framesPerSecond: 10, gopFrames: 10 });
  const path = join(await temporaryDirectory(), 'out.mkv');
  // By the stream's own times: a receiver that stood still for a second thinks its clock wrong, and its muxer drops pictures.
  const source = ['rtspsrc', `location=${url(streamId)}`, `protocols=${protocol}`, 'buffer-mode=none', 'name=s'];
  const pictures = ['s.', '!', 'application/x-rtp,media=video', '!', ...video.split(' '), '!', 'mux.'];
  const sounds = ['s.', '!', 'application/x-rtp,media=audio', '!', sound, '!', 'mux.'];
  const sink = ['matroskamux', 'name=mux', '!', 'filesink', `location=${path}`];

  const child = spawn('gst-launch-1.0', ['-q', '-e', ...source, ...pictures, ...sounds, ...sink], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  await until('four seconds are written', async () => (await stat(path)).size > 450_000);
  child.kill('SIGINT');
  await ended;

  const numbers = await readFrameNumbers(path);
  expect(areConsecutive(numbers)).toBe(true);
  expect(numbers.length).toBeGreaterThan(40);
  expect((await probeFrames(path)).length).toBe(2);
});

test('another Weir records it as it would a camera, over TCP, UDP and TLS', async () => {
  const { host, camera } = await site();
  const other = await startIngest();
  const credentials = { username: 'reader', password };
  const plans = (['tcp', 'udp', 'tls'] as const).map((kind) =>
    plannedOf(
      sourceOf(camera, {
        url: `${kind === 'tls' ? 'rtsps' : 'rtsp'}://${host}/${streamId}`,
        transport: kind === 'udp' ? 'udp' : 'tcp',
        ...credentials,
      }),
      { streamId: kind, cameraId: kind },
    ),
  );

  await other.ingest.apply(planOf(...plans));

  for (const kind of ['tcp', 'udp', 'tls']) {
    const files = await until(`5 s by ${kind} are recorded`, async () => {
      const found = await storedFiles(other.paths, kind);
      return found.flatMap((file) => file.fragments).length >= 5 ? found : undefined;
    });
    expect(files.length).toBe(1);
    const numbers = await numbersIn(files);
    expect(areConsecutive(numbers)).toBe(true);
    expect(numbers.length).toBeGreaterThan(100);
  }
});

test('fifty readers of one camera all get every picture, from one lane', async () => {
  const { host, target, server } = await site();
  const readers = await Promise.all(Array.from({ length: 50 }, () => RawClient.open(host, 'reader')));

  for (const reader of readers) expect((await reader.play(target)).status).toBe(200);
  await until('the last one has 3 s', () => (readers.at(-1)?.pictures ?? 0) > 75, 30_000);

  expect(server.stats).toMatchObject({ readers: 50, feeds: 1, droppedUnits: 0 });
  for (const reader of readers) {
    const sequences = reader.ofChannel(0).map(({ sequence }) => sequence);
    expect(sequences.every((value, at) => at === 0 || value === (((sequences[at - 1] ?? 0) + 1) & 0xffff))).toBe(true);
    // The first packets are of a key picture: a delimiter, and its parameter sets.
    const first = reader.ofChannel(0).slice(0, 2);
    expect(first.map(({ payload }) => (payload[0] ?? 0) & 0x1f)).toEqual([9, 7]);
  }
});

test('a reader that stops reading loses whole GOPs, the others nothing, and it is closed in the end', async () => {
  const { host, target, server } = await site({ kilobitsPerSecond: 20_000, widthPixels: 1280, heightPixels: 720 });
  const [slow, quick] = [await RawClient.open(host, 'reader'), await RawClient.open(host, 'reader')];
  await slow.play(target);
  await quick.play(target);
  await until('it plays', () => slow.pictures > 10);

  slow.socket.pause();
  await until('units are dropped for it', () => server.stats.droppedUnits > 0, 40_000);
  const queued = server.stats.queuedBytes;
  await until('it is sent away', () => server.stats.readers === 1, 40_000);

  expect(queued).toBeLessThan(18 * 1024 * 1024);
  const sequences = quick.ofChannel(0).map(({ sequence }) => sequence);
  expect(sequences.every((value, at) => at === 0 || value === (((sequences[at - 1] ?? 0) + 1) & 0xffff))).toBe(true);
});

test('a camera that starts anew goes on for its readers, by as much as really passed', async () => {
  const { camera, host, target } = await site();
  const reader = await RawClient.open(host, 'reader');
  await reader.play(target);
  await until('it plays', () => reader.pictures > 30);
  const before = reader.ofChannel(0).length;

  await camera.kill();
  await camera.start();
  await until('it plays again', () => reader.ofChannel(0).length > before + 60, 40_000);

  const [last, next] = [reader.ofChannel(0)[before - 1], reader.ofChannel(0)[before + 20]];
  const told = (((next?.time ?? 0) - (last?.time ?? 0)) >>> 0) / 90_000;
  expect(Math.abs(told - ((next?.atMs ?? 0) - (last?.atMs ?? 0)) / 1000)).toBeLessThan(3);
  expect(reader.byes).toEqual([]);
});

test('another codec ends readers with a goodbye, and the next description tells it', async () => {
  const { camera, host, target } = await site({ audio: 'none' });
  const reader = await RawClient.open(host, 'reader');
  await reader.play(target);
  await until('it plays', () => reader.pictures > 10);

  await camera.kill();
  await startGstCamera({ ...camera.options, codec: 'h265', audio: 'none', port: camera.port });

  await until('it is told goodbye', () => reader.byes.length > 0, 40_000);
  await until('it is closed', () => reader.isClosed);
  const again = await RawClient.open(host, 'reader');
  const described = await again.ask('DESCRIBE', target);
  expect(parseSdp(described.body).medias[0]?.formats[0]?.encoding).toBe('H265');
});
