/**
 * HTTP to one S3 server: a bounded pool of connections on which nothing waits for ever. A connection without a moving byte ends
 * after `limits.s3IdleMs` (half-open TCP), a request after its own deadline (an answer that trickles). The `minio` client's
 * calls go the same way: it gets `transport`.
 */

import type { FileHandle } from 'node:fs/promises';
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions, request as requestHttps } from 'node:https';
import type { Clock } from '../base/clock.ts';
import { appError } from '../base/errors.ts';
import { limits } from '../model/limits.ts';

/** An answer whose body is still to be read; it must be read or destroyed. */
export type S3Answer = { readonly status: number; readonly message: IncomingMessage };

export type S3Request = {
  readonly method: 'GET' | 'HEAD' | 'PUT';
  /** Signed. Never to be logged. */
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly file: FileHandle; readonly byteLength: number };
  readonly deadlineMs: number;
};

export class S3Connection {
  readonly #clock: Clock;
  readonly #agent: HttpAgent;
  readonly #request: typeof requestHttps;
  readonly #idleMs: number;

  constructor(
    dependencies: { readonly clock: Clock },
    options: { readonly isTls: boolean; readonly authorityPem?: string | undefined; readonly idleMs?: number },
  ) {
    this.#clock = dependencies.clock;
    this.#idleMs = options.idleMs ?? limits.s3IdleMs;
    const pool = { keepAlive: true, maxSockets: limits.s3ConnectionsMax, timeout: this.#idleMs };
    const { authorityPem } = options;
    this.#agent = options.isTls
      ? new HttpsAgent({ ...pool, ...(authorityPem === undefined ? {} : { ca: authorityPem }) })
      : new HttpAgent(pool);
    this.#request = options.isTls ? requestHttps : (requestHttp as typeof requestHttps);
  }

  /** Ends every connection; what is under way fails. Later requests would open new ones. */
  close(): void {
    this.#agent.destroy();
  }

  get agent(): HttpAgent {
    return this.#agent;
  }

  /** For the `minio` client: `request` of `node:http` with our deadline and a bound on what is answered. */
  get transport(): { request: typeof requestHttps } {
    const request = (options: RequestOptions, onAnswer: (answer: IncomingMessage) => void): ClientRequest => {
      const outgoing = this.#open(this.#request(options), limits.s3CallMsMax);
      return outgoing.once('response', (answer: IncomingMessage) => {
        // Once somebody reads: a listener of ours alone would make it flow to nobody.
        answer.once('resume', () => destroyBeyond(answer, limits.s3AnswerBytesMax));
        onAnswer(answer);
      });
    };
    return { request: request as typeof requestHttps };
  }

  /**
   * Sends a request and resolves with the answer's head. Where the server answers before it has the whole body, the rest is
   * not sent.
   * @throws the socket's error, or AppError unavailable  nothing moved for too long, or the file is shorter than it was
   */
  async send(wanted: S3Request): Promise<S3Answer> {
    const { method, url, headers = {}, body, deadlineMs } = wanted;
    // Without the question a server that refuses would cut the connection under our body, and its reason would be lost.
    const bodyHeaders = body === undefined ? {} : { 'content-length': body.byteLength, expect: '100-continue' };
    const outgoing = this.#open(
      this.#request(url, { method, agent: this.#agent, headers: { ...headers, ...bodyHeaders } }),
      deadlineMs,
    );
    let isAnswered = false;
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', (message: IncomingMessage) => {
        isAnswered = true;
        resolve(message);
      });
      outgoing.once('error', reject);
      outgoing.once('close', () => reject(appError('unavailable', 'the connection to the object store was closed')));
    });
    answered.catch(() => {});
    if (body === undefined) outgoing.end();
    else {
      await Promise.race([this.#continued(outgoing), answered]);
      // What the kernel and proxies between have taken is on its way while we see nothing move, and is then made durable.
      outgoing.once('finish', () => outgoing.setTimeout(2 * this.#idleMs));
      await Promise.race([writeBody(outgoing, body, () => isAnswered), answered]).catch((error: unknown) => {
        outgoing.destroy();
        throw error;
      });
    }
    const message = await answered;
    if (body !== undefined && !outgoing.writableFinished) message.once('close', () => outgoing.destroy());
    return { status: message.statusCode ?? 0, message };
  }

  #continued(outgoing: ClientRequest): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(limits.s3ContinueWaitMs, resolve);
      outgoing.once('continue', () => {
        cancel();
        resolve();
      });
      outgoing.once('close', cancel);
    });
  }

  /** A request that ends by itself, whatever the other side does. */
  #open(outgoing: ClientRequest, deadlineMs: number): ClientRequest {
    const idleMs = this.#idleMs;
    outgoing.once('timeout', () => {
      outgoing.destroy(appError('unavailable', 'the object store went silent', { idleMs }));
    });
    const cancel = this.#clock.after(deadlineMs, () => {
      outgoing.destroy(appError('unavailable', 'the object store takes too long', { deadlineMs }));
    });
    return outgoing.once('close', cancel);
  }
}

/** The bytes of an answer that is no object: an error, a mark. @throws AppError unavailable  it is longer than `byteLengthMax` */
export async function readAnswer({ message }: S3Answer, byteLengthMax: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let byteLength = 0;
  for await (const piece of message as AsyncIterable<Buffer>) {
    byteLength += piece.byteLength;
    // Leaving the loop destroys the answer.
    if (byteLength > byteLengthMax) throw tooLong();
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function destroyBeyond(answer: IncomingMessage, byteLengthMax: number): void {
  let byteLength = 0;
  answer.on('data', (bytes: Uint8Array) => {
    byteLength += bytes.byteLength;
    if (byteLength > byteLengthMax) answer.destroy(tooLong());
  });
}

/** One buffer for the whole file: a piece is read when the one before is with the kernel. */
async function writeBody(
  outgoing: ClientRequest,
  { file, byteLength }: { readonly file: FileHandle; readonly byteLength: number },
  isAnswered: () => boolean,
): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(byteLength, limits.flushBytes));
  for (let at = 0; at < byteLength && !isAnswered(); ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, byteLength - at), at);
    if (bytesRead === 0)
      throw appError('unavailable', 'the file became shorter while it was stored', { byteLength: at });
    await new Promise<void>((resolve, reject) => {
      outgoing.write(buffer.subarray(0, bytesRead), (error) => (error ? reject(error) : resolve()));
    });
    at += bytesRead;
  }
  if (!isAnswered()) outgoing.end();
}

function tooLong() {
  return appError('unavailable', 'the object store answers more than anybody asked for', {
    byteLengthMax: limits.s3AnswerBytesMax,
  });
}
