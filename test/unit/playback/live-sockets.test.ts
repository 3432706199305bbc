/** Viewers of a live stream over WebSockets: what they get, what they share, and what becomes of slow and uninvited ones. */

import { EventEmitter } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import {
  type LiveMessage,
  type LiveSocket,
  LiveSockets,
  liveCloseCodes,
  type Permission,
} from '../../../gateway/playback/index.ts';
import { liveSocketLimits } from '../../../gateway/playback/live-socket/limits.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { h265Parameters, videoTrack } from '../../../storage/media/index.ts';
import { samplesOfChunks } from '../../kit/chunk-samples.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { LiveStream, liveStreamId, liveTracks, unitsBetween } from './live-stream.ts';

const beginMs = Date.UTC(2026, 0, 1, 12);

class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  closeCode: number | undefined;
  isTerminated = false;
  pings = 0;
  /** Goes on reading, or what it is sent waits. */
  isSlow = false;
  readonly messages: LiveMessage[] = [];
  readonly media: Uint8Array[] = [];

  send(data: unknown): void {
    if (typeof data === 'string') this.messages.push(JSON.parse(data) as LiveMessage);
    else {
      this.media.push(data as Uint8Array);
      if (this.isSlow) this.bufferedAmount += (data as Uint8Array).length;
    }
  }

  close(code: number): void {
    this.closeCode ??= code;
    this.#gone();
  }

  terminate(): void {
    this.isTerminated = true;
    this.#gone();
  }

  ping(): void {
    this.pings++;
  }

  #gone(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.emit('close');
  }
}

function startSite(tracks = liveTracks) {
  const clock = new SimulatedClock(beginMs);
  const stream = new LiveStream(beginMs, tracks);
  const sockets = new LiveSockets({ clock, log: silentLog, laneOf: () => stream });
  sockets.start();
  onTestFinished(() => sockets.close());
  const site = { clock, stream, sockets, atMs: 0, sent: 0, permission: 'granted' as Permission };
  const play = async (untilMs: number) => {
    stream.units(unitsBetween(site.atMs, untilMs));
    site.atMs = untilMs;
    for (const { wake } of stream.lanes) wake();
    await settled();
  };
  const watch = async (request: { account?: string; canPlayH265?: boolean } = {}) => {
    const socket = new FakeSocket();
    sockets.add(socket as unknown as LiveSocket, {
      ...{ streamId: liveStreamId, account: 'user a', canPlayH265: true, ...request },
      permission: () => site.permission,
      onSent: (bytes) => {
        site.sent += bytes;
      },
    });
    await settled();
    return socket;
  };
  return Object.assign(site, { play, watch });
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const kinds = ({ messages }: FakeSocket) => messages.map(({ type }) => type);
/** Times of pictures in what was sent, seconds of the first initialization on. */
const pictureCount = ({ media }: FakeSocket) =>
  media.flatMap((bytes) => samplesOfChunks(bytes)).filter(({ hex }) => !hex.startsWith('21')).length;

test('a viewer gets what to expect, an initialization, and the pictures since the last key frame at once', async () => {
  const site = startSite();
  await site.play(1_000);

  const socket = await site.watch();

  expect(socket.messages[0]).toMatchObject({
    type: 'begin',
    mime: 'video/mp4; codecs="avc1.42c01e,mp4a.40.2"',
    video: { codec: 'h264', widthPixels: 640, heightPixels: 360 },
    audio: { codec: 'aac', samplingFrequencyHz: 48_000 },
    leftOut: [],
  });
  expect(Buffer.from(socket.media[0] ?? []).toString('latin1', 4, 8)).toBe('ftyp');
  // The newest one waits for the next: until then nobody knows how long it lasts.
  expect(pictureCount(socket)).toBe(24);
  await site.play(1_200);
  expect(pictureCount(socket)).toBe(29);
});

test('all viewers of a stream share one lane and its bytes', async () => {
  const site = startSite();
  await site.play(400);
  const first = await site.watch();
  await site.play(800);
  const second = await site.watch();

  await site.play(1_200);

  expect(site.stream.lanesOpened).toBe(1);
  expect(second.media.at(-1)).toBe(first.media.at(-1));
  expect(second.media.at(1)).toBe(first.media.at(1));
  expect(pictureCount(second)).toBe(pictureCount(first));
  expect(site.sockets.figures).toMatchObject({ sockets: 2, streams: 1 });
});

test('positions and our clock are told together, and again', async () => {
  const site = startSite();
  await site.play(1_000);
  const socket = await site.watch();
  const [begin] = socket.messages;
  if (begin?.type !== 'begin') throw new Error('it begins');

  await site.play(5_000);
  await site.clock.advance(5_100);

  const last = socket.messages.at(-1);
  expect(last?.type).toBe('time');
  if (last?.type !== 'time') return;
  const passedMs = last.time.positionMs - begin.time.positionMs;
  expect(last.time.serverTimestampMs - begin.time.serverTimestampMs).toBeCloseTo(passedMs, 0);
});

test('a camera that is away is told, and its viewers go on by themselves, later by as long as it was away', async () => {
  const site = startSite();
  await site.play(1_000);
  const socket = await site.watch();
  const before = socket.media.length;

  site.stream.newRun(9_000);
  site.atMs = 0;
  await site.play(1_000);

  expect(kinds(socket).filter((type) => type !== 'time')).toEqual(['begin', 'away', 'begin']);
  const [, , again] = socket.messages;
  const [first] = socket.messages;
  if (first?.type !== 'begin' || again?.type !== 'begin') throw new Error('it begins twice');
  expect(again.time.positionMs - first.time.positionMs).toBeGreaterThan(8_000);
  expect(Buffer.from(socket.media[before] ?? []).toString('latin1', 4, 8)).toBe('ftyp');
});

test('units that the lane dropped end nothing: a key frame begins anew', async () => {
  const site = startSite();
  await site.play(1_000);
  const socket = await site.watch();

  site.stream.drop(unitsBetween(1_000, 1_500));
  site.atMs = 1_500;
  await site.play(2_200);

  expect(kinds(socket)).toEqual(['begin', 'begin']);
});

test('what waits for all viewers of an account is bounded, and others lose nothing by it', async () => {
  const site = startSite();
  await site.play(400);
  const lazy: FakeSocket[] = [];
  for (let i = 0; i < 10; i++) lazy.push(await site.watch());
  const other = await site.watch({ account: 'user b' });
  const before = lazy.map(pictureCount);

  for (const socket of lazy) socket.bufferedAmount = Math.ceil(liveSocketLimits.unsentBytesOfOneMax / lazy.length);
  await site.play(1_000);

  expect(lazy.map(pictureCount)).toEqual(before);
  expect(pictureCount(other)).toBe(24);
});

test('a viewer that is late loses whole groups of pictures, is told, and holds up nobody', async () => {
  const site = startSite();
  await site.play(200);
  const [slow, quick] = [await site.watch(), await site.watch()];
  slow.isSlow = true;
  await site.play(400);
  await site.clock.advance(3_100);
  await site.play(1_000);
  const stoppedAt = slow.media.length;
  await site.play(3_000);
  expect(slow.media.length).toBe(stoppedAt);

  slow.bufferedAmount = 0;
  slow.isSlow = false;
  await site.play(5_000);

  expect(slow.messages.at(-1)).toMatchObject({ type: 'dropped' });
  const [next] = samplesOfChunks(slow.media[stoppedAt] ?? new Uint8Array());
  expect(next?.flags).toBe(0x02000000);
  expect(pictureCount(quick)).toBe(124);
  expect(site.sockets.figures.dropped).toBeGreaterThan(50);
});

test('a viewer that takes nothing at all is gone', async () => {
  const site = startSite();
  await site.play(200);
  const socket = await site.watch();
  socket.isSlow = true;
  await site.play(400);
  for (let i = 0; i < 3; i++) {
    socket.emit('pong');
    await site.clock.advance(7_500);
    await site.play(site.atMs + 40);
  }
  expect(socket.isTerminated).toBe(true);
  expect(site.sockets.figures.sockets).toBe(0);
});

test('who does not answer pings is ended, who does stays', async () => {
  const site = startSite();
  const [dead, alive] = [await site.watch(), await site.watch()];
  for (let i = 0; i < 3; i++) {
    await site.clock.advance(10_000);
    alive.emit('pong');
  }
  expect([dead.isTerminated, alive.isTerminated]).toEqual([true, false]);
});

test('the authoriser is asked at once and every ten seconds', async () => {
  const site = startSite();
  const socket = await site.watch();
  await site.clock.advance(9_000);
  site.permission = 'denied';
  expect(socket.closeCode).toBeUndefined();
  await site.clock.advance(1_500);
  expect(socket.closeCode).toBe(liveCloseCodes.notAllowed);

  site.permission = 'logged-out';
  expect((await site.watch()).closeCode).toBe(liveCloseCodes.loggedOut);
});

test('one account has so many views and no more, and others still have room', async () => {
  const site = startSite();
  for (let i = 0; i < 128; i++) await site.watch({ account: 'user a' });
  expect((await site.watch({ account: 'user a' })).closeCode).toBe(liveCloseCodes.tryLater);
  expect((await site.watch({ account: 'user b' })).closeCode).toBeUndefined();
});

test('H.265 is refused, in words, to who cannot decode it', async () => {
  const [vps, sps, pps] = [
    'QAEMAf//AWAAAAMAkAAAAwAAAwBdlZgJ',
    'QgEBAWAAAAMAkAAAAwAAAwBdoAUCAXE2Wa5JMvAWgIAAAAMAgAAADIQ=',
    'RAHBcrRiQA==',
  ].map((text) => Uint8Array.from(Buffer.from(text, 'base64'))) as [Uint8Array, Uint8Array, Uint8Array];
  const [, audio] = liveTracks;
  const site = startSite([videoTrack(1, h265Parameters(vps, sps, [pps])), ...(audio === undefined ? [] : [audio])]);
  const socket = await site.watch({ canPlayH265: false });
  site.stream.units([
    { trackNumber: 1, mediaMs: 0, isKey: true, bytes: Uint8Array.of(0, 0, 0, 3, 0x26, 1, 2) },
    { trackNumber: 1, mediaMs: 40, isKey: false, bytes: Uint8Array.of(0, 0, 0, 3, 2, 1, 2) },
  ]);
  for (const { wake } of site.stream.lanes) wake();
  await settled();
  expect(socket.messages).toMatchObject([{ type: 'refused', error: { code: 'unimplemented' } }]);
  expect(socket.closeCode).toBe(liveCloseCodes.refused);
});

test('sent bytes are told for the books, and a stream nobody watches is read no more', async () => {
  const site = startSite();
  await site.play(1_000);
  const socket = await site.watch();
  socket.close(1000);
  expect(site.sent).toBe(socket.media.reduce((sum, bytes) => sum + bytes.length, 0));
  await site.clock.advance(6_000);
  expect(site.stream.lanes.size).toBe(0);
  expect(site.sockets.figures.streams).toBe(0);
});
