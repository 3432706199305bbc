import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { header } from '../../../gateway/rtsp/wire/message.ts';
import { until } from '../../kit/until.ts';
import { beginMs, encodeClip, RecordedStream, streamId } from '../playback/recorded-stream.ts';
import { noLane, startRtspServer } from './kit.ts';
import { RawClient, type SeenPacket } from './raw-client.ts';

/** Ten seconds of pictures, a key frame a second. */
const encode = () =>
  encodeClip([
    ...['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=10'],
    ...['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000:duration=10'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-bf', '2', '-c:a', 'aac', '-shortest'],
  ]);
let encoding: ReturnType<typeof encode> | undefined;

async function site() {
  const stream = new RecordedStream();
  encoding ??= encode();
  stream.addRun(await encoding, { atMs: beginMs });
  const started = await startRtspServer({ client: noLane, source: stream });
  const target = `rtsp://${started.host}/${streamId}?start=${beginMs}&end=${beginMs + 10_000}`;
  return { ...started, stream, target, client: await RawClient.open(started.host, 'reader') };
}

const secondsOf = (packets: readonly SeenPacket[]) => {
  const times = packets.map(({ time }) => (time - (packets[0]?.time ?? 0)) | 0);
  return (Math.max(...times) - Math.min(...times)) / 90_000;
};
const takenMs = (packets: readonly SeenPacket[]) => (packets.at(-1)?.atMs ?? 0) - (packets[0]?.atMs ?? 0);

test('speed sends faster and leaves times as they are', async () => {
  const { client, target } = await site();

  const answer = await client.play(target, { Speed: '8' });
  await until('it ends', () => client.byes.length === 2);

  const video = client.ofChannel(0);
  expect(header(answer, 'speed')).toBe('8');
  expect(client.pictures).toBe(250);
  expect(secondsOf(video)).toBeCloseTo(9.96, 1);
  expect(takenMs(video)).toBeGreaterThan(1_000);
  expect(client.ofChannel(2).length).toBeGreaterThan(460);
});

test('scale compresses time: all pictures up to four times, without sound', async () => {
  const { client, target } = await site();

  const answer = await client.play(target, { Scale: '4' });
  // live555 waits for the goodbye of every track, also of one that was never sent.
  await until('it ends', () => client.byes.length === 2);

  expect(header(answer, 'scale')).toBe('4');
  expect(client.pictures).toBe(250);
  expect(secondsOf(client.ofChannel(0))).toBeCloseTo(2.49, 1);
  expect(client.ofChannel(2)).toEqual([]);
});

test('beyond four times key frames alone come, and a scale that we have not is told as the nearest', async () => {
  const { client, target } = await site();

  const answer = await client.play(target, { Scale: '100' });
  await until('it ends', () => client.byes.length > 0);

  expect(header(answer, 'scale')).toBe('32');
  expect(client.pictures).toBe(10);
  expect(secondsOf(client.ofChannel(0))).toBeCloseTo(9 / 32, 2);
});

test('numbers and times of the answer to PLAY are those of the packets, and reports tell the real time', async () => {
  const { client, target } = await site();

  const answer = await client.play(target, { Range: 'clock=20260101T120005Z-' });
  await until('it is sent pictures and sound', () => client.pictures > 30 && client.reports.length >= 2);

  const [video] = client.ofChannel(0);
  const info = /trackID=1[^;]*;seq=(\d+);rtptime=(\d+)/.exec(header(answer, 'rtp-info') ?? '');
  expect(header(answer, 'range')).toBe('clock=20260101T120005.000Z-20260101T120010.000Z');
  expect([video?.sequence, video?.time]).toEqual([Number(info?.[1]), Number(info?.[2])]);
  const report = client.reports.find(({ channel }) => channel === 1);
  // The camera's clock of these fragments is 5 ms behind ours.
  expect(report?.ntpMs).toBeCloseTo(beginMs + 5_000 - 5, 0);
});

test('a reader pauses, goes on with the very next packet, and seeks', async () => {
  const { client, target } = await site();
  await client.play(target);
  await until('it is sent pictures', () => client.pictures > 10);

  expect((await client.ask('PAUSE', target)).status).toBe(200);
  const paused = client.packets.length;
  expect((await client.ask('GET_PARAMETER', target)).status).toBe(200);
  expect(client.packets.length).toBe(paused);
  await client.ask('PLAY', target);
  await until('it goes on', () => client.packets.length > paused + 40);
  const seek = await client.ask('PLAY', target, { Range: 'npt=8.2-' });
  await until('it ends', () => client.byes.length > 0);

  expect(header(seek, 'range')).toBe('npt=8.000-10.000');
  const sequences = client.ofChannel(0).map(({ sequence }) => sequence);
  expect(sequences.every((value, at) => at === 0 || value === (((sequences[at - 1] ?? 0) + 1) & 0xffff))).toBe(true);
  const again = await client.ask('PLAY', target, { Range: 'npt=0-1' });
  expect(again.status).toBe(200);
  expect((await client.ask('TEARDOWN', target)).status).toBe(200);
  expect((await client.ask('PLAY', target)).status).toBe(454);
});

test('what cannot be is refused by the status for it', async () => {
  const { client, host, target } = await site();
  const statusOf = async (method: string, uri: string, headers: Record<string, string> = {}) =>
    (await client.ask(method, uri, headers)).status;
  const tcp = { Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' };

  expect(await statusOf('DESCRIBE', `rtsp://${host}/${streamId}?start=${beginMs + 3_600_000}`)).toBe(404);
  expect(await statusOf('DESCRIBE', `rtsp://${host}/${streamId}`)).toBe(503);
  expect(await statusOf('DESCRIBE', `rtsp://${host}/${streamId}?start=nonsense`)).toBe(400);
  expect(await statusOf('SETUP', `${target}/trackID=9`, tcp)).toBe(404);
  expect(await statusOf('SETUP', target, tcp)).toBe(459);
  expect(await statusOf('SETUP', `${target}/trackID=1`, { Transport: 'RTP/AVP;multicast' })).toBe(461);
  expect(await statusOf('PLAY', target)).toBe(454);
  expect(await statusOf('DESCRIBE', target, { Require: 'x-magic' })).toBe(551);
  expect((await client.play(target)).status).toBe(200);
  expect(await statusOf('PLAY', target, { Range: 'smpte=0:00-' })).toBe(457);
  expect(await statusOf('PLAY', target, { Range: 'clock=20270101T000000Z-20270101T000001Z' })).toBe(457);
  expect(await statusOf('SETUP', `${target}/trackID=2`, tcp)).toBe(455);
});

test('UDP goes to the player alone, from the ports that were told', async () => {
  const { client, target } = await site();

  const answer = await client.ask('SETUP', `${target}/trackID=1`, {
    Transport: 'RTP/AVP;unicast;destination=192.0.2.1;client_port=45000-45001',
  });

  expect(header(answer, 'transport')).toMatch(/^RTP\/AVP;unicast;client_port=45000-45001;server_port=\d+-\d+;ssrc=/);
});

test('hostile bytes end a connection, and nothing else', async () => {
  const { server, client, target } = await site();
  await client.play(target);
  const words = [
    'DESCRIBE ',
    'rtsp://a/',
    'RTSP/1.0',
    '\r\n',
    'CSeq: 1',
    '\r\n\r\n',
    '$',
    '\0',
    'Content-Length: 99999999',
    'Transport: ',
    'PLAY ',
  ];
  const piece = fc.oneof(fc.constantFrom(...words), fc.string(), fc.constant('A'.repeat(20_000)));

  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 30 }), async (pieces) => {
      const socket = connect(server.port, '127.0.0.1');
      await new Promise<void>((resolve) => {
        socket.on('error', () => {});
        socket.on('close', () => resolve());
        socket.on('data', () => {});
        socket.end(Buffer.concat([Buffer.from(pieces.join('')), randomBytes(200)]));
      });
    }),
    { numRuns: 100 },
  );

  const before = client.pictures;
  await until('the reader goes on', () => client.pictures > before + 5);
  await until('nobody else is left', () => server.stats.connections === 1);
});
