/**
 * The way of one producer's packets: a connected socket, at a pace, to a plain transport of the worker. Nothing is queued without
 * bound: what waits is told by `send`. What the worker tells back (receiver reports) is read by nobody.
 */

import type { Socket } from 'node:dgram';
import type { types } from 'mediasoup';
import { must } from '../../../storage/base/assert.ts';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError, toAppError } from '../../../storage/base/errors.ts';
import { plainSocket } from '../media-plane/index.ts';
import { bridgeLimits } from './limits.ts';
import { Pacer } from './pacer.ts';
import type { BridgeWorker } from './watched.ts';

export class RtpPipe {
  readonly #worker: BridgeWorker;
  readonly #options: types.ProducerOptions;
  readonly #pacer: Pacer;
  #socket: Socket | undefined;
  #transport: types.PlainTransport | undefined;
  #producer: types.Producer | undefined;
  #isClosed = false;

  constructor(
    { clock, worker }: { readonly clock: Clock; readonly worker: BridgeWorker },
    options: types.ProducerOptions,
  ) {
    this.#worker = worker;
    this.#options = options;
    this.#pacer = new Pacer(
      {
        clock,
        send: (packet) => this.#socket?.send(packet),
        isBlocked: () => (this.#socket?.getSendQueueCount() ?? 0) > 0,
      },
      {
        bytesPerMs: bridgeLimits.paceBytesPerMs,
        burstBytes: bridgeLimits.paceBurstBytes,
        pieceMs: bridgeLimits.pacePieceMs,
        queuedBytesMax: bridgeLimits.lineBytesMax,
      },
    );
  }

  get producer(): types.Producer {
    return must(this.#producer, 'it was started');
  }

  get queuedBytes(): number {
    return this.#pacer.queuedBytes;
  }

  /** @throws AppError unavailable  the worker died, or it was closed meanwhile */
  async start(): Promise<void> {
    try {
      this.#transport = await this.#worker.createPlain();
      this.#requireOpen();
      this.#producer = await this.#transport.produce(this.#options);
      this.#requireOpen();
      this.#socket = await plainSocket(this.#transport.tuple.localPort, {
        sendBufferSize: bridgeLimits.socketBufferBytes,
      });
      this.#requireOpen();
      await this.#transport.connect({ ip: '127.0.0.1', port: this.#socket.address().port });
      this.#requireOpen();
    } catch (error) {
      this.close();
      if (this.#worker.isAlive) throw toAppError(error);
      throw appError('unavailable', 'the WebRTC worker died', { cause: error });
    }
  }

  /**
   * @param burst  packets in interleaved frames; owned by the pipe from now on
   * @returns      false when too much waits: nothing of it is sent
   */
  send(burst: Uint8Array): boolean {
    return this.#isClosed || this.#pacer.push(burst);
  }

  /** Sends RTCP at once, or not at all. @param report  owned by the pipe from now on */
  report(report: Uint8Array): void {
    if (this.#socket?.getSendQueueCount() === 0) this.#socket.send(report);
  }

  close(): void {
    this.#isClosed = true;
    this.#pacer.close();
    this.#socket?.close();
    this.#socket = undefined;
    this.#producer?.close();
    this.#transport?.close();
  }

  #requireOpen(): void {
    if (this.#isClosed) throw appError('unavailable', 'nobody watches any more');
  }
}
