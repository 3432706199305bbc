/**
 * One TCP or TLS connection to an RTSP server: requests one after another with their answers, interleaved packets both ways.
 * Plain connections read into one buffer that all connections of the process share (`net`'s onread), in turns
 * (`shared-reads.ts`). TLS sockets have no onread and bring their own chunks; what they may read in a turn is bounded likewise.
 */

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { AddressPolicy } from '../../storage/base/address-policy.ts';
import { writeU16 } from '../../storage/base/bytes.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { errnoOf, isAppError } from '../../storage/base/errors.ts';
import { rtspLimits } from './limits.ts';
import type { SharedReads } from './shared-reads.ts';
import { faults, type SourceFault } from './source.ts';
import type { RtspTrace } from './trace-hook.ts';
import { Framer } from './wire/framer.ts';
import { formatAnswer, formatRequest, header, isResponse, parseMessage, type RtspResponse } from './wire/message.ts';
import { connectHost, type RtspUrl } from './wire/url.ts';

export type ConnectionHandler = {
  /** One interleaved packet; borrowed until return. */
  packet(channel: number, bytes: Uint8Array, begin: number, end: number): void;
  isChannel(channel: number): boolean;
  /** Bytes between packets that mean nothing; counted by the owner. */
  garbage(byteLength: number): void;
  /** The connection is over. Called once, never during `connect`. */
  ended(fault: SourceFault): void;
  /** A handler threw: a mistake of ours, which must end this session and no other. */
  crashed(error: unknown): void;
};

export type ConnectionOptions = {
  readonly url: RtspUrl;
  readonly tls: 'verify' | 'any';
  readonly reads: SharedReads;
  /** Where a connection may lead. */
  readonly addresses: AddressPolicy;
  /** Hears everything; for support. */
  readonly trace?: RtspTrace | undefined;
};

type Waiting = { readonly cseq: number; resolve(response: RtspResponse): void; reject(fault: SourceFault): void };

/** What a server may leave unread of answers and reports: beyond it they are dropped. */
const unreadBytesMax = 65_536;

export class RtspConnection {
  readonly #clock: Clock;
  readonly #handler: ConnectionHandler;
  readonly #options: ConnectionOptions;
  readonly #framer: Framer;
  readonly #frame = new Uint8Array(4);
  #socket: Socket | undefined;
  #waiting: Waiting | undefined;
  #lastCseq = 0;
  /** Requests that nobody waits for any longer; their late answers are passed over. */
  readonly #abandoned = new Set<number>();
  #cancelIdle: (() => void) | undefined;
  #fault: SourceFault | undefined;
  #isConnected = false;

  constructor(deps: { readonly clock: Clock; readonly handler: ConnectionHandler }, options: ConnectionOptions) {
    this.#clock = deps.clock;
    this.#handler = deps.handler;
    this.#options = options;
    this.#framer = new Framer({
      packet: (channel, bytes, begin, end) => {
        options.trace?.packet(channel, bytes, begin, end);
        this.#handler.packet(channel, bytes, begin, end);
      },
      isChannel: (channel) => this.#handler.isChannel(channel),
      garbage: (byteLength) => this.#handler.garbage(byteLength),
      message: (head, body) => this.#message(head, body),
      lost: () =>
        this.#end(
          faults.protocol(
            'the server sends bytes that are no RTSP',
            'check that the port is the RTSP port (often 554) and, for rtsps, that the camera has TLS switched on',
          ),
        ),
    });
  }

  /** Address of the other side, for packets that come by UDP. */
  get remoteAddress(): string | undefined {
    return this.#socket?.remoteAddress;
  }

  get localFamily(): 'IPv4' | 'IPv6' {
    return isIP(this.#socket?.remoteAddress ?? '') === 6 ? 'IPv6' : 'IPv4';
  }

  /** @throws SourceFault  unreachable, refused, DNS or TLS trouble */
  async connect(): Promise<void> {
    const { url } = this.#options;
    const target = `${connectHost(url)}:${url.port}`;
    const refusal = this.#options.addresses.refusalOf(connectHost(url));
    if (refusal !== undefined) throw faults.notAllowed(refusal);
    const socket = url.scheme === 'rtsps' ? this.#openTls() : this.#openTcp();
    this.#socket = socket;
    await new Promise<void>((resolve, reject) => {
      const cancel = this.#clock.after(rtspLimits.connectTimeoutMs, () =>
        settle(faults.unreachable(`${target} did not answer within ${rtspLimits.connectTimeoutMs / 1000} s`)),
      );
      const settle = (fault?: SourceFault) => {
        cancel();
        socket.removeListener('error', onError);
        socket.removeListener('close', onClose);
        if (fault === undefined) {
          resolve();
          return;
        }
        socket.on('error', () => {});
        socket.destroy();
        this.#fault ??= fault;
        reject(fault);
      };
      const onError = (error: Error) => settle(connectFault(error, url, target));
      const onClose = () => settle(faults.refused(`${target} closed the connection at once`, refusedHint));
      socket.once('error', onError);
      socket.once(url.scheme === 'rtsps' ? 'secureConnect' : 'connect', () => settle());
      socket.once('close', onClose);
    });
    this.#isConnected = true;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 15_000);
    socket.on('error', (error: Error) => this.#end(endFault(error)));
    socket.on('close', () => this.#end(faults.closed('the camera closed the connection')));
  }

  /**
   * Sends one request and waits for its answer. Only one is under way at a time: a second one (TEARDOWN) gives up the first.
   *
   * @param options.onAnswer  called synchronously: media may follow in the very bytes that brought the answer
   * @throws SourceFault  no answer in time, or the connection ended
   */
  request(
    method: string,
    uri: string,
    headers: readonly (readonly [string, string])[],
    options: { readonly timeoutMs?: number; readonly onAnswer?: (response: RtspResponse) => void } = {},
  ): Promise<RtspResponse> {
    const socket = this.#socket;
    if (this.#fault !== undefined || socket === undefined) {
      return Promise.reject(this.#fault ?? faults.closed('the connection is closed'));
    }
    const timeoutMs = options.timeoutMs ?? rtspLimits.requestTimeoutMs;
    const cseq = ++this.#lastCseq;
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(timeoutMs, () => {
        if (this.#waiting?.cseq === cseq) this.#waiting = undefined;
        this.#abandoned.add(cseq);
        reject(
          faults.silent(
            `no answer to ${method} within ${timeoutMs / 1000} s`,
            'the device accepts connections but does not speak RTSP now: restart the camera, or check that the port is right',
          ),
        );
      });
      this.#waiting?.reject(faults.closed('another request took the place of this one'));
      this.#waiting = {
        cseq,
        resolve: (response) => {
          cancel();
          options.onAnswer?.(response);
          resolve(response);
        },
        reject: (fault) => {
          cancel();
          reject(fault);
        },
      };
      const text = formatRequest(method, uri, cseq, headers);
      this.#options.trace?.message('sent', text);
      socket.write(text);
      socket.resume();
    });
  }

  /** Sends one interleaved packet (receiver reports); dropped when the socket is not taking bytes. */
  sendPacket(channel: number, bytes: Uint8Array): void {
    const socket = this.#socket;
    if (socket === undefined || this.#fault !== undefined || socket.writableLength > unreadBytesMax) return;
    this.#frame[0] = 0x24;
    this.#frame[1] = channel;
    writeU16(this.#frame, 2, bytes.length);
    socket.write(Buffer.concat([this.#frame, bytes]));
  }

  /** Ends at once; outstanding requests fail. The handler's `ended` is not called. */
  destroy(): void {
    this.#fault ??= faults.closed('the connection was closed by us');
    this.#cancelIdle?.();
    this.#waiting?.reject(this.#fault);
    this.#waiting = undefined;
    this.#socket?.destroy();
  }

  #openTcp(): Socket {
    const { addresses, url, reads } = this.#options;
    const callback = (length: number, bytes: Uint8Array): boolean => {
      this.#read(bytes, length);
      // While an answer is awaited every millisecond counts; otherwise there is time until the next turn.
      return this.#fault !== undefined || reads.goesOn(socket, length, { isUrgent: this.#waiting !== undefined });
    };
    const socket = connectTcp({
      host: connectHost(url),
      port: url.port,
      lookup: addresses.lookup,
      onread: { buffer: reads.buffer, callback },
    });
    return socket;
  }

  #openTls(): Socket {
    const { addresses, url, tls, reads } = this.#options;
    const host = connectHost(url);
    const socket = connectTls({
      host,
      port: url.port,
      lookup: addresses.lookup,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      rejectUnauthorized: tls === 'verify',
      // Cameras of ten years ago still run: 'any' means that the person gave up on proof, not on the picture.
      ...(tls === 'any' ? { minVersion: 'TLSv1' as const, ciphers: 'DEFAULT:@SECLEVEL=0' } : {}),
    });
    socket.on('data', (chunk: Buffer) => {
      this.#read(chunk, chunk.length);
      // A record has 16 KiB at most: one in a turn would be 6 Mb/s. What a camera may read in a turn is the same for all.
      if (this.#fault === undefined && !reads.goesOn(socket, chunk.length, { isUrgent: true })) socket.pause();
    });
    return socket;
  }

  #read(bytes: Uint8Array, length: number): void {
    if (this.#fault !== undefined) return;
    try {
      this.#framer.push(bytes, length);
    } catch (error) {
      this.#handler.crashed(error);
    }
    if (this.#framer.hasPartialMessage || this.#cancelIdle !== undefined) this.#watchIdle();
  }

  /** A message without an end is over when nothing more comes. */
  #watchIdle(): void {
    this.#cancelIdle?.();
    this.#cancelIdle = undefined;
    if (!this.#framer.hasPartialMessage) return;
    this.#cancelIdle = this.#clock.after(rtspLimits.bodyIdleMs, () => {
      this.#cancelIdle = undefined;
      this.#framer.flush();
      this.#watchIdle();
    });
  }

  #message(head: string, body: string): void {
    this.#options.trace?.message('received', `${head}\r\n\r\n${body}`);
    const message = parseMessage(head, body);
    if (message === undefined) {
      this.#handler.garbage(head.length);
      return;
    }
    if (!isResponse(message)) {
      this.#answer(formatAnswer(message));
      return;
    }
    const waiting = this.#waiting;
    const cseq = Number(header(message, 'cseq') ?? Number.NaN);
    if (this.#abandoned.delete(cseq) && cseq !== waiting?.cseq) return;
    // Otherwise the answer is to the one request under way, whatever CSeq it names: none, 0 (Foscam), the previous (Tapo).
    this.#waiting = undefined;
    waiting?.resolve(message);
  }

  /** Answers a request of the server's; one that asks and does not read gets none, or its answers would fill our memory. */
  #answer(text: string): void {
    const socket = this.#socket;
    if (socket !== undefined && socket.writableLength <= unreadBytesMax) socket.write(text);
  }

  #end(fault: SourceFault): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    this.#cancelIdle?.();
    this.#socket?.destroy();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(fault);
    if (this.#isConnected) this.#handler.ended(fault);
  }
}

/**
 * A side that closed answers what still reaches it with a reset. Which of the two we see first depends on whether a report of ours
 * was under way, which nobody shall have to think about: a network that broke is silent, a reset is the other side's word.
 */
function endFault(error: Error): SourceFault {
  const errno = errnoOf(error) ?? error.message;
  if (errno === 'ECONNRESET' || errno === 'EPIPE') return faults.closed('the camera closed the connection');
  return faults.lost(`connection broke (${errno})`, error);
}

const refusedHint =
  'check the port, that RTSP is switched on at the camera, and that its limit of viewers is not reached';

function connectFault(error: Error, url: RtspUrl, target: string): SourceFault {
  if (isAppError(error, 'permission_denied')) return faults.notAllowed(error);
  const errno = errnoOf(error) ?? ('code' in error ? String(error.code) : '');
  switch (errno) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NONAME':
      return faults.unknownHost(connectHost(url), error);
    case 'ECONNREFUSED':
      return faults.refused(`${target} refused the connection`, refusedHint, error);
    case 'ECONNRESET':
    case 'EPIPE':
      return url.scheme === 'rtsps'
        ? faults.tls(`${target} ended the TLS handshake`, plainHint, error)
        : faults.refused(`${target} closed the connection at once`, refusedHint, error);
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ETIMEDOUT':
    case 'EADDRNOTAVAIL':
      return faults.unreachable(`${target} cannot be reached (${errno})`, error);
  }
  if (url.scheme !== 'rtsps')
    return faults.unreachable(`${target} cannot be reached (${errno || error.message})`, error);
  if (/CERT|SIGNATURE|SELF_SIGNED|ISSUER|ALTNAME/.test(errno)) {
    const hint = "install the camera's certificate authority here, or accept any certificate for this camera";
    return faults.tls(`the certificate of ${target} is not trusted (${errno})`, hint, error);
  }
  return faults.tls(`TLS with ${target} failed (${errno || error.message})`, plainHint, error);
}

const plainHint = 'check that the camera offers rtsps on this port; many only have rtsp on 554';
