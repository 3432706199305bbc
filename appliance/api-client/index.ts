/** Asks `serve` over its socket on this machine: whoever may open that file acts as admin, no password needed. */

import { request } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { type AppError, appError, type ErrorCode, errnoOf, errorCodes } from '../../storage/base/errors.ts';

/** Answers are lists that people read; a clip or picture is not fetched this way. */
const answerBytesMax = 32 * 1024 * 1024;

const errorShape = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional(), field: z.string().optional() }),
});

export class ApiClient {
  readonly #socketPath: string;

  /** @param options.runDirectory  where the roles' sockets lie */
  constructor(options: { readonly runDirectory: string }) {
    this.#socketPath = join(options.runDirectory, 'serve.sock');
  }

  /**
   * One request; resolves with the answer's JSON, undefined when it has none.
   *
   * @throws AppError  with the code that the server gave; `unavailable` when no server runs
   */
  async call(method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
    const { status, text } = await this.#send(method, path, body === undefined ? undefined : JSON.stringify(body));
    const answer = parseJson(text);
    if (status >= 400) throw errorOf(answer, { method, path, status });
    return answer;
  }

  /** As `call`, of an answer that is a text. */
  async text(path: string): Promise<string> {
    const { status, text } = await this.#send('GET', path, undefined);
    if (status >= 400) throw errorOf(parseJson(text), { method: 'GET', path, status });
    return text;
  }

  /**
   * Sends a file; resolves with the answer's JSON. An answer that comes before the end of the file ends the sending.
   *
   * @throws AppError  as `call`; `cancelled` when the signal aborts
   */
  upload(
    path: string,
    {
      body,
      byteLength,
      signal,
    }: { readonly body: Readable; readonly byteLength: number; readonly signal: AbortSignal },
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/octet-stream', 'content-length': byteLength };
      let isAnswered = false;
      const sent = request({ socketPath: this.#socketPath, method: 'POST', path, headers, signal }, (response) => {
        isAnswered = true;
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('end', () => {
          body.destroy();
          sent.destroy();
          const status = response.statusCode ?? 0;
          const answer = parseJson(Buffer.concat(chunks).toString());
          if (status < 400) resolve(answer);
          else reject(errorOf(answer, { method: 'POST', path, status }));
        });
        response.once('error', reject);
      });
      sent.on('error', (error) => {
        if (isAnswered) return;
        body.destroy();
        reject(signal.aborted ? appError('cancelled', 'the upload was given up') : this.#unreachable(error));
      });
      body.once('error', (error) => {
        sent.destroy();
        reject(appError('unavailable', `the file cannot be read: ${error.message}`, { cause: error }));
      });
      body.pipe(sent);
    });
  }

  #send(method: string, path: string, body: string | undefined): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers =
        body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const sent = request({ socketPath: this.#socketPath, method, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > answerBytesMax) response.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
        response.once('error', reject);
      });
      sent.once('error', (error) => reject(this.#unreachable(error)));
      sent.end(body);
    });
  }

  #unreachable(error: Error): AppError {
    const isAbsent = ['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error) ?? '');
    return appError('unavailable', isAbsent ? 'Weir does not run on this data directory' : error.message, {
      cause: error,
      socket: this.#socketPath,
      hint: isAbsent ? 'start it by `weir serve`, or name its --data-directory' : 'look at its log',
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorOf(
  answer: unknown,
  facts: { readonly method: string; readonly path: string; readonly status: number },
): AppError {
  const parsed = errorShape.safeParse(answer);
  if (!parsed.success) return appError('internal', `the server answered ${facts.status} without a reason`, facts);
  const { code, message, hint, field } = parsed.data.error;
  return appError(isErrorCode(code) ? code : 'internal', message, {
    ...(hint === undefined ? {} : { hint }),
    ...(field === undefined ? {} : { field }),
  });
}

function isErrorCode(code: string): code is ErrorCode {
  return (errorCodes as readonly string[]).includes(code);
}
