/** An RTMP publisher for tests: connects, names its key, and sends what the test wants, whole or in pieces. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { amf0, chunks } from './wire.ts';

export type PublisherOptions = {
  readonly port: number;
  readonly key: string;
  readonly host?: string;
  readonly app?: string;
  readonly chunkBytes?: number;
};

/** The server's answer to `publish`, or `closed` where it gave none. */
export type PublishAnswer = string;

export class RtmpPublisher {
  readonly socket: Socket;
  readonly #options: PublisherOptions;
  readonly #chunkBytes: number;
  #received = Buffer.alloc(0);
  #isGone = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#chunkBytes = options.chunkBytes ?? 4_096;
    this.socket = connect({ host: options.host ?? '127.0.0.1', port: options.port });
    this.socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.#isGone = true;
    });
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Handshake and commands up to `publish`; resolves with the answer's code (`NetStream.Publish.Start`). */
  async publish(): Promise<PublishAnswer> {
    await this.shake();
    const { app = 'live', host = '127.0.0.1', port, key } = this.#options;
    const size = Buffer.alloc(4);
    size.writeUInt32BE(this.#chunkBytes);
    this.socket.write(
      chunks({ type: 1, timestampMs: 0, body: size, chunkStream: 2, streamId: 0 }, { chunkBytes: 128 }),
    );
    this.command(amf0('connect', 1, { app, type: 'nonprivate', tcUrl: `rtmp://${host}:${port}/${app}` }), 0);
    await this.#answered('NetConnection.Connect.Success');
    this.command(amf0('releaseStream', 2, null, key), 0);
    this.command(amf0('FCPublish', 3, null, key), 0);
    this.command(amf0('createStream', 4, null), 0);
    await this.#answered('_result');
    this.command(amf0('publish', 5, null, key, 'live'), 1);
    return this.#status();
  }

  /** The handshake alone. */
  async shake(): Promise<void> {
    const hello = Buffer.alloc(1 + 1536);
    hello[0] = 3;
    this.socket.write(hello);
    await this.#until(() => this.#received.length >= 1 + 2 * 1536);
    this.socket.write(this.#received.subarray(1, 1 + 1536));
    this.#received = this.#received.subarray(1 + 2 * 1536);
  }

  command(body: Buffer, streamId: number): void {
    this.socket.write(
      chunks({ type: 20, timestampMs: 0, body, chunkStream: 3, streamId }, { chunkBytes: this.#chunkBytes }),
    );
  }

  video(timestampMs: number, body: Uint8Array): void {
    this.socket.write(chunks({ type: 9, timestampMs, body, chunkStream: 6 }, { chunkBytes: this.#chunkBytes }));
  }

  audio(timestampMs: number, body: Uint8Array): void {
    this.socket.write(chunks({ type: 8, timestampMs, body, chunkStream: 4 }, { chunkBytes: this.#chunkBytes }));
  }

  /** Ends the stream in order. */
  end(): void {
    this.command(amf0('deleteStream', 6, null, 1), 0);
    this.socket.end();
  }

  /** Is gone without a word. */
  kill(): void {
    this.socket.destroy();
  }

  /** Resolves when the server closed the connection. */
  async closed(): Promise<void> {
    // A reset is as good an end as any: `once` would reject on it.
    if (!this.#isGone) await new Promise<void>((resolve) => this.socket.once('close', () => resolve()));
  }

  async #status(): Promise<PublishAnswer> {
    const isThere = await this.#until(() => /NetStream\.[A-Za-z.]+/.test(this.#textAfterFcPublish()));
    return isThere ? (/NetStream\.[A-Za-z]+\.[A-Za-z]+/.exec(this.#textAfterFcPublish())?.[0] ?? '') : 'closed';
  }

  /** What came after the answer to FCPublish, which names the same code. */
  #textAfterFcPublish(): string {
    const text = this.#received.toString('latin1');
    return text.slice(text.lastIndexOf('onStatus'));
  }

  #answered(text: string): Promise<boolean> {
    return this.#until(() => this.#received.includes(text));
  }

  async #until(isThere: () => boolean): Promise<boolean> {
    while (!isThere()) {
      if (this.#isGone) return false;
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')]).catch(() => {});
    }
    return true;
  }
}
