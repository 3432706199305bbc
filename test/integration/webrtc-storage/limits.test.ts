import type { types } from 'mediasoup';
import { expect, test } from 'vitest';
import type { RunningWorker } from '../../../gateway/webrtc/media-plane/running-worker.ts';
import type { PeerOptions } from '../../../gateway/webrtc/media-plane/types.ts';
import { appError } from '../../../storage/base/errors.ts';
import { findMediaWorker } from '../../kit/media-worker.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { until } from '../../kit/until.ts';
import { described } from '../../unit/webrtc-sdp/own.ts';
import { startStorage } from './kit.ts';

const workerPath = await findMediaWorker();

test('an offer has sound first, both lines on port 9, and no sender but the server', async () => {
  const site = await startStorage(workerPath);
  const master = site.peerOf('master');

  await site.sessions.join(master);

  const lines = (master.offers[0] ?? '').split('\r\n');
  expect(lines.filter((line) => line.startsWith('m=')).map((line) => line.split(' ', 2).join(' '))).toEqual([
    'm=audio 9',
    'm=video 9',
  ]);
  expect(lines.filter((line) => /^a=(?:send|recv)/.test(line))).toEqual(['a=sendrecv', 'a=recvonly']);
  expect(lines).toContain('a=setup:actpass');
  expect(master.candidates.length).toBeGreaterThan(0);
  expect(master.candidates.every(({ sdpMid }) => sdpMid === undefined)).toBe(true);
});

test('(103) a fourth viewer is refused, a known one may join again, and a place that is left is free', async () => {
  const site = await startStorage(workerPath);
  const [first, second, third] = ['a', 'b', 'c'].map((id) => site.peerOf('viewer', id));
  for (const viewer of [first, second, third]) if (viewer !== undefined) await site.sessions.join(viewer);

  await expect(site.sessions.join(site.peerOf('viewer', 'd'))).rejects.toMatchObject({ code: 'resource_exhausted' });
  await site.sessions.join(site.peerOf('viewer', 'b'));
  first?.leave();
  await site.sessions.join(site.peerOf('viewer', 'd'));

  expect(site.sessions.participants).toBe(3);
});

test('(102) each join makes a new offer, and an answer to none is refused', async () => {
  const site = await startStorage(workerPath);
  const master = site.peerOf('master');

  await expect(site.sessions.answer(master, 'v=0')).rejects.toMatchObject({ code: 'failed_precondition' });
  await site.sessions.join(master);
  await site.sessions.join(master);
  await expect(site.sessions.answer(master, 'v=0')).rejects.toMatchObject({ code: 'invalid_argument' });

  expect(new Set(master.offers).size).toBe(2);
  expect(site.sessions.participants).toBe(1);
});

test('(105) an offer of a viewer is told to join instead', async () => {
  const site = await startStorage(workerPath);

  await expect(site.sessions.offer(site.peerOf('viewer', 'a'))).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringContaining('JoinStorageSessionAsViewer'),
  });
});

test('who never connects, may not stay, or finds its mapping gone is let go, and the session ends with the last', async () => {
  const clock = new SimulatedClock();
  const site = await startStorage(workerPath, { clock });
  const [slow, denied] = [site.peerOf('viewer', 'slow'), site.peerOf('viewer', 'denied')];
  await site.sessions.join(slow);
  await site.sessions.join(denied);

  denied.allowed = false;
  await clock.advance(1_000);
  const afterDenial = site.sessions.participants;
  await clock.advance(31_000);

  expect(afterDenial).toBe(1);
  await until('nobody is left', () => site.sessions.size === 0);
});

test('a channel that is mapped to another stream gets another session', async () => {
  const site = await startStorage(workerPath);
  await site.sessions.join(site.peerOf('viewer', 'a', 'stream1'));

  await site.sessions.join(site.peerOf('viewer', 'b', 'stream2'));

  expect([site.sessions.size, site.sessions.participants]).toEqual([1, 1]);
});

test('sessions end with their worker, and peers may join again when there is another', async () => {
  const site = await startStorage(workerPath);
  await site.sessions.join(site.peerOf('master'));

  site.kill();
  await until('the session is over', () => site.sessions.size === 0);
  const again = site.peerOf('master');
  await until('it is let in again', async () => {
    await site.sessions.join(again);
    return again.offers.length > 0;
  });
});

test('without a media plane a join is told why', async () => {
  const reason = 'the WebRTC worker is being built';
  const plane = {
    place: () => {
      throw appError('unavailable', reason);
    },
  };
  const site = await startStorage(workerPath, { plane });

  await expect(site.sessions.join(site.peerOf('master'))).rejects.toMatchObject({
    code: 'unavailable',
    message: reason,
  });
});

test('a master that cannot be taken is let go and said, and does not send to nobody', async () => {
  const site = await startStorage(workerPath);
  const worker = site.plane.place('channel1') as RunningWorker;
  const transports: types.WebRtcTransport[] = [];
  const createPeer = worker.createPeer.bind(worker);
  const createDirectTransport = worker.router.createDirectTransport.bind(worker.router);
  Object.assign(worker, {
    createPeer: async (options: PeerOptions) => {
      const transport = await createPeer(options);
      transports.push(transport);
      return transport;
    },
  });
  Object.assign(worker.router, {
    createDirectTransport: async () => {
      const direct = await createDirectTransport();
      const consume = direct.consume.bind(direct);
      let taken = 0;
      return Object.assign(direct, {
        consume: (options: types.ConsumerOptions) =>
          taken++ === 0 ? consume(options) : Promise.reject(new Error('cannot consume')),
      });
    },
  });
  const master = site.peerOf('master');
  await site.sessions.join(master);
  await site.sessions.answer(master, described('kvs-c-master-answer'));

  transports[0]?.emit('dtlsstatechange', 'connected');

  await until('it is let go', () => transports[0]?.closed);
  expect(site.lines.some((line) => line.includes('cannot take its master'))).toBe(true);
  expect(site.stored).toEqual([]);
});
