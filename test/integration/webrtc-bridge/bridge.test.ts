import { expect, test } from 'vitest';
import { findMediaWorker } from '../../kit/media-worker.ts';
import { until } from '../../kit/until.ts';
import { planOf } from '../ingest/ingest-kit.ts';
import {
  childrenNamed,
  everyCodec,
  isWithin,
  killWorker,
  listen,
  receive,
  site,
  startWorker,
  streamId,
  watchPatiently,
} from './kit.ts';

const workerPath = await findMediaWorker();
/** For machines that have other things to do. */
const easyPictures = { widthPixels: 320, heightPixels: 192, framesPerSecond: 10, gopFrames: 20 };
const anna = { canPlay: everyCodec, viewer: 'anna' };

/** Numbers that follow each other, around the end of 16 bits. */
const areConsecutive = (numbers: readonly number[]) =>
  numbers.every((number, at) => at === 0 || number === ((numbers[at - 1] ?? 0) + 1) % 65_536);

/** Ticks from each time to the next. */
const stepsOf = (times: readonly number[]) => times.slice(1).map((time, at) => (time - (times[at] ?? 0)) >>> 0);

test('a viewer gets the kept pictures at once, then every live one, byte by byte, and G.711 as it is', async () => {
  const { bridges, worker, client, lines } = await site({ workerPath, audio: 'pcma', gopFrames: 100 });
  const lane = listen(client);
  await until('a GOP is half over', () => lane.pictures.length - (lane.keyAt ?? Number.NaN) > 40);

  const { video, audio, notes, release } = await bridges.watch(streamId, { ...anna, worker });
  const seen = await receive(worker, video?.producer);
  const heard = await receive(worker, audio?.producer);
  video?.begin();
  await until('live pictures follow', () => seen.pictures.length > 150);
  await until('sound comes', () => heard.packets.length > 40);

  expect(seen.oddities).toEqual([]);
  expect(seen.pictures[0]?.isKey).toBe(true);
  expect(areConsecutive(seen.packets.map(({ sequence }) => sequence))).toBe(true);
  expect(Math.max(...seen.packets.map(({ payload }) => payload.length))).toBeLessThanOrEqual(1_188);
  const pictures = seen.pictures.map(({ slices }) => slices);
  await until('the lane told them too', () => isWithin(lane.pictures, pictures));
  const sounds = heard.packets.map(({ payload }) => Buffer.from(payload).toString('hex'));
  await until('and the sound', () => lane.sounds.join('').includes(sounds.join('')));
  const steps = stepsOf(seen.pictures.map(({ rtpTime }) => rtpTime));
  const kept = steps.findIndex((ticks) => ticks > 1_000);
  expect(kept).toBeGreaterThan(30);
  expect(new Set(steps.slice(0, kept))).toEqual(new Set([90]));
  expect(Math.min(...steps.slice(kept))).toBeGreaterThan(3_000);
  expect([notes, audio?.producer.rtpParameters.codecs[0]?.mimeType]).toEqual([[], 'audio/PCMA']);
  expect(lines.filter((line) => line.includes('dropped'))).toEqual([]);

  release();
  expect(bridges.figures).toMatchObject({ viewers: 0, lines: 0 });
});

test('viewers in the middle of a GOP get producers of their own, one sound, and nothing stays open behind them', async () => {
  const { bridges, worker, client } = await site({ workerPath, audio: 'opus', gopFrames: 150 });
  const lane = listen(client);
  await until('a GOP has begun', () => lane.pictures.length - (lane.keyAt ?? Number.NaN) > 20);

  const viewers = await Promise.all(Array.from({ length: 10 }, () => bridges.watch(streamId, { ...anna, worker })));
  const producers = new Set(viewers.map(({ video }) => video?.producer.id));
  const sounds = new Set(viewers.map(({ audio }) => audio?.producer.id));

  expect([producers.size, sounds.size]).toEqual([8, 1]);
  expect(bridges.figures).toMatchObject({ streams: 1, viewers: 10, lines: 9, children: 0 });
  for (const viewer of viewers) viewer.release();
  expect(bridges.figures).toMatchObject({ viewers: 0, lines: 0 });
  await until('the lane is closed', () => bridges.figures.streams === 0);
});

test('a worker that dies ends its viewers, who may come back to another one', async () => {
  const { bridges, worker } = await site({ workerPath });
  const { video, onEnded } = await bridges.watch(streamId, { ...anna, worker });
  const ends: string[] = [];
  onEnded((reason) => ends.push(reason));
  video?.begin();

  await killWorker(worker);
  await until('it has ended', () => ends.length > 0);

  expect(ends).toEqual(['the WebRTC worker died']);
  expect(bridges.figures).toMatchObject({ viewers: 0, lines: 0 });
  const other = await startWorker(workerPath);
  const again = await bridges.watch(streamId, { ...anna, worker: other });
  const seen = await receive(other, again.video?.producer);
  again.video?.begin();
  await until('it is live', () => seen.pictures.length > 10);
});

test('a camera that begins anew goes on in the same producer; one that stays away ends its viewers', async () => {
  const { bridges, worker, ingest, camera } = await site({ workerPath });
  const { video, onEnded } = await bridges.watch(streamId, { ...anna, worker });
  const ends: string[] = [];
  onEnded((reason) => ends.push(reason));
  const seen = await receive(worker, video?.producer);
  video?.begin();
  await until('it is live', () => seen.pictures.length > 20);
  const before = seen.pictures.length;

  await camera.kill();
  await camera.restart();
  await until('it goes on', () => seen.pictures.length > before + 60);

  expect(areConsecutive(seen.packets.map(({ sequence }) => sequence))).toBe(true);
  expect(Math.max(...stepsOf(seen.pictures.map(({ rtpTime }) => rtpTime)))).toBeLessThan(2 ** 31);
  expect(seen.oddities).toEqual([]);
  expect(ends).toEqual([]);

  await ingest.apply(planOf());
  await until('they are told', () => ends.length > 0);
  expect(bridges.figures).toMatchObject({ viewers: 0, lines: 0 });
});

test('AAC becomes Opus, by one child for all, which goes with the last viewer', async () => {
  const { bridges, worker } = await site({ workerPath, audio: 'aac' });

  const [first, second] = await Promise.all([
    bridges.watch(streamId, { ...anna, worker }),
    bridges.watch(streamId, { ...anna, worker }),
  ]);
  const heard = await receive(worker, first.audio?.producer);
  await until('sound comes', () => heard.packets.length > 60);

  expect(first.audio?.producer.id).toBe(second.audio?.producer.id);
  expect(first.audio?.producer.rtpParameters.codecs[0]?.mimeType).toBe('audio/opus');
  expect(new Set(stepsOf(heard.packets.map(({ rtpTime }) => rtpTime)))).toEqual(new Set([960]));
  expect(bridges.figures.children).toBe(1);
  first.release();
  second.release();
  await until('the child is gone', () => bridges.figures.children === 0);
});

test.each([
  ['H.265', { codec: 'h265', ...easyPictures }],
  ['H.264 with B-frames', { bFrames: 2, ...easyPictures }],
] as const)('%s becomes H.264 without B-frames by one child, within the budget', async (_, camera) => {
  const { bridges, worker, conversions } = await site({ workerPath, ...camera });

  const [first, second] = await Promise.all([
    watchPatiently(bridges, { ...anna, worker }),
    watchPatiently(bridges, { ...anna, worker, viewer: 'ben' }),
  ]);
  const seen = await receive(worker, first.video?.producer);
  first.video?.begin();
  await until('pictures come', () => seen.pictures.length > 40);

  expect(seen.oddities).toEqual([]);
  expect(seen.pictures.filter(({ isKey }) => isKey).length).toBeGreaterThan(1);
  expect(Math.max(...stepsOf(seen.pictures.map(({ rtpTime }) => rtpTime)))).toBeLessThan(2 ** 31);
  expect(first.notes).toHaveLength(1);
  expect(bridges.figures.children).toBe(1);
  expect(conversions.figures().running).toMatchObject([{ streamId, kind: 'webrtc', viewers: ['anna', 'ben'] }]);
  first.release();
  second.release();
  await until('the child is gone', () => bridges.figures.children === 0);
  expect(conversions.figures().running).toEqual([]);
});

test('beyond the budget a viewer is told so', async () => {
  const { bridges, worker } = await site({ workerPath, codec: 'h265', conversionsMax: 0 });

  const refused = bridges.watch(streamId, { ...anna, worker });

  await expect(refused).rejects.toMatchObject({ code: 'resource_exhausted' });
  expect(bridges.figures).toMatchObject({ viewers: 0, lines: 0, children: 0 });
});

test('a stream that is not live is refused', async () => {
  const { bridges, worker } = await site({ workerPath });

  await expect(bridges.watch('nowhere', { ...anna, worker })).rejects.toMatchObject({ code: 'unavailable' });
  expect(bridges.figures).toMatchObject({ viewers: 0, lines: 0 });
});

test('a converting child that is killed is replaced, and the picture goes on in the same producer', async () => {
  const { bridges, worker, lines } = await site({ workerPath, bFrames: 2, ...easyPictures });
  const { video } = await watchPatiently(bridges, { ...anna, worker });
  const seen = await receive(worker, video?.producer);
  video?.begin();
  await until('pictures come', () => seen.pictures.length > 20);
  const before = seen.pictures.length;

  for (const pid of await childrenNamed('ffmpeg')) process.kill(pid, 'SIGKILL');
  await until('pictures come again', () => seen.pictures.length > before + 15);

  expect(areConsecutive(seen.packets.map(({ sequence }) => sequence))).toBe(true);
  expect(seen.oddities).toEqual([]);
  expect(lines.filter((line) => line.includes('conversion begins anew')).length).toBeGreaterThan(0);
});
