/**
 * A small RTSP server for one live stream, RTP in the RTSP connection (RFC 2326 10.12), on loopback: all that the demo camera
 * needs. A client that does not read is disconnected.
 */

import { createServer, type Server, type Socket } from 'node:net';
import { appError } from '../../storage/base/errors.ts';

const requestBytesMax = 16 * 1024;
/** Ten seconds of the demo's stream: who is further behind has stopped reading. */
const queuedBytesMax = 2 * 1024 * 1024;

type Client = { readonly socket: Socket; readonly tracks: Set<number>; isPlaying: boolean; text: string };

export class DemoRtspServer {
  readonly #options: { readonly port: number; readonly describe: () => Promise<string> };
  readonly #clients = new Set<Client>();
  #server: Server | undefined;

  /** @param options.describe  the SDP, once it is known; tracks are `track0`, `track1`; rejects when none comes in time */
  constructor(options: { readonly port: number; readonly describe: () => Promise<string> }) {
    this.#options = options;
  }

  /** Resolves with the port. @throws AppError unavailable  the port is taken */
  async start(): Promise<number> {
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(
          appError('unavailable', `the demo camera's port ${this.#options.port} cannot be used: ${cause.message}`, {
            cause,
          }),
        ),
      );
      server.listen(this.#options.port, '127.0.0.1', resolve);
    });
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const { socket } of this.#clients) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  /** Ends all sessions: what follows is another stream. */
  endSessions(): void {
    for (const { socket } of this.#clients) socket.end();
  }

  /** Sends framed packets of one track to everybody who plays it. */
  send(track: number, packets: Uint8Array): void {
    for (const { socket, tracks, isPlaying } of this.#clients) {
      if (!isPlaying || !tracks.has(track)) continue;
      if (socket.writableLength > queuedBytesMax) socket.destroy();
      else socket.write(packets);
    }
  }

  #accept(socket: Socket): void {
    const client: Client = { socket, tracks: new Set(), isPlaying: false, text: '' };
    this.#clients.add(client);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.once('close', () => this.#clients.delete(client));
    socket.on('data', (chunk) => {
      client.text = withoutInterleaved(client.text + chunk.toString('latin1'));
      if (client.text.length > requestBytesMax) socket.destroy();
      for (let end = client.text.indexOf('\r\n\r\n'); end >= 0; end = client.text.indexOf('\r\n\r\n')) {
        const head = client.text.slice(0, end);
        client.text = withoutInterleaved(client.text.slice(end + 4));
        this.#answer(client, head).catch(() => socket.destroy());
      }
    });
  }

  async #answer(client: Client, head: string): Promise<void> {
    const [requestLine = '', ...lines] = head.split('\r\n');
    const [method = '', url = ''] = requestLine.split(' ');
    const header = (name: string) =>
      lines
        .find((line) => line.toLowerCase().startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .trim();
    const reply = (status: string, headers: Readonly<Record<string, string>> = {}, body = '') => {
      const all = {
        CSeq: header('cseq') ?? '0',
        ...headers,
        ...(body === '' ? {} : { 'Content-Length': String(body.length) }),
      };
      const text = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
      client.socket.write(`RTSP/1.0 ${status}\r\n${text.join('')}\r\n${body}`);
    };
    const session = { Session: 'demo;timeout=60' };
    switch (method) {
      case 'OPTIONS':
        reply('200 OK', { Public: 'OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN' });
        break;
      case 'DESCRIBE': {
        const sdp = await this.#options.describe();
        reply('200 OK', { 'Content-Type': 'application/sdp', 'Content-Base': `${url.replace(/\/$/, '')}/` }, sdp);
        break;
      }
      case 'SETUP': {
        const track = Number(/track(\d)$/.exec(url)?.[1] ?? '0');
        if (!/RTP\/AVP\/TCP/i.test(header('transport') ?? '')) {
          reply('461 Unsupported Transport');
          break;
        }
        client.tracks.add(track);
        const channels = `${2 * track}-${2 * track + 1}`;
        reply('200 OK', { ...session, Transport: `RTP/AVP/TCP;unicast;interleaved=${channels}` });
        break;
      }
      case 'PLAY':
        reply('200 OK', { ...session, Range: 'npt=now-' });
        client.isPlaying = true;
        break;
      case 'GET_PARAMETER':
        reply('200 OK', session);
        break;
      case 'TEARDOWN':
        reply('200 OK', session);
        client.socket.end();
        break;
      default:
        reply('501 Not Implemented');
    }
  }
}

/** Drops whole interleaved frames (the client's RTCP) at the beginning of what was received. */
function withoutInterleaved(text: string): string {
  let rest = text;
  while (rest.startsWith('$') && rest.length >= 4) {
    const end = 4 + (rest.charCodeAt(2) << 8) + rest.charCodeAt(3);
    if (rest.length < end) break;
    rest = rest.slice(end);
  }
  return rest;
}
