/** The UDP ports that RTP and RTCP leave from, shared by all readers; a reader's reports are a sign of its life. */

import { createSocket, type Socket } from 'node:dgram';
import { appError } from '../../storage/base/errors.ts';
import type { UdpPair } from './play/sinks.ts';

const bindTriesMax = 32;
const firstPort = 20_000;
const portSpan = 40_000;
/** Two key frames of 4K may wait in the kernel. */
const sendBufferBytes = 2 * 1024 * 1024;

type Family = 'udp4' | 'udp6';

export class UdpPorts {
  readonly #random: (bytes: number) => Uint8Array;
  readonly #port: number | undefined;
  readonly #host: string | undefined;
  readonly #pairs = new Map<Family, Promise<UdpPair>>();
  readonly #listeners = new Map<string, () => void>();
  #isClosed = false;

  /** @param options.port  RTP's, even; RTCP has the next one. Undefined: any free pair */
  constructor(
    deps: { readonly random: (bytes: number) => Uint8Array },
    options: { readonly port: number | undefined; readonly host: string | undefined },
  ) {
    this.#random = deps.random;
    this.#port = options.port;
    this.#host = options.host;
  }

  /** Opened by the first reader that wants it. @throws AppError unavailable  no such pair is free */
  pair(address: string): Promise<UdpPair> {
    const family = address.includes(':') ? 'udp6' : 'udp4';
    let pair = this.#pairs.get(family);
    if (pair === undefined) {
      pair = this.#open(family);
      this.#pairs.set(family, pair);
      pair.catch(() => this.#pairs.delete(family));
    }
    return pair;
  }

  /** Calls back whenever something comes from these ports of a reader. Returns how to stop. */
  hear(address: string, ports: readonly [number, number], onAlive: () => void): () => void {
    const keys = ports.map((port) => `${address} ${port}`);
    for (const key of keys) this.#listeners.set(key, onAlive);
    return () => {
      for (const key of keys) if (this.#listeners.get(key) === onAlive) this.#listeners.delete(key);
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const pending of this.#pairs.values()) {
      const pair = await pending.catch(() => undefined);
      pair?.rtp.close();
      pair?.rtcp.close();
    }
    this.#pairs.clear();
  }

  async #open(family: Family): Promise<UdpPair> {
    // An address of the other family cannot be bound to: then any is.
    const host = this.#host?.includes(':') === (family === 'udp6') ? this.#host : undefined;
    const any = () => firstPort + 2 * ((Buffer.from(this.#random(2)).readUInt16BE(0) % portSpan) >> 1);
    for (let tries = 0; tries < (this.#port === undefined ? bindTriesMax : 1); tries++) {
      const port = this.#port ?? any();
      const rtp = await bound(family, port, host);
      const rtcp = rtp === undefined ? undefined : await bound(family, port + 1, host);
      if (rtp === undefined || rtcp === undefined || this.#isClosed) {
        rtp?.close();
        rtcp?.close();
        continue;
      }
      for (const socket of [rtp, rtcp]) {
        socket.on('message', (_packet, from) => {
          this.#listeners.get(`${from.address.replace(/^::ffff:/i, '')} ${from.port}`)?.();
        });
      }
      return { rtp, rtcp, ports: [port, port + 1] };
    }
    throw appError('unavailable', 'no pair of UDP ports is free', { port: this.#port });
  }
}

function bound(family: Family, port: number, host: string | undefined): Promise<Socket | undefined> {
  const socket = createSocket({ type: family, ipv6Only: family === 'udp6', sendBufferSize: sendBufferBytes });
  return new Promise((resolve) => {
    socket.once('error', () => {
      socket.close();
      resolve(undefined);
    });
    socket.bind(port, host, () => {
      socket.removeAllListeners('error');
      // A reader's closed port answers by ICMP: its keepalives tell whether it lives.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}
