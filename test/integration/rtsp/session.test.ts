import { join } from 'node:path';
import { expect, test } from 'vitest';
import { probe } from '../../../gateway/rtsp/index.ts';
import { type GstCameraOptions, readFrameNumbers, startGstCamera } from '../../kit/gst-camera.ts';
import { freePort, temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { CollectingSink, deps, playUntil, sourceOf } from './collect.ts';

async function sinkFor(codec: string): Promise<{ sink: CollectingSink; file: string }> {
  const file = join(await temporaryDirectory(), codec === 'h265' ? 'out.hevc' : 'out.h264');
  return { sink: new CollectingSink(file), file };
}

const steps = (times: readonly number[]) => times.slice(1).map((us, index) => us - (times[index] ?? 0));

type Case = GstCameraOptions & {
  readonly transport?: 'tcp' | 'udp';
  readonly audioCodec?: string;
  readonly audioStepUs?: number;
};

const cases: readonly Case[] = [
  { codec: 'h264', audio: 'aac', audioCodec: 'aac', audioStepUs: 1_024_000_000 / 48_000 },
  { codec: 'h264', audio: 'pcma', auth: 'digest', audioCodec: 'pcma' },
  { codec: 'h265', audio: 'opus', auth: 'basic', audioCodec: 'opus', audioStepUs: 20_000 },
  { codec: 'h264', audio: 'aac', transport: 'udp', audioCodec: 'aac', audioStepUs: 1_024_000_000 / 48_000 },
  { codec: 'h265', audio: 'pcmu', transport: 'udp', auth: 'digest', audioCodec: 'pcmu' },
  { codec: 'h264', audio: 'pcmu', tls: true, auth: 'digest', audioCodec: 'pcmu' },
  { codec: 'h264', audio: 'aac-latm', audioCodec: 'aac', audioStepUs: 1_024_000_000 / 48_000 },
  { codec: 'h264', audio: 'none', slices: 4, configInterval: 0 },
  { codec: 'h264', audio: 'none', slices: 4, configInterval: -1 },
  { codec: 'h264', audio: 'none', aggregateMode: 'max-stap', mtuBytes: 60_000 },
];

test.each(cases)('a session delivers every picture and sound: %j', async (options) => {
  const { transport = 'tcp', audioCodec, audioStepUs, ...camera } = options;
  const running = await startGstCamera(camera);
  const { sink, file } = await sinkFor(running.options.codec);

  const isHeard = (sound: readonly { readonly us: number }[]) =>
    (sound.at(-1)?.us ?? 0) - (sound[0]?.us ?? 0) > 2_500_000;
  const isEnough = (it: CollectingSink) => it.of(1).length >= 75 && (audioCodec === undefined || isHeard(it.of(2)));
  const end = await playUntil(sourceOf(running, { transport }), sink, isEnough);

  expect(end.reason).toBe('shutdown');
  const numbers = await readFrameNumbers(file);
  expect(numbers.length).toBe(sink.of(1).length);
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
  expect(sink.losses).toEqual([]);
  const times = sink.of(1).map(({ us }) => us);
  expect(times[0]).toBe(0);
  for (const step of steps(times)) expect(Math.abs(step - 40_000)).toBeLessThanOrEqual(12);
  expect(sink.sessions.map(({ reason }) => reason)).toEqual(['started']);
  const [video, audio] = sink.sessions[0]?.tracks ?? [];
  expect(video?.video).toEqual({ widthPixels: 640, heightPixels: 360 });
  expect(audio?.codec).toBe(audioCodec);
  if (audioCodec !== undefined) {
    const audioTimes = sink.of(2).map(({ us }) => us);
    if (audioStepUs !== undefined) {
      // Sound may be slewed by up to a tenth towards what the sender reports say.
      for (const step of steps(audioTimes))
        expect(Math.abs(step - audioStepUs) / audioStepUs).toBeLessThanOrEqual(0.11);
    }
  }
});

test('B-frames come in decode order with their presentation times', async () => {
  const camera = await startGstCamera({ bFrames: 2, audio: 'aac' });
  const { sink, file } = await sinkFor('h264');

  await playUntil(sourceOf(camera), sink, (it) => it.of(1).length >= 75);

  const numbers = await readFrameNumbers(file);
  const times = sink.of(1).map(({ us }) => us);
  const sorted = [...times].sort((a, b) => a - b);
  expect(times).not.toEqual(sorted);
  // The end is cut in decode order: the last pictures may wait for B-frames that came no more.
  for (const step of steps(sorted.slice(0, -3))) expect(Math.abs(step - 40_000)).toBeLessThanOrEqual(12);
  const whole = numbers.slice(0, -3);
  expect(whole).toEqual(whole.map((_, index) => (whole[0] ?? 0) + index));
});

test('sender reports give producer timestamps near our own clock, and its offset', async () => {
  const camera = await startGstCamera({ audio: 'aac' });
  const sink = new CollectingSink();

  await playUntil(sourceOf(camera), sink, (it) => it.clocks.length > 0 && it.units.at(-1)?.producerMs !== undefined);

  expect(Math.abs(sink.clocks[0]?.offsetMs ?? Number.NaN)).toBeLessThan(1_000);
  expect(Math.abs((sink.units.at(-1)?.producerMs ?? 0) - Date.now())).toBeLessThan(3_000);
});

test('a size that changes in band begins another session on a new timeline', async () => {
  const camera = await startGstCamera({});
  const { sink } = await sinkFor('h264');

  const playing = playUntil(sourceOf(camera), sink, (it) => it.sessions.length === 2 && it.of(1).length > 60);
  await until('it plays', () => sink.of(1).length > 20);
  await camera.changeSize(320, 240);
  await playing;

  expect(sink.sessions.map(({ reason }) => reason)).toEqual(['started', 'tracks-changed']);
  expect(sink.sessions[1]?.tracks[0]?.video).toEqual({ widthPixels: 320, heightPixels: 240 });
});

test.each([
  { name: 'a wrong password', camera: { auth: 'digest' }, source: { password: 'wrong' }, reason: 'unauthorized' },
  { name: 'a wrong password', camera: { auth: 'basic' }, source: { password: 'wrong' }, reason: 'unauthorized' },
  { name: 'no password', camera: { auth: 'digest' }, source: 'anonymous', reason: 'unauthorized' },
  { name: 'a wrong path', camera: {}, source: 'path', reason: 'not-found' },
  { name: 'a codec nobody records', camera: { codec: 'mjpeg' }, source: {}, reason: 'unsupported-codec' },
  { name: 'a certificate nobody trusts', camera: { tls: true }, source: { tls: 'verify' }, reason: 'protocol-error' },
] as const)('$name ends as $reason', async ({ camera: options, source, reason }) => {
  const camera = await startGstCamera(options);
  const base = sourceOf(camera, typeof source === 'object' ? source : {});
  const { username: _, password: __, ...anonymous } = base;
  const asked = source === 'path' ? { ...base, url: `${camera.url}-other` } : source === 'anonymous' ? anonymous : base;

  const end = await playUntil(asked, new CollectingSink(), () => false);

  expect(end.reason).toBe(reason);
  expect(end.hint).not.toBe('');
  expect(JSON.stringify(end)).not.toContain(camera.options.password);
});

test('a port where nobody listens ends as refused', async () => {
  const url = `rtsp://127.0.0.1:${await freePort()}/x`;

  const end = await playUntil({ kind: 'rtsp', url, transport: 'tcp', tls: 'any' }, new CollectingSink(), () => false);

  expect(end).toMatchObject({ reason: 'refused', isRetryable: true });
});

test('a name without an address ends as unreachable and says so', async () => {
  const url = 'rtsp://camera.invalid/x';

  const end = await playUntil({ kind: 'rtsp', url, transport: 'tcp', tls: 'any' }, new CollectingSink(), () => false);

  expect(end.reason).toBe('unreachable');
  expect(end.message).toContain('camera.invalid');
});

test('a camera that turns silent ends as source-silent, one that drops the connection as source-closed', async () => {
  const camera = await startGstCamera({ audio: 'pcmu' });
  const sink = new CollectingSink();
  const playing = playUntil(sourceOf(camera), sink, (it) => it.of(1).length > 10_000, { silenceMs: 2_000 });
  await until('it plays', () => sink.of(1).length > 10);

  await camera.pause();
  const silent = await playing;
  await camera.resume();
  const again = new CollectingSink();
  const second = playUntil(sourceOf(camera), again, () => false);
  await until('it plays again', () => again.of(1).length > 10);
  await camera.dropClients();

  expect(silent.reason).toBe('source-silent');
  expect((await second).reason).toBe('source-closed');
});

test('a camera that loses its power ends at once as one that closed the connection', async () => {
  const camera = await startGstCamera({});
  const sink = new CollectingSink();
  const playing = playUntil(sourceOf(camera), sink, () => false);
  await until('it plays', () => sink.of(1).length > 10);

  await camera.kill();

  expect((await playing).reason).toBe('source-closed');
});

test('a probe returns tracks, a picture that decodes, round trips and the server', async () => {
  const camera = await startGstCamera({ audio: 'aac', auth: 'digest' });

  const result = await probe(deps, sourceOf(camera), { deadlineMs: 10_000 });

  expect(result.tracks.map(({ codec }) => codec)).toEqual(['h264', 'aac']);
  expect(result.server).toContain('GStreamer');
  expect(result.roundTripsMs.DESCRIBE).toBeGreaterThan(0);
  const file = join(await temporaryDirectory(), 'key.h264');
  await (await import('node:fs/promises')).writeFile(file, result.keyFrame ?? new Uint8Array());
  expect(await readFrameNumbers(file)).toHaveLength(1);
});

test('a probe of a camera that is not there says why', async () => {
  const url = `rtsp://127.0.0.1:${await freePort()}/x`;

  const result = probe(deps, { kind: 'rtsp', url, transport: 'tcp', tls: 'any' }, { deadlineMs: 5_000 });

  await expect(result).rejects.toMatchObject({ reason: 'refused' });
});
