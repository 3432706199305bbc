/**
 * Pictures that others fetch: under keys and with metadata that they know, in buckets that they name. Not segments: nothing of ours
 * reads them again, and no row knows them.
 */

import { mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Client } from 'minio';
import type { Clock } from '../base/clock.ts';
import { appError, errnoOf } from '../base/errors.ts';
import { writeFileAtomic } from '../base/files.ts';
import { makeS3Client, type S3Server } from './s3-client.ts';
import { S3Connection } from './s3-connection.ts';
import { toS3Error } from './s3-errors.ts';

export type StoredPicture = {
  readonly bucket: string;
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly contentType: 'image/jpeg' | 'image/png';
  /** User metadata: names of a-z0-9_-, values of printable ASCII. */
  readonly metadata: Readonly<Record<string, string>>;
};

export type PictureStore = {
  /** The same key again is the same picture again. @throws AppError unavailable, permission_denied, resource_exhausted */
  put(picture: StoredPicture): Promise<void>;
  /** Removes what is older, where nobody else has rules for that. */
  forget(bucket: string, beforeMs: number): Promise<void>;
  close(): Promise<void>;
};

/** Any bucket of an S3 server; who has the bucket decides how long pictures stay. */
export class S3Pictures implements PictureStore {
  readonly #server: S3Server;
  readonly #connection: S3Connection;
  #client: Client | undefined;

  constructor(dependencies: { readonly clock: Clock }, server: S3Server) {
    this.#server = server;
    const isTls = new URL(server.endpoint).protocol === 'https:';
    this.#connection = new S3Connection(dependencies, { isTls, authorityPem: server.authorityPem });
  }

  async put({ bucket, key, bytes, contentType, metadata }: StoredPicture): Promise<void> {
    try {
      this.#client ??= await makeS3Client(this.#server, this.#connection);
      const headers = { ...metadataHeaders(metadata), 'content-type': contentType };
      await this.#client.putObject(bucket, key, Buffer.from(bytes), bytes.length, headers);
    } catch (error) {
      const failure = toS3Error(error, { endpoint: new URL(this.#server.endpoint).host, bucket });
      if (failure.code === 'permission_denied') this.#client = undefined;
      throw failure;
    }
  }

  async forget(): Promise<void> {}

  async close(): Promise<void> {
    this.#connection.close();
  }
}

/** Each by its whole name: of a bare one the client makes a setting of the object where S3 has one, as `x-amz-acl`. */
function metadataHeaders(metadata: StoredPicture['metadata']): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]));
}

/** Recordings come first: with less of the disk left no picture is written. */
const freeShareMin = 0.05;

/** For a site without an S3 server: a folder for each bucket, and beside each picture its metadata as JSON. */
export class DirectoryPictures implements PictureStore {
  readonly #directory: string;

  constructor(options: { readonly directory: string }) {
    this.#directory = options.directory;
  }

  async put({ bucket, key, bytes, contentType, metadata }: StoredPicture): Promise<void> {
    const path = join(this.#directory, safeSegment(bucket), ...key.split('/').map(safeSegment));
    await mkdir(dirname(path), { recursive: true });
    const { bavail, blocks } = await statfs(this.#directory);
    if (bavail < blocks * freeShareMin) {
      throw appError('resource_exhausted', 'the disk is too full for pictures', { directory: this.#directory });
    }
    await writeFileAtomic(`${path}.json`, `${JSON.stringify({ contentType, metadata }, undefined, 2)}\n`);
    await writeFileAtomic(path, bytes);
  }

  async forget(bucket: string, beforeMs: number): Promise<void> {
    const root = join(this.#directory, safeSegment(bucket));
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    });
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
      if (mtimeMs < beforeMs) await rm(path, { force: true });
    }
  }

  async close(): Promise<void> {}
}

/** What file systems take of a name is 255 bytes; the metadata's file and one half written have longer ones. */
const segmentHalf = 100;

/** One part of a path, never the way out of its folder. Keys come from producers. Of a long one the end tells it from others. */
function safeSegment(part: string): string {
  const whole = part.replace(/[^A-Za-z0-9_.=+-]/g, '_');
  const plain = whole.length <= 2 * segmentHalf ? whole : whole.slice(0, segmentHalf) + whole.slice(-segmentHalf);
  return /^\.*$/.test(plain) ? `_${plain}` : plain;
}
