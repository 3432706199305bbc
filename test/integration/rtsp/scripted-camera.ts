/**
 * An RTSP server that does as told: right answers by default, any of them replaced by a fixture's or a test's own, media as
 * bytes. For what no real server can be made to do.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { fixture } from '../../unit/rtsp/fixture.ts';
import { interleaved, pps, rtp, slice, spropParameterSets, sps } from '../../unit/rtsp/packets.ts';

export type Request = {
  readonly method: string;
  readonly uri: string;
  readonly head: string;
  readonly cseq: string;
  readonly count: number;
};

/** Text goes out with `{cseq}` and the like filled in; bytes as they are; undefined is the right answer; null is none. */
export type Reply = string | Uint8Array | undefined | null;

export type ScriptedCameraOptions = {
  /** Folder under test/fixtures/rtsp: `options`, `describe`, `setup`, `setup-1`, `setup-2`, `play`, `keepalive`, `unauthorized`. */
  readonly fixture?: string;
  /** Has the first word on every request. `count` is 1 for the first of its method. */
  readonly reply?: (request: Request, camera: ScriptedCamera) => Reply;
  /** Channels that packets really come on; the asked-for ones when absent. */
  readonly channels?: readonly number[];
  /** Sends nothing after PLAY. */
  readonly isSilent?: boolean;
};

const description = [
  'v=0',
  'o=- 0 0 IN IP4 127.0.0.1',
  's=scripted',
  't=0 0',
  'a=control:*',
  'm=video 0 RTP/AVP 96',
  'a=rtpmap:96 H264/90000',
  `a=fmtp:96 packetization-mode=1;sprop-parameter-sets=${spropParameterSets}`,
  'a=control:track1',
  'm=audio 0 RTP/AVP 8',
  'a=control:track2',
  '',
].join('\r\n');

export class ScriptedCamera {
  readonly requests: Request[] = [];
  readonly #options: ScriptedCameraOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #counts = new Map<string, number>();
  #socket: Socket | undefined;
  #sequence = 100;
  #timer: NodeJS.Timeout | undefined;
  #previousCseq = '0';
  connections = 0;

  constructor(options: ScriptedCameraOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  get url(): string {
    return `rtsp://127.0.0.1:${(this.#server.address() as AddressInfo).port}/live`;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve()));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  send(...parts: readonly (string | Uint8Array)[]): void {
    for (const part of parts) this.#socket?.write(part);
  }

  drop(): void {
    this.#socket?.destroy();
  }

  count(method: string): number {
    return this.requests.filter((request) => request.method === method).length;
  }

  /** A picture and a piece of sound, as interleaved packets. */
  media(): readonly Uint8Array[] {
    const [video = 0, audio = 2] = this.#options.channels ?? [];
    const sequence = this.#sequence++;
    const isKey = sequence % 25 === 0;
    const time = sequence * 3_600;
    const nals = isKey ? [sps, pps, slice({ isKey })] : [slice()];
    const pictures = nals.map((payload, index) =>
      interleaved(
        video,
        rtp({
          sequence: (sequence * 3 + (isKey ? index : 2)) & 0xffff,
          time,
          payload,
          marker: index === nals.length - 1,
        }),
      ),
    );
    const sound = rtp({
      sequence,
      time: sequence * 320,
      payload: new Uint8Array(320).fill(0xd5),
      type: 8,
      source: 0x77,
    });
    return [...this.#gapless(pictures), interleaved(audio, sound)];
  }

  /** Sequence numbers without holes, whatever the number of units in a picture. */
  #videoSequence = 0;
  #gapless(frames: readonly Uint8Array[]): readonly Uint8Array[] {
    for (const frame of frames) {
      frame[6] = this.#videoSequence >> 8;
      frame[7] = this.#videoSequence;
      this.#videoSequence = (this.#videoSequence + 1) & 0xffff;
    }
    return frames;
  }

  #serve(socket: Socket): void {
    this.connections++;
    this.#socket = socket;
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      // Receiver reports of the client lie between its requests.
      for (;;) {
        if (text.startsWith('$')) {
          if (text.length < 4) return;
          const end = 4 + text.charCodeAt(2) * 256 + text.charCodeAt(3);
          if (text.length < end) return;
          text = text.slice(end);
          continue;
        }
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        this.#answer(head);
      }
    });
  }

  #answer(head: string): void {
    const [method = '', uri = ''] = head.split(' ');
    if (method.startsWith('RTSP/')) {
      this.requests.push({ method: 'ANSWER', uri: '', head, cseq: '', count: 0 });
      return;
    }
    const cseq = /^cseq:\s*(\d+)/im.exec(head)?.[1] ?? '';
    const count = (this.#counts.get(method) ?? 0) + 1;
    this.#counts.set(method, count);
    const request = { method, uri, head, cseq, count };
    this.requests.push(request);
    const told = this.#options.reply?.(request, this);
    if (told === null) return;
    const channels = /interleaved=([\d-]+)/.exec(head)?.[1] ?? '0-1';
    const values = { cseq, previous: this.#previousCseq, channels };
    this.#previousCseq = cseq;
    const reply = told ?? this.#fixture(request, values) ?? this.#right(request);
    const filled = typeof reply === 'string' ? fill(reply, values) : reply;
    // Media in the very write that holds the answer, as fast cameras do.
    if (method === 'PLAY' && !this.#options.isSilent && typeof filled === 'string' && filled.includes(' 200 ')) {
      this.#socket?.write(Buffer.concat([Buffer.from(filled, 'latin1'), ...this.media()]));
      this.#timer ??= setInterval(() => this.send(...this.media()), 40);
    } else {
      this.#socket?.write(typeof filled === 'string' ? Buffer.from(filled, 'latin1') : filled);
    }
  }

  #fixture(request: Request, values: Readonly<Record<string, string>>): string | undefined {
    const { fixture: camera } = this.#options;
    if (camera === undefined) return undefined;
    const { method, count, head } = request;
    const unauthorized =
      method === 'DESCRIBE' && !/^authorization:/im.test(head) ? fixture(camera, 'unauthorized', values) : undefined;
    const isKeepalive = this.count('PLAY') > 0 && (method === 'OPTIONS' || method === 'GET_PARAMETER');
    const name = isKeepalive ? 'keepalive' : method.toLowerCase();
    return unauthorized ?? fixture(camera, `${name}-${count}`, values) ?? fixture(camera, name, values);
  }

  #right({ method, head, uri }: Request): string {
    const transport = /^transport:\s*(.*)$/im.exec(head)?.[1] ?? '';
    switch (method) {
      case 'OPTIONS':
        return 'RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n\r\n';
      case 'DESCRIBE':
        return `RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Base: ${uri}/\r\nContent-Type: application/sdp\r\nContent-Length: ${description.length}\r\n\r\n${description}`;
      case 'SETUP':
        return `RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 12345678;timeout=60\r\nTransport: ${transport}\r\n\r\n`;
      default:
        return 'RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 12345678\r\n\r\n';
    }
  }
}

export async function startScriptedCamera(options: ScriptedCameraOptions = {}): Promise<ScriptedCamera> {
  const camera = new ScriptedCamera(options);
  await camera.start();
  onTestFinished(() => camera.close());
  return camera;
}

/** The answer with another status. */
export function status(code: number, reason: string, headers: readonly string[] = []): string {
  return [`RTSP/1.0 ${code} ${reason}`, 'CSeq: {cseq}', ...headers, '\r\n'].join('\r\n');
}

export { description as scriptedDescription };

function fill(text: string, values: Readonly<Record<string, string>>): string {
  let filled = text;
  for (const [key, value] of Object.entries(values)) filled = filled.replaceAll(`{${key}}`, value);
  return filled;
}
