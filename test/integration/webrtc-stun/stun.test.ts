/** STUN by those who ask it: coturn's client, Chromium, and bare sockets. */

import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { StunAnswerer } from '../../../gateway/webrtc/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { createLog } from '../../../storage/base/log.ts';
import { startBrowser } from '../../kit/browser.ts';
import { runCommand } from '../../kit/run-command.ts';
import { until } from '../../kit/until.ts';

const stunClient = '/usr/bin/turnutils_stunclient';

async function startStun({ address = '127.0.0.1', port = 0 } = {}) {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => lines.push(line) } });
  const stun = new StunAnswerer({ clock: systemClock, log }, { address, port });
  onTestFinished(() => stun.close());
  await stun.start();
  return { stun, lines, port: stun.port ?? 0 };
}

test.skipIf(!existsSync(stunClient))('coturn’s client learns its own address and port', async () => {
  const { port } = await startStun();

  const { out } = await runCommand(stunClient, ['-p', String(port), '127.0.0.1']);

  expect(out).toMatch(/UDP reflexive addr: 127\.0\.0\.1:\d+/);
});

test('Chromium gathers a server reflexive candidate from it', async () => {
  const { port } = await startStun();
  const browser = await startBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();

  // Without permission for camera or microphone Chromium hides its own addresses, so the one that we tell it is news.
  const candidate = await page.evaluate(`new Promise((resolve) => {
    const iceServers = [{ urls: ['stun:127.0.0.1:${port}'], username: 'stun', credential: 'none' }];
    const connection = new RTCPeerConnection({ iceServers });
    connection.onicecandidate = (event) => event.candidate?.type === 'srflx' && resolve(event.candidate.address);
    connection.createDataChannel('any');
    void connection.setLocalDescription();
  })`);

  expect(candidate).toBe('127.0.0.1');
}, 60_000);

test('through an IPv6 socket IPv4 is told as IPv4, and what is no question goes unanswered', async () => {
  const { port } = await startStun({ address: '::' });
  const socket = createSocket('udp4');
  onTestFinished(() => void socket.close());
  const answers: Buffer[] = [];
  socket.on('message', (answer) => answers.push(answer));
  socket.bind(0, '127.0.0.1');
  const question = Buffer.concat([Buffer.from('000100002112a442', 'hex'), Buffer.alloc(12, 7)]);

  for (const datagram of [Buffer.alloc(0), Buffer.from('hello'), question.subarray(0, 16), Buffer.alloc(548)]) {
    socket.send(datagram, port, '127.0.0.1');
  }
  let asked = 0;
  await until('it answers', () => {
    if (asked++ % 25 === 0) socket.send(question, port, '127.0.0.1');
    return answers.length > 0;
  });

  const [answer = Buffer.alloc(0)] = answers;
  expect(answers.every((each) => each.equals(answer))).toBe(true);
  expect(answer).toHaveLength(32);
  expect(answer.readUInt16BE(26) ^ 0x2112).toBe(socket.address().port);
  expect((answer.readUInt32BE(28) ^ 0x2112a442) >>> 0).toBe(0x7f000001);
});

test('a port that is taken is told to the log, and nothing more; one that was given back is taken', async () => {
  const first = await startStun();

  const second = await startStun({ port: first.port });

  expect(second.stun.port).toBeUndefined();
  expect(second.lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 'warn', event: 'stun is not answered', errno: 'EADDRINUSE', hint: expect.stringContaining('stunPort') },
  ]);
  await Promise.all([first.stun.close(), first.stun.close()]);
  expect(first.stun.port).toBeUndefined();
  await second.stun.start();
  expect(second.stun.port).toBe(first.port);
});
