import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { RtspSession } from '../../../gateway/rtsp/index.ts';
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

test('a camera that asks and does not read gets no answers that would fill the memory', async () => {
  const answered = Promise.withResolvers<number>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    askAndRead(socket).then(answered.resolve, answered.reject);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const source = { kind: 'rtsp', url: `rtsp://127.0.0.1:${port}/`, transport: 'tcp', tls: 'verify' } as const;

  const end = await new RtspSession(deps, { source }).run(new CollectingSink(), new AbortController().signal);

  expect(end.reason).not.toBe('shutdown');
  // What the kernel's buffers of both sides take, and a little of ours.
  expect(await answered.promise).toBeLessThan((requests * request.length) / 2);
});
