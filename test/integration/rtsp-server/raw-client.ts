/** A player that says exactly what a test wants, and keeps what it is sent: RTP of all channels, RTCP, answers. */

import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { parseRtcp } from '../../../gateway/rtsp/media/rtcp.ts';
import { Framer } from '../../../gateway/rtsp/wire/framer.ts';
import { Login } from '../../../gateway/rtsp/wire/login.ts';
import { allHeaders, header, isResponse, parseMessage, type RtspResponse } from '../../../gateway/rtsp/wire/message.ts';
import { parseSdp } from '../../../gateway/rtsp/wire/sdp.ts';
import { u16, u32 } from '../../../storage/base/bytes.ts';
import { password as usualPassword } from './kit.ts';

export type SeenPacket = {
  readonly channel: number;
  readonly sequence: number;
  readonly time: number;
  readonly marker: boolean;
  readonly payload: Buffer;
  readonly atMs: number;
};

export class RawClient {
  readonly packets: SeenPacket[] = [];
  readonly reports: { readonly channel: number; readonly ntpMs: number; readonly rtpTime: number }[] = [];
  readonly byes: number[] = [];
  readonly #socket: Socket;
  readonly #login: Login | undefined;
  readonly #answers: { resolve(answer: RtspResponse): void; reject(error: Error): void }[] = [];
  #cseq = 0;
  session: string | undefined;
  isClosed = false;

  private constructor(socket: Socket, username: string | undefined, password: string) {
    this.#socket = socket;
    if (username !== undefined) {
      const credentials = { username, password };
      this.#login = new Login({ random: Math.random }, { credentials, isBasicAllowed: false });
    }
    const framer = new Framer({
      packet: (channel, bytes, begin, end) => this.#packet(channel, bytes, begin, end),
      isChannel: () => true,
      garbage: () => {},
      lost: () => {},
      message: (head, body) => {
        const message = parseMessage(head, body);
        if (message !== undefined && isResponse(message)) this.#answers.shift()?.resolve(message);
      },
    });
    socket.on('data', (chunk) => framer.push(chunk, chunk.length));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      for (const { reject } of this.#answers) reject(new Error('the connection was closed'));
    });
    onTestFinished(() => void socket.destroy());
  }

  /** @param username  undefined shows no credentials */
  static async open(host: string, username?: string, password = usualPassword): Promise<RawClient> {
    const url = new URL(`http://${host}`);
    const socket = connect(Number(url.port), url.hostname);
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawClient(socket, username, password);
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** One request, again with credentials when it is asked for them. */
  async ask(method: string, uri: string, headers: Readonly<Record<string, string>> = {}): Promise<RtspResponse> {
    const first = await this.#send(method, uri, headers);
    const challenges = allHeaders(first, 'www-authenticate');
    if (first.status !== 401 || this.#login === undefined || !this.#login.challenged(challenges, false)) return first;
    return this.#send(method, uri, headers);
  }

  /** DESCRIBE, SETUP of every track in the connection, and PLAY. Returns the answer to PLAY. */
  async play(uri: string, headers: Readonly<Record<string, string>> = {}): Promise<RtspResponse> {
    const described = await this.ask('DESCRIBE', uri);
    if (described.status !== 200) return described;
    for (const [index, media] of parseSdp(described.body).medias.entries()) {
      const transport = `RTP/AVP/TCP;unicast;interleaved=${2 * index}-${2 * index + 1}`;
      const answer = await this.ask('SETUP', media.control ?? '', { Transport: transport });
      if (answer.status !== 200) return answer;
      this.session = header(answer, 'session')?.split(';')[0];
    }
    return this.ask('PLAY', uri, headers);
  }

  ofChannel(channel: number): readonly SeenPacket[] {
    return this.packets.filter((packet) => packet.channel === channel);
  }

  /** Pictures, by the markers of the first channel. */
  get pictures(): number {
    return this.ofChannel(0).filter(({ marker }) => marker).length;
  }

  #send(method: string, uri: string, headers: Readonly<Record<string, string>>): Promise<RtspResponse> {
    const authorization = this.#login?.authorization(method, uri);
    const lines = Object.entries({
      CSeq: String(++this.#cseq),
      ...(authorization === undefined ? {} : { Authorization: authorization }),
      ...(this.session === undefined ? {} : { Session: this.session }),
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    return new Promise((resolve, reject) => {
      this.#answers.push({ resolve, reject });
      this.#socket.write(`${method} ${uri} RTSP/1.0\r\n${lines.join('')}\r\n`);
    });
  }

  #packet(channel: number, bytes: Uint8Array, begin: number, end: number): void {
    if (channel % 2 === 1) {
      parseRtcp(bytes, begin, end, {
        senderReport: (_source, ntpMs, rtpTime) => this.reports.push({ channel, ntpMs, rtpTime }),
        bye: () => this.byes.push(channel),
      });
      return;
    }
    this.packets.push({
      channel,
      sequence: u16(bytes, begin + 2),
      time: u32(bytes, begin + 4),
      marker: ((bytes[begin + 1] ?? 0) & 0x80) !== 0,
      payload: Buffer.from(bytes.subarray(begin + 12, end)),
      atMs: performance.now(),
    });
  }
}
