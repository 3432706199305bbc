/** A TCP proxy before a real server, with the faults of networks: gone, silent, slow, cut off in the middle. */

import { createServer, type Server, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/**
 * `pass`: bytes go through. `refuse`: connections are closed at once. `silent`: connections stand and nothing moves, as behind a
 * firewall that forgot them. `slow`: `bytesPerSecond` from client to server.
 */
export type Fault =
  | { readonly kind: 'pass' | 'refuse' | 'silent' }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number };

const sliceMs = 50;

export class FaultProxy {
  readonly #targetPort: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #server: Server | undefined;
  #fault: Fault = { kind: 'pass' };
  /** Bytes from client to server until all connections are cut, once. */
  #cutAfter: number | undefined;

  constructor(options: { readonly targetPort: number }) {
    this.#targetPort = options.targetPort;
  }

  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  async start(): Promise<void> {
    const server = createServer({ pauseOnConnect: true }, (client) => this.#connect(client));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  }

  async close(): Promise<void> {
    this.#server?.close();
    this.cut();
  }

  /** From now on, on connections that stand as well. */
  set(fault: Fault): void {
    this.#fault = fault;
    if (fault.kind === 'refuse') this.cut();
    for (const pair of this.#pairs) this.#pump(pair);
  }

  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Cuts all connections when so many more bytes went to the server. */
  cutAfter(bytes: number): void {
    this.#cutAfter = bytes;
  }

  #connect(client: Socket): void {
    if (this.#fault.kind === 'refuse') {
      client.destroy();
      return;
    }
    const server = new Socket();
    server.connect(this.#targetPort, '127.0.0.1');
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    for (const [own, other] of [pair, [server, client] as const]) {
      own.on('error', () => {});
      own.on('close', () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
    client.on('data', (bytes) => this.#toServer(pair, bytes));
    server.on('data', (bytes) => {
      if (!client.write(bytes)) {
        server.pause();
        client.once('drain', () => this.#fault.kind !== 'silent' && server.resume());
      }
    });
    this.#pump(pair);
  }

  #pump([client, server]: readonly [Socket, Socket]): void {
    for (const socket of [client, server]) {
      if (this.#fault.kind === 'silent') socket.pause();
      else socket.resume();
    }
  }

  #toServer([client, server]: readonly [Socket, Socket], bytes: Buffer): void {
    if (this.#cutAfter !== undefined) {
      this.#cutAfter -= bytes.byteLength;
      if (this.#cutAfter <= 0) {
        this.#cutAfter = undefined;
        this.cut();
        return;
      }
    }
    server.write(bytes);
    if (this.#fault.kind !== 'slow') return;
    client.pause();
    const pauseMs = Math.max(sliceMs, (bytes.byteLength / this.#fault.bytesPerSecond) * 1_000);
    setTimeout(() => this.#fault.kind !== 'silent' && client.resume(), pauseMs);
  }
}

/** A proxy that is gone when the test ends. */
export async function startFaultProxy(targetPort: number): Promise<FaultProxy> {
  const proxy = new FaultProxy({ targetPort });
  onTestFinished(() => proxy.close());
  await proxy.start();
  return proxy;
}
