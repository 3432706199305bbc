/** The client's end of one connection: connects, greets, and turns bytes into messages. Reconnecting is its owner's business. */

import { connect, type Socket } from 'node:net';
import { type AppError, appError, toAppError } from '../base/errors.ts';
import { limits } from '../model/limits.ts';
import {
  controlFrame,
  FrameReader,
  frameTypeControl,
  frameTypeUnit,
  type LaneUnit,
  mediaFrameHead,
  parseControl,
  parseUnit,
} from './frames.ts';
import { type ClientMessage, laneProtocolVersion, type ServerMessage } from './messages.ts';
import { parseServerMessage } from './parse.ts';

/** One thing that came from the server. A unit's bytes belong to the receiver. */
export type LaneItem = ServerMessage | { readonly type: 'unit'; readonly laneId: number; readonly unit: LaneUnit };

export class LaneConnection {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;

  private constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
    this.#onAbort = () => socket.destroy();
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** @throws AppError unavailable, not_found  nobody listens there @throws AppError cancelled  the signal aborted */
  static async open(
    path: string,
    options: { readonly name: string; readonly signal: AbortSignal },
  ): Promise<LaneConnection> {
    const { name, signal } = options;
    if (signal.aborted) throw appError('cancelled', 'lane client was closed');
    const socket = connect(path);
    const connection = new LaneConnection(socket, signal);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
        socket.once('close', () => reject(appError('cancelled', 'lane client was closed')));
      });
    } catch (error) {
      connection.close();
      throw toAppError(error);
    }
    socket.on('error', () => {});
    connection.send({ type: 'hello', version: laneProtocolVersion, client: name });
    return connection;
  }

  send(message: ClientMessage): void {
    if (!this.#socket.destroyed) this.#socket.write(controlFrame(message));
  }

  /**
   * Sends media of a put, which must stay as it is until this resolves: when the socket has room again, or is gone.
   */
  async sendMedia(putId: number, bytes: Uint8Array): Promise<void> {
    if (this.#socket.destroyed) return;
    this.#socket.cork();
    this.#socket.write(mediaFrameHead(putId, bytes.length));
    const written = new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
    this.#socket.uncork();
    await written;
  }

  /**
   * Everything the server sends until the connection ends. The socket is read no faster than this is consumed.
   *
   * @throws AppError failed_precondition  the server speaks another version
   * @throws AppError invalid_argument     the server broke the protocol
   */
  async *items(): AsyncGenerator<readonly LaneItem[]> {
    const reader = new FrameReader({ bytesMax: limits.laneMessageBytesMax });
    try {
      for await (const chunk of this.#socket) {
        const items: LaneItem[] = [];
        reader.push(chunk, (type, body) => {
          const item = toItem(type, body);
          if (item !== undefined) items.push(item);
        });
        if (items.length > 0) yield items;
      }
    } catch (error) {
      if (!this.#signal.aborted) throw toAppError(error);
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#socket.destroy();
  }
}

/** An error that the server told, as one of ours. */
export function remoteError(error: { code: AppError['code']; message: string; hint?: string }): AppError {
  return appError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint });
}

function toItem(type: number, body: Uint8Array): LaneItem | undefined {
  if (type === frameTypeUnit) return { type: 'unit', ...parseUnit(body) };
  if (type !== frameTypeControl) return undefined;
  const message = parseServerMessage(parseControl(body));
  if (message?.type === 'hello' && message.version !== laneProtocolVersion) {
    throw appError('failed_precondition', 'server speaks another version of the lane protocol', {
      version: message.version,
      hint: 'restart the appliance so that all its processes have one version',
    });
  }
  return message;
}
