/** What it costs to offer one camera to many players by RTSP: CPU of the whole appliance with readers less without, per reader. */

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Login } from '../../gateway/rtsp/wire/login.ts';
import { allHeaders, header, isResponse, parseMessage, type RtspResponse } from '../../gateway/rtsp/wire/message.ts';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { costOfTree } from '../kit/processes.ts';
import { until } from '../kit/until.ts';
import { addCameras } from './recording.ts';
import type { Row } from './table.ts';

type Credentials = { readonly username: string; readonly password: string };
type Transport = 'tcp' | 'udp';

export async function benchRtspOut(options: { readonly readers: number; readonly windowMs: number }): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-bench-rtsp-out-'));
  const simulator = await startCameraSimulator({ cameras: 1, mode: 'paced' });
  const appliance = await startAppliance({ dataDirectory: directory });
  try {
    await addCameras(appliance, simulator, 1);
    const { streams } = (await appliance.call('GET', '/api/streams')) as { streams: { name: string }[] };
    const { secret } = (await appliance.call('POST', '/api/tokens', { name: 'bench', role: 'viewer' })) as {
      secret: string;
    };
    const target = `rtsp://127.0.0.1:${appliance.rtspPort}/${streams[0]?.name ?? ''}`;
    const credentials = { username: 'bench', password: secret };
    await sleep(5_000);
    const alone = await cpuPercent(appliance, options.windowMs);
    const rows: Row[] = [];
    for (const transport of ['tcp', 'udp'] as const) {
      const readers = await Promise.all(
        Array.from({ length: options.readers }, () => Reader.play(target, credentials, transport)),
      );
      await until('all readers are sent media', () => readers.every((reader) => reader.bytes > 100_000), 30_000);
      await sleep(3_000);
      const bytesBefore = readers.reduce((sum, reader) => sum + reader.bytes, 0);
      const percent = (await cpuPercent(appliance, options.windowMs)) - alone;
      const bytes = readers.reduce((sum, reader) => sum + reader.bytes, 0) - bytesBefore;
      rows.push({
        what: `RTSP out by ${transport}, one 4 Mb/s camera`,
        readers: readers.length,
        'Mb/s': (bytes * 8) / options.windowMs / 1_000,
        'CPU % of a core': percent,
        'per reader %': percent / readers.length,
      });
      for (const reader of readers) reader.close();
      await sleep(2_000);
    }
    return rows;
  } finally {
    await appliance.close();
    await simulator.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function cpuPercent(appliance: RunningAppliance, windowMs: number): Promise<number> {
  const beforeMs = costOfTree(appliance.pid).cpuMs;
  const startedMs = performance.now();
  await sleep(windowMs);
  return ((costOfTree(appliance.pid).cpuMs - beforeMs) / (performance.now() - startedMs)) * 100;
}

/** Counts what it is sent and looks at nothing. */
class Reader {
  bytes = 0;
  readonly #socket: Socket;
  readonly #udp: UdpSocket[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async play(target: string, credentials: Credentials, transport: Transport): Promise<Reader> {
    const { hostname, port } = new URL(target.replace(/^rtsp/, 'http'));
    const socket = connect(Number(port), hostname);
    const reader = new Reader(socket);
    const login = new Login({ random: Math.random }, { credentials, isBasicAllowed: false });
    let session = '';
    const ask = async (method: string, uri: string, headers = ''): Promise<RtspResponse> => {
      for (;;) {
        const authorization = login.authorization(method, uri);
        const shown = authorization === undefined ? '' : `Authorization: ${authorization}\r\n`;
        socket.write(`${method} ${uri} RTSP/1.0\r\nCSeq: 1\r\n${shown}${session}${headers}\r\n`);
        const answer = await reader.#answer();
        if (answer.status !== 401 || !login.challenged(allHeaders(answer, 'www-authenticate'), shown !== ''))
          return answer;
      }
    };
    await ask('DESCRIBE', target);
    for (const [index, track] of [1, 2].entries()) {
      const offer =
        transport === 'tcp'
          ? `RTP/AVP/TCP;unicast;interleaved=${2 * index}-${2 * index + 1}`
          : `RTP/AVP;unicast;client_port=${await reader.#openUdp()}`;
      const answer = await ask('SETUP', `${target}/trackID=${track}`, `Transport: ${offer}\r\n`);
      session = `Session: ${header(answer, 'session')?.split(';')[0] ?? ''}\r\n`;
    }
    socket.on('data', (chunk: Buffer) => {
      reader.bytes += chunk.length;
    });
    socket.write(
      `PLAY ${target} RTSP/1.0\r\nCSeq: 1\r\nAuthorization: ${login.authorization('PLAY', target)}\r\n${session}\r\n`,
    );
    return reader;
  }

  close(): void {
    this.#socket.destroy();
    for (const socket of this.#udp) socket.close();
  }

  /** A server's answer, which before PLAY comes alone. */
  async #answer(): Promise<RtspResponse> {
    let text = '';
    for (;;) {
      const chunk = await new Promise<Buffer>((resolve) => this.#socket.once('data', resolve));
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) continue;
      const head = text.slice(0, end);
      const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
      const message = text.length < end + 4 + length ? undefined : parseMessage(head, text.slice(end + 4));
      if (message !== undefined && isResponse(message)) return message;
    }
  }

  async #openUdp(): Promise<string> {
    const sockets: UdpSocket[] = [];
    const ports: number[] = [];
    for (let i = 0; i < 2; i++) {
      const socket = createSocket({ type: 'udp4', recvBufferSize: 1_000_000 });
      await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
      socket.on('message', (packet) => {
        this.bytes += packet.length;
      });
      sockets.push(socket);
      ports.push(socket.address().port);
    }
    this.#udp.push(...sockets);
    return ports.join('-');
  }
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
