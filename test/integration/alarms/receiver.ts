/** A webhook's other end: a real HTTP server that checks signatures by openssl, and answers as the test says. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export type Received = {
  readonly id: string;
  readonly timestampS: number;
  readonly signature: string;
  readonly body: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies by name, and the assertion fails when it is not there.
  readonly json: any;
  readonly status: number;
};

export type Receiver = {
  readonly url: string;
  readonly received: readonly Received[];
  /** Those that were taken, without repeats. */
  told(): Received[];
  /** From now on. 0 hangs up without an answer, -1 never answers. */
  answer(status: number): void;
  close(): Promise<void>;
};

/** @param options.port  of a receiver that was closed before */
export async function startReceiver(options: { readonly port?: number } = {}): Promise<Receiver> {
  const received: Received[] = [];
  let status = 204;
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    received.push({
      id: String(request.headers['webhook-id']),
      timestampS: Number(request.headers['webhook-timestamp']),
      signature: String(request.headers['webhook-signature']),
      body,
      json: body === '' ? undefined : JSON.parse(body),
      status,
    });
    if (status === 0) request.socket.destroy();
    else if (status > 0)
      response.writeHead(status, { location: 'http://127.0.0.1:1/elsewhere' }).end('x'.repeat(200_000));
  };
  const server = createServer((request, response) => void take(request, response).catch(() => {}));
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/secret-path`,
    received,
    told: () => [
      ...new Map(received.filter((one) => one.status < 300 && one.status > 0).map((one) => [one.id, one])).values(),
    ],
    answer: (next) => {
      status = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  onTestFinished(() => receiver.close());
  return receiver;
}

/** True when openssl signs the same. */
export function isSignedWith(secret: string, { id, timestampS, body, signature }: Received): boolean {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64').toString('hex');
  const made = execFileSync('openssl', ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${key}`, '-binary'], {
    input: `${id}.${timestampS}.${body}`,
  });
  return signature === `v1,${made.toString('base64')}`;
}
