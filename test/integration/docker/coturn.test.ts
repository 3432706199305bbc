/** The start script of the TURN server in `docker/coturn`, by the coturn of this machine: no container is needed for it. */

import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readTurnServers } from '../../../appliance/roles/turn-servers.ts';
import { iceServers } from '../../../gateway/kvs/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { freePort, temporaryDirectory } from '../../kit/temp.ts';
import { allocates, isTurnServerHere, relaysTo } from '../../kit/turn.ts';
import { until } from '../../kit/until.ts';

const script = join(import.meta.dirname, '../../../docker/coturn/start.sh');

async function startTurn(directory: string, more: Readonly<Record<string, string>> = {}) {
  const port = await freePort();
  const env = { ...process.env, TURN_DIRECTORY: directory, TURN_PORT: String(port), TURN_LISTEN_IP: '127.0.0.1' };
  const child = spawn('sh', [script], {
    env: { ...env, TMPDIR: directory, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  return { port, output: () => Buffer.concat(output).toString() };
}

/** As `serve` makes them from the file. */
async function credentials(secretFile: string) {
  const turn = { urls: ['turn:turn.example.org:3478'], secretFile, ttlSeconds: 300 };
  const servers = must(await readTurnServers({ turn }), 'there are URLs');
  return must(iceServers(servers, { who: 'gate', nowMs: Date.now() })[0], 'one TURN server is configured');
}

test.skipIf(!isTurnServerHere)(
  'the TURN server of compose makes a secret, keeps it, and takes what Weir makes of it',
  async () => {
    const directory = await temporaryDirectory();
    const secretFile = join(directory, 'secret');
    const { port, output } = await startTurn(directory);
    const secret = await until('there is a secret', () => readFile(secretFile, 'utf8').catch(() => undefined));
    const { username, password } = await credentials(secretFile);

    expect(await allocates(port, { username, password })).toBe(true);
    expect(await allocates(port, { username, password: 'guessed' })).toBe(false);

    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect((await stat(secretFile)).mode & 0o777).toBe(0o600);
    expect(output()).not.toContain(secret);

    const again = await startTurn(directory);
    expect(await allocates(again.port, { username, password })).toBe(true);
    expect(await readFile(secretFile, 'utf8')).toBe(secret);
  },
);

test.skipIf(!isTurnServerHere)(
  'the TURN server of compose passes nothing on to this machine, to metadata services, or to whom it is told not to',
  async () => {
    const directory = await temporaryDirectory();
    const { port } = await startTurn(directory, { TURN_DENIED_PEERS: '10.0.0.0-10.255.255.255 192.168.7.1' });
    await until('there is a secret', () => readFile(join(directory, 'secret')).catch(() => undefined));
    const peers = [
      '127.0.0.1',
      '0.0.0.0',
      '169.254.169.254',
      '224.0.0.251',
      '255.255.255.255',
      '10.1.2.3',
      '192.168.7.1',
    ];

    const reached = await relaysTo(port, await credentials(join(directory, 'secret')), [
      ...peers,
      '192.168.7.2',
      '192.0.2.1',
    ]);

    expect(reached).toEqual(['192.168.7.2', '192.0.2.1']);
  },
);
