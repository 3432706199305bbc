/**
 * Uploads on their way in: a file of one import each, since an MP4 keeps its index at its end and is read by seeking. It is gone
 * when the import is over, and whatever an ended process left is gone at the next start.
 */

import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { appError, toAppError } from '../../storage/base/errors.ts';
import { diskRoomAt } from './disk-room.ts';

export type SpooledFile = { readonly path: string; readonly byteLength: number; readonly sha256: string };

/** The disk is looked at after each of these. */
const lookBytes = 64 * 1024 * 1024;

export class Spool {
  readonly #directory: string;
  #files = 0;

  constructor(options: { readonly directory: string }) {
    this.#directory = options.directory;
  }

  /** Removes what an earlier process left. */
  async start(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
  }

  /**
   * Keeps an upload. The disk must have room for it twice, since its footage is written beside it.
   *
   * @param options.byteLength  as its sender says; undefined when it does not
   * @throws AppError resource_exhausted  it does not fit
   * @throws AppError cancelled           its sender went away before its end
   */
  async keep(
    body: AsyncIterable<Uint8Array>,
    options: { readonly byteLength: number | undefined },
  ): Promise<SpooledFile> {
    await this.#requireRoom(2 * (options.byteLength ?? 0));
    const path = join(this.#directory, `${++this.#files}.part`);
    const file = await open(path, 'wx', 0o600);
    const hash = createHash('sha256');
    let byteLength = 0;
    let lookedAt = 0;
    try {
      for await (const chunk of body) {
        hash.update(chunk);
        await file.appendFile(chunk);
        byteLength += chunk.length;
        if (byteLength - lookedAt < lookBytes) continue;
        lookedAt = byteLength;
        await this.#requireRoom(byteLength);
      }
      if (options.byteLength !== undefined && byteLength !== options.byteLength) {
        throw appError('cancelled', 'the upload ended early', { byteLength, announcedBytes: options.byteLength });
      }
    } catch (error) {
      await file.close();
      await rm(path, { force: true });
      throw toAppError(error);
    }
    await file.close();
    if (byteLength > 0) return { path, byteLength, sha256: hash.digest('hex') };
    await rm(path, { force: true });
    throw appError('invalid_argument', 'the upload is empty');
  }

  async remove({ path }: SpooledFile): Promise<void> {
    await rm(path, { force: true });
  }

  async #requireRoom(bytes: number): Promise<void> {
    const { freeBytes, reserveBytes } = await diskRoomAt(this.#directory);
    const leftBytes = freeBytes - reserveBytes - bytes;
    if (leftBytes >= 0) return;
    throw appError('resource_exhausted', 'the disk has no room for this file', {
      missingBytes: Math.ceil(-leftBytes),
      hint: 'it needs room for the file and for its footage, beside what recordings keep free',
    });
  }
}
