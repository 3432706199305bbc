import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { type ConnectionHandler, RtspConnection } from '../../../gateway/rtsp/connection.ts';
import { RtspSession } from '../../../gateway/rtsp/index.ts';
import { readTurnMs, SharedReads, turnBytesMax } from '../../../gateway/rtsp/shared-reads.ts';
import type { SourceFault } from '../../../gateway/rtsp/source.ts';
import { parseRtspUrl } from '../../../gateway/rtsp/wire/url.ts';
import { AddressPolicy } from '../../../storage/base/address-policy.ts';
import { must } from '../../../storage/base/assert.ts';
import { type Clock, systemClock } from '../../../storage/base/clock.ts';
import { selfSignedPem } from '../../kit/gst-camera.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { interleaved } from '../../unit/rtsp/packets.ts';
import { CollectingSink, deps } from './collect.ts';

const requests = 60_000;
const request = `OPTIONS * RTSP/1.0\r\nCSeq: ${'7'.repeat(500)}\r\n\r\n`;

/** Asks many times without reading, then reads what it was answered and leaves. */
function askAndRead(socket: Socket): Promise<number> {
  return new Promise((resolve) => {
    let answered = 0;
    socket.pause();
    socket.write(request.repeat(requests), () => {
      socket.on('data', (bytes) => {
        answered += bytes.length;
      });
      socket.on('close', () => resolve(answered));
      socket.resume();
      socket.end();
    });
  });
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** @param turns  when it reads on */
async function connectedTo(url: string, turns: Clock, heard: Partial<ConnectionHandler>): Promise<RtspConnection> {
  const handler: ConnectionHandler = {
    packet: () => {},
    isChannel: () => true,
    garbage: () => {},
    ended: () => {},
    crashed: (error) => Promise.reject(error),
    ...heard,
  };
  const connection = new RtspConnection(
    { clock: systemClock, handler },
    {
      url: must(parseRtspUrl(url), 'it is an address'),
      tls: 'any',
      addresses: new AddressPolicy({ networks: [] }),
      reads: new SharedReads({ clock: turns }, { turnMs: () => readTurnMs }),
    },
  );
  onTestFinished(() => connection.destroy());
  await connection.connect();
  return connection;
}

test('a camera that asks and does not read gets no answers that would fill the memory', async () => {
  const answered = Promise.withResolvers<number>();
  const port = await listening(
    createServer((socket) => {
      socket.on('error', () => {});
      askAndRead(socket).then(answered.resolve, answered.reject);
    }),
  );
  const source = { kind: 'rtsp', url: `rtsp://127.0.0.1:${port}/`, transport: 'tcp', tls: 'verify' } as const;

  const end = await new RtspSession(deps, { source }).run(new CollectingSink(), new AbortController().signal);

  expect(end.reason).not.toBe('shutdown');
  // What the kernel's buffers of both sides take, and a little of ours.
  expect(await answered.promise).toBeLessThan((requests * request.length) / 2);
});

test('a camera that floods over TLS waits for its turn as any other', async () => {
  const pem = await readFile(await selfSignedPem(await temporaryDirectory()));
  const packets = Buffer.concat(Array.from({ length: 64 }, () => interleaved(0, new Uint8Array(16_000))));
  const server = createTlsServer({ key: pem, cert: pem }, (socket) => {
    socket.on('error', () => {});
    const flood = () => {
      while (!socket.destroyed && socket.write(packets));
    };
    socket.on('drain', flood);
    flood();
  });
  const turns = new SimulatedClock();
  let readBytes = 0;
  await connectedTo(`rtsps://127.0.0.1:${await listening(server)}/`, turns, {
    packet: (_, _bytes, begin, end) => {
      readBytes += end - begin;
    },
  });

  for (let turn = 1; turn <= 3; turn++) {
    await until(`turn ${turn} is used`, () => readBytes > turn * (turnBytesMax(readTurnMs) - 20_000));
    expect(readBytes).toBeLessThan(turn * (turnBytesMax(readTurnMs) + 40_000));
    await turns.advance(readTurnMs);
  }
});

test.each([
  ['closes the connection', (socket: Socket) => socket.destroy()],
  ['resets the connection', (socket: Socket) => socket.resetAndDestroy()],
])('a camera that %s has closed it, though reports are written before that is read', async (_, leave) => {
  const accepted = Promise.withResolvers<Socket>();
  const port = await listening(createServer((socket) => accepted.resolve(socket)));
  let packets = 0;
  let fault: SourceFault | undefined;
  const connection = await connectedTo(`rtsp://127.0.0.1:${port}/`, new SimulatedClock(), {
    packet: () => packets++,
    ended: (why) => {
      fault = why;
    },
  });
  const camera = await accepted.promise;
  camera.write(interleaved(0, new Uint8Array(100)));
  // From here on nothing more is read: the next turn never comes.
  await until('the first packet is there', () => packets === 1);

  leave(camera);

  const { reason } = await until('it ended', () => {
    connection.sendPacket(1, new Uint8Array(32));
    return fault;
  });
  expect(reason).toBe('source-closed');
});
