/**
 * The way of a peer's packets out of mediasoup: consumers on a plain transport of the worker, and a connected socket of ours. A packet that
 * the kernel dropped while this process was busy is asked for again: the worker keeps the last ones.
 */

import type { Socket } from 'node:dgram';
import type { types } from 'mediasoup';
import { must } from '../../../storage/base/assert.ts';
import { writeU16, writeU32 } from '../../../storage/base/bytes.ts';
import { appError, toAppError } from '../../../storage/base/errors.ts';
import { type MediaWorker, plainSocket } from '../media-plane/index.ts';
import { receiveLimits } from './limits.ts';

export type InletWorker = Pick<MediaWorker, 'router' | 'isAlive' | 'createPlain'>;

/** Sequence numbers that one item of a NACK names: one, and a bit for each of the 16 behind it (RFC 4585 6.2.1). */
const nackSpan = 17;

export class RtpInlet {
  readonly #worker: InletWorker;
  readonly #onPacket: (packet: Uint8Array) => void;
  readonly #ourSource: number;
  #transport: types.PlainTransport | undefined;
  #socket: Socket | undefined;
  #isClosed = false;

  /** @param deps.onPacket  RTP or RTCP; the bytes are the receiver's own */
  constructor(
    deps: { readonly worker: InletWorker; readonly onPacket: (packet: Uint8Array) => void },
    options: { readonly ourSource: number },
  ) {
    this.#worker = deps.worker;
    this.#onPacket = deps.onPacket;
    this.#ourSource = options.ourSource;
  }

  /** @throws AppError unavailable  the worker is gone, or it was closed meanwhile */
  async start(): Promise<void> {
    try {
      this.#transport = await this.#worker.createPlain();
      this.#requireOpen();
      this.#socket = await plainSocket(this.#transport.tuple.localPort, {
        recvBufferSize: receiveLimits.socketBufferBytes,
      });
      this.#requireOpen();
      this.#socket.on('message', (packet) => this.#onPacket(packet));
      await this.#transport.connect({ ip: '127.0.0.1', port: this.#socket.address().port });
      this.#requireOpen();
    } catch (error) {
      this.close();
      throw this.#told(error);
    }
  }

  /** A producer's packets, from `resume` on. @throws AppError unavailable  the producer, or the worker, is gone */
  async consume(producer: types.Producer): Promise<types.Consumer> {
    try {
      const transport = must(this.#transport, 'it was started');
      const rtpCapabilities = capabilitiesFor(this.#worker.router, producer.kind);
      const consumer = await transport.consume({ producerId: producer.id, rtpCapabilities, paused: true });
      this.#requireOpen();
      return consumer;
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** Pictures begin with a key frame, which the worker asks for. @throws AppError unavailable  as `consume` */
  async resume(consumer: types.Consumer): Promise<void> {
    try {
      await consumer.resume();
      this.#requireOpen();
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** Asks for packets once more. */
  ask(source: number, sequence: number, packets: number): void {
    this.#send(formatNack({ ourSource: this.#ourSource, source, sequence, packets }));
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
    this.#socket = undefined;
    this.#transport?.close();
  }

  #send(packet: Uint8Array): void {
    this.#socket?.send(packet);
  }

  #requireOpen(): void {
    if (!this.#isClosed) return;
    this.close();
    throw appError('unavailable', 'the session has ended');
  }

  #told(error: unknown): Error {
    if (this.#worker.isAlive && !this.#isClosed) return toAppError(error);
    return appError('unavailable', this.#isClosed ? 'the session has ended' : 'the WebRTC worker died', {
      cause: error,
    });
  }
}

/** Plain RTP of the codec, with NACK and PLI: no retransmission stream, no bandwidth estimation on loopback. */
function capabilitiesFor({ rtpCapabilities }: types.Router, kind: types.MediaKind): types.RtpCapabilities {
  const codecs = (rtpCapabilities.codecs ?? []).filter(
    (codec) => codec.kind === kind && !codec.mimeType.toLowerCase().endsWith('/rtx'),
  );
  return {
    codecs: codecs.map((codec) => ({
      ...codec,
      rtcpFeedback: (codec.rtcpFeedback ?? []).filter(({ type }) => type === 'nack' || type === 'ccm'),
    })),
    headerExtensions: [],
  };
}

/** A generic NACK (RFC 4585 6.2.1). */
export function formatNack(nack: {
  readonly ourSource: number;
  readonly source: number;
  readonly sequence: number;
  readonly packets: number;
}): Uint8Array {
  const items = Math.ceil(nack.packets / nackSpan);
  const bytes = new Uint8Array(12 + 4 * items);
  bytes[0] = 0x81;
  bytes[1] = 205;
  writeU16(bytes, 2, 2 + items);
  writeU32(bytes, 4, nack.ourSource);
  writeU32(bytes, 8, nack.source);
  for (let i = 0; i < items; i++) {
    const left = Math.min(nackSpan, nack.packets - i * nackSpan);
    writeU16(bytes, 12 + 4 * i, (nack.sequence + i * nackSpan) & 0xffff);
    writeU16(bytes, 14 + 4 * i, 2 ** (left - 1) - 1);
  }
  return bytes;
}
