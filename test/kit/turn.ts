/** A TURN server (coturn, where it is installed) and a client that asks it for one allocation, and for a peer. */

import { spawn } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { onTestFinished } from 'vitest';
import { freePort } from './temp.ts';
import { until } from './until.ts';

const turnserver = ['/usr/bin/turnserver', '/usr/local/bin/turnserver'].find((path) => existsSync(path));

export const isTurnServerHere = turnserver !== undefined;

const magic = 0x2112a442;
const allocateRequest = 0x0003;
const allocated = 0x0103;
const bindingRequest = 0x0001;
const permissionRequest = 0x0008;
const permitted = 0x0108;
/** UDP over IPv4. */
const requestedTransport = attribute(0x0019, Buffer.from([17, 0, 0, 0]));

/**
 * coturn as a site would run it for us, on the loopback. Returns its port.
 *
 * @param options.relaysToLoopback  peers are on this machine too, which is forbidden otherwise
 */
export async function startTurnServer(options: {
  readonly secret: string;
  readonly directory: string;
  readonly relaysToLoopback?: boolean;
}) {
  const port = await freePort();
  const child = spawn(
    turnserver ?? '',
    [
      ...['-n', '--use-auth-secret', `--static-auth-secret=${options.secret}`, '--realm=weir.test'],
      ...['--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${port}`, '--no-tls', '--no-dtls'],
      ...['--no-cli', '--log-file=stdout', `--pidfile=${options.directory}/turnserver.pid`],
      `--userdb=${options.directory}/turn.db`,
      ...(options.relaysToLoopback === true ? ['--allow-loopback-peers'] : []),
    ],
    { stdio: 'ignore' },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  await withSocket((socket) => ask(socket, port, message(bindingRequest, randomBytes(12), [])));
  return { port };
}

type TurnCredentials = { readonly username: string; readonly password: string };

/** Asks for a relay address: true when it was given, false when the credentials were refused. */
export function allocates(port: number, credentials: TurnCredentials): Promise<boolean> {
  return withSocket(async (socket) => {
    const answer = await (await signer(socket, port, credentials))(allocateRequest, [requestedTransport]);
    return answer.readUInt16BE(0) === allocated && attributesOf(answer).has(0x0016);
  });
}

/** Asks for a relay address and whether packets may go on from there to each of some IPv4 addresses: those for which they may. */
export function relaysTo(port: number, credentials: TurnCredentials, peers: readonly string[]): Promise<string[]> {
  return withSocket(async (socket) => {
    const signed = await signer(socket, port, credentials);
    await signed(allocateRequest, [requestedTransport]);
    const found: string[] = [];
    for (const peer of peers) {
      const answer = await signed(permissionRequest, [xorPeerAddress(peer)]);
      if (answer.readUInt16BE(0) === permitted) found.push(peer);
    }
    return found;
  });
}

/** Hears the server's challenge; what it returns sends requests that are signed as that wants it. */
async function signer(socket: Socket, port: number, { username, password }: TurnCredentials) {
  const plain = message(allocateRequest, randomBytes(12), [requestedTransport]);
  const challenge = attributesOf(await ask(socket, port, plain));
  const realm = challenge.get(0x0014) ?? Buffer.alloc(0);
  const key = createHash('md5').update(`${username}:${realm.toString()}:${password}`).digest();
  return (type: number, attributes: readonly Buffer[]) => {
    const unsigned = message(type, randomBytes(12), [
      ...attributes,
      attribute(0x0006, Buffer.from(username)),
      attribute(0x0014, realm),
      attribute(0x0015, challenge.get(0x0015) ?? Buffer.alloc(0)),
    ]);
    // The length that is signed counts the signature.
    unsigned.writeUInt16BE(unsigned.length - 20 + 24, 2);
    const signature = attribute(0x0008, createHmac('sha1', key).update(unsigned).digest());
    return ask(socket, port, Buffer.concat([unsigned, signature]));
  };
}

/** RFC 8489 14.2, of an IPv4 address; the port counts for nothing in a permission. */
function xorPeerAddress(address: string): Buffer {
  if (isIP(address) !== 4) throw new Error(`${address} is no IPv4 address`);
  const value = Buffer.from([0, 1, 0, 0, ...address.split('.').map(Number)]);
  value.writeUInt32BE((value.readUInt32BE(4) ^ magic) >>> 0, 4);
  return attribute(0x0012, value);
}

function message(type: number, transaction: Buffer, attributes: readonly Buffer[]): Buffer {
  const body = Buffer.concat(attributes);
  const head = Buffer.alloc(8);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(body.length, 2);
  head.writeUInt32BE(magic, 4);
  return Buffer.concat([head, transaction, body]);
}

function attribute(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}

function attributesOf(answer: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 20; at + 4 <= answer.length; ) {
    const length = answer.readUInt16BE(at + 2);
    found.set(answer.readUInt16BE(at), answer.subarray(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return found;
}

/** Asks again until it is answered, as STUN over UDP does. */
async function ask(socket: Socket, port: number, request: Buffer): Promise<Buffer> {
  let answer: Buffer | undefined;
  socket.once('message', (received) => {
    answer = received;
  });
  let asked = 0;
  return until('the TURN server answers', () => {
    if (asked++ % 25 === 0) socket.send(request, port, '127.0.0.1', () => {});
    return answer;
  });
}

/** A challenge holds for the port that got it, so both questions go through one socket. */
async function withSocket<T>(body: (socket: Socket) => Promise<T>): Promise<T> {
  const socket = createSocket('udp4');
  // Nobody listens yet.
  socket.on('error', () => {});
  try {
    return await body(socket);
  } finally {
    socket.close();
  }
}
