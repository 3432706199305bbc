/** The plane with real workers: what is made on them, how they die, and what keeps them from starting. */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import type { types } from 'mediasoup';
import { describe, expect, it, onTestFinished } from 'vitest';
import { mediaPlaneLimits } from '../../../gateway/webrtc/media-plane/limits.ts';
import { freePort } from '../../../gateway/webrtc/media-plane/port-probe.ts';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { findMediaWorker } from '../../kit/media-worker.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { isAlive, startPlane } from './kit.ts';

const workerPath = await findMediaWorker();
const real = { workerPath: () => workerPath };

/** What takes seconds takes tenths. */
const hasty: Clock = {
  ...systemClock,
  sleep: (durationMs, signal) => systemClock.sleep(Math.min(durationMs, 100), signal),
  after: (durationMs, callback) =>
    systemClock.after(durationMs === mediaPlaneLimits.startMsMax ? durationMs : Math.min(durationMs, 1_000), callback),
};

const sound: types.RtpParameters = {
  codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000, channels: 2 }],
  encodings: [{ ssrc: 1 }],
};
/** A head, and two bytes of that sound. */
const rtpPacket = Buffer.from('8064000100000001000000010000', 'hex');

async function boundUdp(port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

describe('a media plane', () => {
  it('starts a worker with a router, and peers and plain transports on it', async () => {
    const { plane, place, untilState, told } = await startPlane(real);
    await untilState('ready');

    const worker = place();
    const peer = await worker.createPeer({ key: 'gate' });
    const plain = await worker.createPlain();

    expect(told.map(({ state }) => state)).toEqual(['starting', 'ready']);
    expect(worker.router.rtpCapabilities.codecs?.map(({ mimeType }) => mimeType)).toEqual(
      expect.arrayContaining(['audio/opus', 'audio/PCMU', 'audio/PCMA', 'video/H264']),
    );
    expect(peer.iceParameters.iceLite).toBe(true);
    expect(peer.iceCandidates.map(({ port, protocol }) => [port, protocol])).toEqual([
      [worker.port, 'udp'],
      [worker.port, 'tcp'],
    ]);
    expect(plain.tuple).toMatchObject({ localAddress: '127.0.0.1', protocol: 'udp' });
    expect(worker.candidateAddresses('127.0.0.1')).toEqual(['127.0.0.1']);
    expect(plane.figures).toMatchObject({ workers: 1, wanted: 1, peers: 1, restarts: 0 });
  });

  it('takes media on a plain transport of the port it is connected to, whoever sent to it before', async () => {
    const { place, untilState } = await startPlane(real);
    await untilState('ready');
    const plain = await place().createPlain();
    await plain.produce({ kind: 'audio', rtpParameters: sound });
    const [stranger, own] = [await boundUdp(0), await boundUdp(0)];
    onTestFinished(() => void [stranger, own].map((socket) => socket.close()));
    const sendFrom = (socket: Socket) =>
      new Promise((resolve) => socket.send(rtpPacket, plain.tuple.localPort, '127.0.0.1', resolve));
    const receivedBytes = async () => (await plain.getStats())[0]?.rtpBytesReceived;

    await sendFrom(stranger);
    await plain.connect({ ip: '127.0.0.1', port: own.address().port });
    await sendFrom(stranger);

    expect(plain.tuple.remotePort).toBe(own.address().port);
    expect(await receivedBytes()).toBe(0);
    await sendFrom(own);
    await until('the packet of ours is taken', async () => ((await receivedBytes()) ?? 0) > 0);
  });

  it('takes TCP on the same port, on loopback alone where it is told so', async () => {
    const { place, untilState } = await startPlane(real);
    await untilState('ready');

    const socket = connectTcp(place().port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());

    await once(socket, 'connect');
  });

  it('forgets peers that are closed', async () => {
    const { plane, place, untilState } = await startPlane(real);
    await untilState('ready');
    const peer = await place().createPeer({ key: 'gate' });

    peer.close();

    expect(plane.figures.peers).toBe(0);
    expect(place().hasPeerOf('gate')).toBe(false);
  });

  it('puts peers of one stream on one worker, and others on the other one', async () => {
    const { plane, place, untilState } = await startPlane({ ...real, workers: 2 });
    await untilState('ready');
    await until('both workers run', () => plane.figures.workers === 2);
    const first = place('gate');
    await first.createPeer({ key: 'gate' });

    expect(place('gate')).toBe(first);
    expect(place('yard')).not.toBe(first);
    expect(place('yard').port).not.toBe(first.port);
  });

  it('ends the sessions of a worker that is killed, starts another one, and goes on', async () => {
    const { plane, place, untilState } = await startPlane(real);
    await untilState('ready');
    const worker = place();
    const peer = await worker.createPeer({ key: 'gate' });
    const plain = await worker.createPlain();
    const died: string[] = [];
    worker.onDied(() => died.push('told'));
    const toldNoMore = worker.onDied(() => died.push('told although nobody wanted to know'));
    toldNoMore();

    process.kill(worker.pid, 'SIGKILL');
    await until('the session is told', () => died.length > 0);
    await until('another worker runs', () => plane.figures.workers === 1 && plane.figures.restarts === 1);

    expect(died).toEqual(['told']);
    expect([worker.isAlive, peer.closed, plain.closed]).toEqual([false, true, true]);
    await expect(worker.createPeer()).rejects.toMatchObject({ code: 'unavailable' });
    const late: string[] = [];
    worker.onDied(() => late.push('told at once'));
    expect(late).toEqual(['told at once']);
    expect(plane.figures.peers).toBe(0);
    await expect(place().createPeer()).resolves.toMatchObject({ closed: false });
  });

  it('leaves no process behind, and says that it is off', async () => {
    const { plane, place, untilState } = await startPlane(real);
    await untilState('ready');
    const { pid } = place();

    await plane.close();
    await plane.close();

    expect(isAlive(pid)).toBe(false);
    expect(plane.status().state).toBe('off');
    expect(() => place()).toThrow(expect.objectContaining({ code: 'unavailable' }));
  });

  it('counts what workers with peers compute', async () => {
    const { plane, place, untilState } = await startPlane(real, { clock: hasty });
    await untilState('ready');
    await place().createPeer();

    await until('processor time is counted', () => plane.figures.processorMs > 0);
  });

  it('ends a worker that stands still while it has peers, and starts another one', async () => {
    const { plane, place, untilState } = await startPlane(real, { clock: hasty });
    await untilState('ready');
    const worker = place();
    await worker.createPeer();

    process.kill(worker.pid, 'SIGSTOP');

    await until('it is replaced', () => plane.figures.restarts > 0);
    expect(isAlive(worker.pid)).toBe(false);
  });

  it('gives up a worker that never listens, says so, and is closed while one is being waited for', async () => {
    const directory = await temporaryDirectory();
    const [program, pids] = [join(directory, 'worker'), join(directory, 'pids')];
    await writeFile(program, `#!/bin/sh\necho $$ >> ${pids}\nexec sleep 600\n`, { mode: 0o755 });
    const started = async () => (await readFile(pids, 'utf8').catch(() => '')).trim().split('\n').map(Number);
    const clock = { ...systemClock, after: (_ms: number, callback: () => void) => systemClock.after(300, callback) };
    const { plane, untilState } = await startPlane({ workerPath: () => program }, { clock });

    const { state, ...said } = await untilState('failed');
    await until('another is tried', async () => (await started()).length > 1);
    await plane.close();

    expect({ state, ...said }).toMatchObject({ reason: expect.stringContaining('did not listen within 30 s') });
    for (const pid of await started()) await until('it is gone', () => !isAlive(pid));
  });

  it('is closed although a worker stands still', async () => {
    const { plane, place, untilState } = await startPlane(real, { clock: hasty });
    await untilState('ready');
    const { pid } = place();

    process.kill(pid, 'SIGSTOP');
    await plane.close();

    expect(isAlive(pid)).toBe(false);
  });

  it.each([
    { protocol: 'UDP', occupy: (port: number) => boundUdp(port) },
    {
      protocol: 'TCP',
      async occupy(port: number) {
        const server = createServer().listen(port, '127.0.0.1');
        await once(server, 'listening');
        return server;
      },
    },
  ])(
    'says that another program has its port ($protocol), and takes it when that one is gone',
    async ({ protocol, occupy }) => {
      const port = await freePort(['127.0.0.1']);
      const other = await occupy(port);
      const { plane, place, untilState } = await startPlane({ ...real, port });

      const status = await untilState('failed');

      expect(status).toMatchObject({
        reason: expect.stringContaining(`${protocol} port ${port} is used by another program`),
      });
      expect(plane.trouble).toContain('webrtc.port');
      expect(() => place()).toThrow(expect.objectContaining({ code: 'unavailable', message: plane.trouble }));

      other.close();
      await untilState('ready');

      expect(place().port).toBe(port);
      expect(plane.trouble).toBeUndefined();
    },
  );

  it('says which address this machine does not have', async () => {
    const { untilState } = await startPlane({ ...real, host: '192.0.2.200' });

    expect(await untilState('failed')).toMatchObject({
      reason: expect.stringContaining('this machine does not have the address 192.0.2.200'),
    });
  });

  it('says how far the build of its program is, and starts by itself when that is there', async () => {
    const path = join(await temporaryDirectory(), 'mediasoup-worker');
    const seen = { path: undefined as string | undefined, reason: 'about to be built' };
    const { told, place, untilState } = await startPlane({
      workerPath: () => seen.path,
      whyNoWorker: () => ({ state: 'building', reason: seen.reason }),
    });
    await untilState('building');
    expect(() => place()).toThrow('about to be built');

    seen.reason = '120 of 263 steps';
    await until('it is told', () =>
      told.some((status) => status.state === 'building' && status.reason === seen.reason),
    );
    await symlink(workerPath, path);
    seen.path = path;

    await untilState('ready');
    expect(place().isAlive).toBe(true);
  });

  it('is told to be missing by a reason of its own, and is a trouble then', async () => {
    const { plane, untilState } = await startPlane({ workerPath: () => undefined });

    expect(await untilState('missing')).toMatchObject({ reason: 'the WebRTC worker (mediasoup) is not installed' });
    expect(plane.trouble).toBe('the WebRTC worker (mediasoup) is not installed');
  });

  it('says that a program does not run which is something else', async () => {
    const path = join(await temporaryDirectory(), 'mediasoup-worker');
    await writeFile(path, '#!/bin/sh\nexit 127\n', { mode: 0o755 });
    const { untilState, lines } = await startPlane({ workerPath: () => path });

    expect(await untilState('failed')).toMatchObject({
      reason: expect.stringContaining('the WebRTC worker does not start'),
    });
    await until('it was tried more than once', () => lines.length > 0);
  });
});
