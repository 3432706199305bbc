/** Bodies of media on real connections: one to whom nothing is sent stays, one that takes nothing is cut and holds nothing. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { sendBytes } from '../../../appliance/admin/kvs-bytes.ts';
import { until } from '../../kit/until.ts';

type Answer = {
  readonly isBegun: boolean;
  readonly isOver: boolean;
  readonly pieces: number;
  next(piece: Buffer): void;
};

/** A server whose idle connections end after 200 ms, and which answers with the pieces that the test gives it. */
async function start({ stallMs }: { readonly stallMs: number }) {
  const answers: Answer[] = [];
  const server = createServer((request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const state = { isBegun: true, isOver: false, pieces: 0 };
    const waiting: Buffer[] = [];
    let wake = () => {};
    const next = (piece: Buffer) => {
      waiting.push(piece);
      wake();
    };
    gone.signal.addEventListener('abort', () => wake());
    const body = async function* () {
      try {
        while (!gone.signal.aborted) {
          const piece = waiting.shift();
          if (piece?.length === 0) return;
          if (piece !== undefined) {
            state.pieces++;
            yield piece;
          } else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        state.isOver = true;
      }
    };
    answers.push(Object.assign(state, { next }));
    const answer = { kind: 'bytes', contentType: 'video/webm', body: body() } as const;
    void sendBytes(request, response, { head: { 'x-test': 'yes' }, answer, signal: gone.signal, stallMs });
  });
  server.timeout = 200;
  server.keepAliveTimeout = 200;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = async (): Promise<{ socket: Socket; text: () => string; isClosed: () => boolean }> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let text = '';
    let isClosed = false;
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      isClosed = true;
    });
    onTestFinished(() => {
      socket.destroy();
    });
    socket.write('POST /getMedia HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
    return { socket, text: () => text, isClosed: () => isClosed };
  };
  return { answers, client };
}

test('(64) the head goes out before there is a byte, and a reader of a sparse stream outlives the timeout of idle connections', async () => {
  const { answers, client } = await start({ stallMs: 200 });
  const { text, isClosed } = await client();
  await until('the head came', () => text().includes('\r\n\r\n'));
  const idle = await client();
  await until('the other one is answered too', () => answers.length === 2);
  answers[1]?.next(Buffer.alloc(0));
  await until('an idle connection is ended', () => idle.isClosed());

  answers[0]?.next(Buffer.from('a fragment'));

  await until('the fragment came', () => text().includes('a fragment'));
  expect(isClosed()).toBe(false);
  expect(text()).toContain('content-type: video/webm');
  expect(text()).toContain('x-test: yes');
  answers[0]?.next(Buffer.alloc(0));
  await until('the body ends properly', () => text().endsWith('0\r\n\r\n'));
});

test('a client that takes nothing is cut, and nothing is held for it any more', async () => {
  const { answers, client } = await start({ stallMs: 300 });
  const { socket } = await client();
  socket.pause();
  await until('it is answered', () => answers.length === 1);
  const [answer] = answers;
  for (let i = 0; i < 64; i++) answer?.next(Buffer.alloc(1_000_000));

  await until('its body was given up', () => answer?.isOver);

  expect(answer?.pieces).toBeLessThan(64);
});

test('a client that goes ends the body at once', async () => {
  const { answers, client } = await start({ stallMs: 60_000 });
  const { socket } = await client();
  await until('it is answered', () => answers.length === 1);

  socket.destroy();

  await until('its body was given up', () => answers[0]?.isOver);
});
