import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { types } from 'mediasoup';
import { expect, onTestFinished, test } from 'vitest';
import { PeerMedia } from '../../../gateway/webrtc/receive/index.ts';
import type { InletWorker } from '../../../gateway/webrtc/receive/rtp-inlet.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { until } from '../../kit/until.ts';
import { aggregate, pps, rtp, slice, sps } from '../rtsp/packets.ts';

const ssrcs = { video: 1, audio: 2 } as const;
const codecs = {
  video: { mimeType: 'video/H264', clockRate: 90_000, payloadType: 96, parameters: { 'packetization-mode': 1 } },
  audio: { mimeType: 'audio/opus', clockRate: 48_000, payloadType: 111, channels: 2 },
} as const;

/** A worker that is a socket of ours, and what comes of two producers on it. */
async function received() {
  const clock = new SimulatedClock();
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  let peerPort = 0;
  const transport = {
    tuple: { localPort: socket.address().port },
    connect: async ({ port }: { readonly port: number }) => {
      peerPort = port;
    },
    consume: async ({ producerId: kind }: { readonly producerId: types.MediaKind }) => ({
      ...{ kind, requestKeyFrame: async () => {}, resume: async () => {} },
      rtpParameters: { codecs: [codecs[kind]], encodings: [{ ssrc: ssrcs[kind] }] },
    }),
    close: () => {},
  };
  const worker = {
    ...{ isAlive: true, router: { rtpCapabilities: { codecs: [] } }, createPlain: async () => transport },
  } as unknown as InletWorker;
  const producer = (id: types.MediaKind) =>
    ({ ...{ id, kind: id, type: 'simple', on: () => {}, off: () => {} }, enableTraceEvent: async () => {} }) as never;
  const told: string[] = [];
  const media = new PeerMedia(
    {
      ...{ clock, random: () => 0.5, worker },
      sink: {
        session: (tracks, reason) => told.push(`${reason}: ${tracks.map(({ kind }) => kind).join(' ')}`),
        unit: ({ trackNumber }) => told.push(`unit ${trackNumber}`),
        loss: () => told.push('loss'),
        clock: () => {},
      },
      onFault: ({ message }) => told.push(message),
    },
    { video: producer('video'), audio: producer('audio') },
  );
  await media.start();
  onTestFinished(() => media.close());
  const send = async (kind: types.MediaKind, sequence: number, payload: Uint8Array) => {
    const { payloadType: type } = codecs[kind];
    const before = media.lastMediaMs;
    await clock.advance(1);
    socket.send(rtp({ sequence, time: sequence * 960, payload, type, source: ssrcs[kind], marker: true }), peerPort);
    await until('it has come', () => media.lastMediaMs > before);
  };
  return { clock, told, send };
}

test('pictures of a peer that takes its time to connect are waited for when its sound comes first', async () => {
  const { clock, told, send } = await received();

  await clock.advance(25_000);
  await send('audio', 1, Uint8Array.of(0xfc, 0xff, 0xfe));
  await clock.advance(2_000);
  await send('video', 1, aggregate(24, [sps, pps, slice({ isKey: true })]));
  await send('video', 2, slice());
  await send('audio', 2, Uint8Array.of(0xfc, 0xff, 0xfe));

  expect(told).toEqual(['started: video audio', 'unit 1', 'unit 2']);
});
