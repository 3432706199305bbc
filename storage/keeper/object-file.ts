/** An object as a file: where it lies when the store is on this machine, else a temporary copy, piece by piece. */

import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAppError } from '../base/errors.ts';
import { limits } from '../model/limits.ts';
import type { ObjectStore } from '../objects/index.ts';

/** Of a remote object only so much is fetched at first: head and table of nearly all segments are far below. */
const edgeBytes = 128 * 1024;

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
    return await withTemporaryFile(async (path, file) => {
      for (const at of [0, byteLength - edgeBytes])
        await file.write(await store.getRange(key, at, edgeBytes), 0, null, at);
      return use(path);
    });
  } catch (error) {
    if (!isAppError(error, 'data_loss') && !isAppError(error, 'failed_precondition')) throw error;
    return withObjectFile(store, object, use);
  }
}

/** Lends a path that is valid until `use` resolves and must not be written. @throws AppError  as `getRange` */
export async function withObjectFile<T>(
  store: Pick<ObjectStore, 'localPath' | 'getRange'>,
  object: { readonly key: string; readonly byteLength: number },
  use: (path: string) => Promise<T>,
): Promise<T> {
  const local = store.localPath(object.key);
  if (local !== undefined) return use(local);
  return withTemporaryFile(async (path, file) => {
    for (let at = 0; at < object.byteLength; ) {
      const piece = await store.getRange(object.key, at, Math.min(object.byteLength - at, limits.flushBytes));
      if (piece.byteLength === 0) break;
      await file.write(piece);
      at += piece.byteLength;
    }
    return use(path);
  });
}

async function withTemporaryFile<T>(use: (path: string, file: FileHandle) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'weir-object-'));
  try {
    const path = join(directory, 'segment.mkv');
    const file = await open(path, 'wx');
    try {
      return await use(path, file);
    } finally {
      await file.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
