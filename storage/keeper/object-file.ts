/** An object as a file: where it lies when the store is on this machine, else a temporary copy, piece by piece. */

import { type FileHandle, mkdir, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppError, appError, errnoOf, isAppError } from '../base/errors.ts';
import { limits } from '../model/limits.ts';
import type { ObjectStore } from '../objects/index.ts';
import { spaceOf } from './finished-files.ts';

/** Where temporary copies lie. */
export type CopyPlace = {
  /** Made where it is not there. */
  readonly directory: string;
  /** What else needs room on its disk. */
  readonly reserveBytes: number;
};

/** Of a remote object only so much is fetched at first: head and table of nearly all segments are far below. */
const edgeBytes = 128 * 1024;

const copyPrefix = 'weir-object-';

/** Removes copies that a killed process left in a directory that nobody else uses. */
export async function removeLeftCopies(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names) {
    if (name.startsWith(copyPrefix)) await rm(join(directory, name), { recursive: true, force: true });
  }
}

/**
 * As `withObjectFile` for somebody who reads head and table alone: of a remote object only its edges are fetched, and the
 * middle of the file is a hole. What cannot be read that way is fetched whole.
 */
export async function withObjectEdges<T>(
  store: Pick<ObjectStore, 'localPath' | 'getRange'>,
  object: { readonly key: string; readonly byteLength: number },
  use: (path: string) => Promise<T>,
): Promise<T> {
  const { key, byteLength } = object;
  if (store.localPath(key) !== undefined || byteLength <= 3 * edgeBytes) return withObjectFile(store, object, use);
  try {
    return await withTemporaryFile(2 * edgeBytes, systemPlace(), async (path, file) => {
      for (const at of [0, byteLength - edgeBytes]) await file.write(await store.getRange(key, at, edgeBytes), at);
      return use(path);
    });
  } catch (error) {
    if (!isAppError(error, 'data_loss') && !isAppError(error, 'failed_precondition')) throw error;
    return withObjectFile(store, object, use);
  }
}

/**
 * Lends a path that is valid until `use` resolves and must not be written.
 *
 * @param place  of a copy; absent: the system's directory for temporary files
 * @throws AppError resource_exhausted  the disk of the copy is full: the message says which
 * @throws AppError                     as `getRange`
 */
export async function withObjectFile<T>(
  store: Pick<ObjectStore, 'localPath' | 'getRange'>,
  object: { readonly key: string; readonly byteLength: number },
  use: (path: string) => Promise<T>,
  place: CopyPlace = systemPlace(),
): Promise<T> {
  const local = store.localPath(object.key);
  if (local !== undefined) return use(local);
  return withTemporaryFile(object.byteLength, place, async (path, file) => {
    for (let at = 0; at < object.byteLength; ) {
      const piece = await store.getRange(object.key, at, Math.min(object.byteLength - at, limits.flushBytes));
      if (piece.byteLength === 0) break;
      await file.write(piece, at);
      at += piece.byteLength;
    }
    return use(path);
  });
}

type CopiedFile = { write(bytes: Uint8Array, at: number): Promise<void> };

async function withTemporaryFile<T>(
  byteLength: number,
  place: CopyPlace,
  use: (path: string, file: CopiedFile) => Promise<T>,
): Promise<T> {
  await mkdir(place.directory, { recursive: true });
  await assertRoom(place, byteLength);
  const directory = await mkdtemp(join(place.directory, copyPrefix));
  try {
    const path = join(directory, 'segment.mkv');
    const file = await open(path, 'wx');
    try {
      return await use(path, { write: (bytes, at) => writeAt(file, bytes, { at, place }) });
    } finally {
      await file.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** All of it at once is more than a write may take. @throws AppError resource_exhausted  the disk is full */
async function writeAt(
  file: FileHandle,
  bytes: Uint8Array,
  { at, place }: { readonly at: number; readonly place: CopyPlace },
): Promise<void> {
  try {
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesWritten } = await file.write(bytes, done, null, at + done);
      done += bytesWritten;
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT') throw full(place.directory, error);
    throw error;
  }
}

async function assertRoom({ directory, reserveBytes }: CopyPlace, byteLength: number): Promise<void> {
  const { freeBytes } = await spaceOf(directory);
  if (freeBytes < byteLength + reserveBytes) throw full(directory);
}

/** Else people would look at the store, which is well. */
function full(directory: string, cause?: unknown): AppError {
  return appError('resource_exhausted', `no room on this machine for a copy of a segment in ${directory}`, {
    directory,
    hint: 'The object store is well: make room on the disk of that directory.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function systemPlace(): CopyPlace {
  return { directory: tmpdir(), reserveBytes: 0 };
}
