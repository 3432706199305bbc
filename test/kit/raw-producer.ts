/** A producer on a raw socket: what it sends byte by byte, and each piece of what it is told. */

import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SignatureV4 } from '@smithy/signature-v4';
import { until } from './until.ts';

export type RawProducerOptions = {
  readonly port: number;
  /** With it the connection is encrypted. */
  readonly ca?: string | undefined;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** Further headers, or others than usual ones; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** The request target where it is not `/putMedia`. */
  readonly target?: string;
  readonly path?: string;
  readonly isSized?: number;
  /** `sdk` signs what the SDKs do; the others are the native producers, each in its own way (kvs-api 2.1). */
  readonly signer?: 'sdk' | 'producer-c' | 'producer-java' | 'sdk-java-v1';
  /** Sent, and not signed. */
  readonly unsigned?: readonly string[];
};

export type ToldAck = {
  readonly EventType: string;
  readonly FragmentTimecode?: number;
  readonly FragmentNumber?: string;
  readonly ErrorId?: number;
  readonly ErrorCode?: string;
};

class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | Uint8Array) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
  }

  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {}
}

export class RawProducer {
  readonly socket: Socket;
  readonly #isSized: boolean;
  /** Each read of the socket. */
  readonly reads: Buffer[] = [];
  isEnded = false;

  private constructor(socket: Socket, isSized: boolean) {
    this.socket = socket;
    this.#isSized = isSized;
    socket.on('data', (bytes: Buffer) => this.reads.push(bytes));
    socket.on('end', () => {
      this.isEnded = true;
    });
    socket.on('close', () => {
      this.isEnded = true;
    });
    socket.on('error', () => {});
  }

  /** Connects and sends the head. */
  static async open(options: RawProducerOptions): Promise<RawProducer> {
    const { port, ca, headers = {}, target, path = '/putMedia', isSized } = options;
    const socket =
      ca === undefined
        ? connect({ port, host: '127.0.0.1', noDelay: true })
        : connectTls({ port, host: 'localhost', ca, ALPNProtocols: ['http/1.1'] });
    await new Promise<void>((resolve, reject) => {
      socket.once(ca === undefined ? 'connect' : 'secureConnect', resolve).once('error', reject);
    });
    const producer = new RawProducer(socket, isSized !== undefined);
    const all = {
      host: `localhost:${port}`,
      'x-amzn-fragment-timecode-type': 'ABSOLUTE',
      'x-amzn-producer-start-timestamp': '1711124585.823',
      ...(isSized === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(isSized) }),
      ...headers,
    };
    const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<
      string,
      string
    >;
    const signed = await sign(options, sent);
    const lines = Object.entries(signed.headers).map(([name, value]) => `${name}: ${value}`);
    socket.write(`POST ${target ?? path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    return producer;
  }

  /** Sends bytes of the body in one piece; resolves when they are gone. */
  send(bytes: Uint8Array): Promise<void> {
    const framed = this.#isSized
      ? bytes
      : Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
    return new Promise((resolve, reject) => {
      this.socket.write(framed, (error) => (error ? reject(error) : resolve()));
    });
  }

  end(): void {
    if (!this.#isSized) this.socket.write('0\r\n\r\n');
  }

  /** Everything that came, as text. */
  get text(): string {
    return Buffer.concat(this.reads).toString('latin1');
  }

  /** Of the answer that is not `100 Continue`. */
  get status(): number | undefined {
    const found = [...this.text.matchAll(/HTTP\/1\.1 (\d{3})/g)]
      .map(([, code]) => Number(code))
      .find((code) => code !== 100);
    return found;
  }

  /** The body's chunks, without their framing. */
  get chunks(): string[] {
    const from = this.text.indexOf('\r\n\r\n', this.text.indexOf('HTTP/1.1 200'));
    const chunks: string[] = [];
    let rest = from < 0 ? '' : this.text.slice(from + 4);
    for (;;) {
      const line = /^([0-9a-f]+)\r\n/.exec(rest);
      const length = Number.parseInt(line?.[1] ?? '', 16);
      if (line === null || rest.length < line[0].length + length + 2) return chunks;
      chunks.push(rest.slice(line[0].length, line[0].length + length));
      rest = rest.slice(line[0].length + length + 2);
      if (length === 0) return chunks;
    }
  }

  get acks(): ToldAck[] {
    return this.chunks.filter((chunk) => chunk !== '').map((chunk) => JSON.parse(chunk));
  }

  /** The body has ended as it should. */
  get isWhole(): boolean {
    return this.chunks.at(-1) === '';
  }

  told(event: string): ToldAck[] {
    return this.acks.filter(({ EventType }) => EventType === event);
  }

  untilTold(event: string, count: number): Promise<ToldAck[]> {
    return until(`${count} of ${event}; told: ${this.text.slice(-600)}`, () => {
      const told = this.told(event);
      return told.length >= count ? told : undefined;
    });
  }
}

async function sign(
  { credentials, signer = 'sdk', unsigned = [], path = '/putMedia' }: RawProducerOptions,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly headers: Readonly<Record<string, string>> }> {
  const streaming = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
  const hash =
    signer === 'producer-c'
      ? {}
      : { 'x-amz-content-sha256': signer === 'sdk-java-v1' ? streaming : 'UNSIGNED-PAYLOAD' };
  const signature = new SignatureV4({
    ...{ credentials, region: 'us-west-2', service: 'kinesisvideo', sha256: Sha256 as never },
    // The C producer signs the hash of no bytes, and sends no header for it.
    applyChecksum: signer !== 'producer-c',
  });
  return signature.sign(
    {
      ...{ method: 'POST', protocol: 'https:', hostname: 'localhost', path, query: {} },
      headers: { ...headers, ...hash },
    },
    {
      ...(signer === 'producer-c' ? { signableHeaders: new Set(['connection', 'transfer-encoding']) } : {}),
      unsignableHeaders: new Set([...unsigned, ...(signer === 'producer-java' ? ['x-amz-content-sha256'] : [])]),
    },
  );
}
