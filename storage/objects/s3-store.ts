/**
 * Objects in a bucket of MinIO or of any S3. The `minio` client makes buckets, lists, deletes and signs; bytes go over its signed
 * URLs with our own HTTP, since its `putObject` hashes each object twice on the main thread (3.2 ms of CPU a MB against 0.5).
 * Only calls that every S3 has: no lifecycle, no versions, no server-side extensions.
 */

import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Client } from 'minio';
import type { Clock } from '../base/clock.ts';
import { appError, isAppError, toAppError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { limits } from '../model/limits.ts';
import { type ObjectInfo, type ObjectSpace, type ObjectStore, parseObjectKey } from './object-store.ts';
import { makeS3Client, type S3Server } from './s3-client.ts';
import { readAnswer, type S3Answer, S3Connection } from './s3-connection.ts';
import { refusalOf, toS3Error } from './s3-errors.ts';

export type S3Options = S3Server & {
  readonly bucket: string;
  /** Before every key, `weir/`; empty for a bucket of our own. */
  readonly prefix: string;
  /** A connection on which nothing moves for so long has ended. */
  readonly idleMs?: number;
};

/** As in a directory: begins with a dot, so no key names it. */
const markName = '.weir-store';
const markBytesMax = 256;
/** A signature is looked at when a request begins: an hour also forgives clocks that differ. */
const signatureSeconds = 3_600;

export class S3Store implements ObjectStore {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: S3Options;
  readonly #connection: S3Connection;
  #client: Client | undefined;
  readonly #facts: Readonly<Record<string, unknown>>;

  constructor(dependencies: { readonly clock: Clock; readonly log: Log }, options: S3Options) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#options = options;
    const { protocol, host } = new URL(options.endpoint);
    const { authorityPem, idleMs = limits.s3IdleMs } = options;
    this.#connection = new S3Connection(dependencies, { isTls: protocol === 'https:', authorityPem, idleMs });
    this.#facts = { endpoint: host, bucket: options.bucket };
  }

  /** Makes bucket and mark where there are none. Readers need no start. */
  async start(): Promise<void> {
    const { bucket, region } = this.#options;
    try {
      if ((await this.#readMark()) !== undefined) return;
    } catch (error) {
      if (!isAppError(error, 'unavailable') || error.context.s3Code !== 'NoSuchBucket') throw error;
      await this.#asked((client) => client.makeBucket(bucket, region));
      this.#log.info('bucket created', this.#facts);
    }
    const identity = randomBytes(16).toString('hex');
    await this.#putMark(`${identity}\n`);
    this.#log.info('object store created', { ...this.#facts, storeId: identity });
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  async identity(): Promise<string> {
    const mark = await this.#readMark();
    if (mark === undefined) {
      throw appError('unavailable', 'the bucket has lost its mark', {
        ...this.#facts,
        hint: `Did somebody delete ${markName}? Restart Weir if the bucket is meant to be empty.`,
      });
    }
    return mark;
  }

  /** Length and ETag of what is stored are compared with what was sent: a gateway that cut it off is found before the file goes. */
  async putFile(key: string, path: string): Promise<void> {
    const name = this.#nameOf(key);
    const file = await open(path, 'r').catch((error: unknown) => {
      throw toAppError(error);
    });
    try {
      const { size: byteLength } = await file.stat();
      const etag = await this.#put(name, { file, byteLength });
      const stored = await this.#head(name);
      if (stored?.byteLength === byteLength && (etag === undefined || stored.etag === etag)) return;
      throw appError('unavailable', 'the object store keeps other bytes than it was given', {
        ...this.#facts,
        objectKey: key,
        byteLength,
        storedByteLength: stored?.byteLength,
      });
    } finally {
      await file.close();
    }
  }

  async getRange(key: string, offset: number, length: number): Promise<Uint8Array> {
    const name = this.#nameOf(key);
    if (length > limits.objectRangeBytesMax) {
      throw appError('resource_exhausted', 'object range is too long', { length, objectKey: key });
    }
    // A range of HTTP has at least one byte.
    if (length === 0) return new Uint8Array(0);
    const range = `bytes=${offset}-${offset + length - 1}`;
    return this.#asked(
      async (client) => {
        const answer = await this.#send(client, 'GET', name, { headers: { range } });
        if (answer.status === 416) {
          answer.message.destroy();
          return new Uint8Array(0);
        }
        if (answer.status !== 206) throw await this.#refusedRange(answer);
        return await readExactly(answer, length);
      },
      { objectKey: key },
    );
  }

  localPath(key: string): undefined {
    parseObjectKey(key);
    return undefined;
  }

  async delete(key: string): Promise<void> {
    const name = this.#nameOf(key);
    await this.#asked((client) => client.removeObject(this.#options.bucket, name), { objectKey: key });
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    const { bucket, prefix: before } = this.#options;
    const client = await this.#asked(async (ready) => ready);
    try {
      const found = client.listObjectsV2(bucket, `${before}${prefix}`, true);
      for await (const item of found as AsyncIterable<{ readonly name?: string; readonly size: number }>) {
        const key = item.name?.slice(before.length);
        if (key !== undefined && isKey(key)) yield { key, byteLength: item.size };
      }
    } catch (error) {
      throw toS3Error(error, this.#facts);
    }
  }

  async stat(key: string): Promise<ObjectInfo | undefined> {
    const found = await this.#head(this.#nameOf(key));
    if (found !== undefined) return { key, byteLength: found.byteLength };
    // An answer without a body does not tell a missing object from a missing bucket.
    await this.identity();
    return undefined;
  }

  /** An S3 has no bound that it would tell. */
  async space(): Promise<ObjectSpace | undefined> {
    return undefined;
  }

  #nameOf(key: string): string {
    return `${this.#options.prefix}${parseObjectKey(key)}`;
  }

  async #readMark(): Promise<string | undefined> {
    return this.#asked(async (client) => {
      const answer = await this.#send(client, 'GET', `${this.#options.prefix}${markName}`);
      if (answer.status === 200) return (await readAnswer(answer, markBytesMax)).toString('utf8').trim();
      const refused = await refusalOf(answer, this.#facts);
      if (refused.code === 'not_found') return undefined;
      throw refused;
    });
  }

  async #putMark(text: string): Promise<void> {
    const { bucket, prefix } = this.#options;
    await this.#asked((client) => client.putObject(bucket, `${prefix}${markName}`, Buffer.from(text)));
  }

  /** Returns the ETag that the server gave it. */
  async #put(
    name: string,
    body: { readonly file: FileHandle; readonly byteLength: number },
  ): Promise<string | undefined> {
    return this.#asked(
      async (client) => {
        const answer = await this.#send(client, 'PUT', name, { body });
        if (answer.status !== 200) throw await refusalOf(answer, this.#facts);
        await readAnswer(answer, limits.s3AnswerBytesMax);
        return answer.message.headers.etag;
      },
      { objectKey: name },
    );
  }

  async #head(name: string): Promise<{ readonly byteLength: number; readonly etag: string | undefined } | undefined> {
    return this.#asked(
      async (client) => {
        const answer = await this.#send(client, 'HEAD', name);
        if (answer.status !== 200 && answer.status !== 404) throw await refusalOf(answer, this.#facts);
        answer.message.resume();
        if (answer.status === 404) return undefined;
        const { 'content-length': length, etag } = answer.message.headers;
        return { byteLength: Number(length ?? Number.NaN), etag };
      },
      { objectKey: name },
    );
  }

  async #refusedRange(answer: S3Answer): Promise<Error> {
    if (answer.status !== 200) return refusalOf(answer, this.#facts);
    answer.message.destroy();
    return appError('unimplemented', 'the object store does not give parts of objects', this.#facts);
  }

  async #send(
    client: Client,
    method: 'GET' | 'HEAD' | 'PUT',
    name: string,
    extras: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: { readonly file: FileHandle; readonly byteLength: number };
    } = {},
  ): Promise<S3Answer> {
    const now = new Date(this.#clock.wallMs());
    const url = await client.presignedUrl(method, this.#options.bucket, name, signatureSeconds, {}, now);
    const isTransfer = extras.body !== undefined || extras.headers?.range !== undefined;
    const deadlineMs = isTransfer ? limits.s3TransferMsMax : limits.s3CallMsMax;
    return this.#connection.send({ method, url: new URL(url), deadlineMs, ...extras });
  }

  async #asked<T>(question: (client: Client) => Promise<T>, facts: Readonly<Record<string, unknown>> = {}): Promise<T> {
    try {
      this.#client ??= await makeS3Client(this.#options, this.#connection);
      return await question(this.#client);
    } catch (error) {
      const failure = toS3Error(error, { ...this.#facts, ...facts });
      if (failure.code === 'permission_denied') this.#client = undefined;
      throw failure;
    }
  }
}

/** The body of a partial answer, in one piece. @throws AppError unavailable  it is longer than asked for, or cut off */
async function readExactly(answer: S3Answer, lengthMax: number): Promise<Uint8Array> {
  const { message } = answer;
  const length = Number(message.headers['content-length'] ?? Number.NaN);
  if (!Number.isSafeInteger(length) || length < 0 || length > lengthMax) {
    message.destroy();
    throw appError('unavailable', 'the object store answers another length than was asked for', { length, lengthMax });
  }
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  for await (const piece of message as AsyncIterable<Buffer>) {
    // The parser of HTTP gives no more than the length it was told.
    filled += piece.copy(bytes, filled);
  }
  if (filled < length) throw appError('unavailable', 'the object store broke off', { filled, length });
  return bytes;
}

function isKey(key: string): boolean {
  try {
    parseObjectKey(key);
    return true;
  } catch {
    return false;
  }
}
