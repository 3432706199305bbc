/** One request outwards, answered by what no web server should say. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { send } from '../../../appliance/webhooks/send.ts';
import { systemClock } from '../../../storage/base/clock.ts';

const empty = 'Content-Length: 0\r\n\r\n';

test.each([
  [
    'another protocol',
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello`,
    'answered 101',
  ],
  [
    'early hints without end',
    `${'HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n'.repeat(500)}HTTP/1.1 200 OK\r\n${empty}`,
    null,
  ],
  [
    'somewhere else',
    `HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n${empty}`,
    'answered 302: redirects are not followed',
  ],
  ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(100_000)}`, 'Parse Error: Header overflow'],
  ['a body without end', `HTTP/1.1 200 OK\r\n\r\n${'z'.repeat(200_000)}`, null],
  ['nonsense', '\u001b]0;owned\u0007\r\n\r\n', expect.stringContaining('Parse Error')],
])('%s is an answer like any: the attempt ends', async (_, answer, error) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

  const attempt = await send(
    { clock: systemClock },
    { url, method: 'POST', headers: {}, body: '{}', tls: 'verify', addresses: 'site' },
    { signal: new AbortController().signal },
  );

  expect(attempt.error).toEqual(error);
});
