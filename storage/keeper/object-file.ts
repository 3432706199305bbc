/** An object as a file: where it lies when the store is on this machine, else a temporary copy, piece by piece. */

import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '../model/limits.ts';
import type { ObjectStore } from '../objects/index.ts';

/** Lends a path that is valid until `use` resolves and must not be written. @throws AppError  as `getRange` */
export async function withObjectFile<T>(
  store: Pick<ObjectStore, 'localPath' | 'getRange'>,
  object: { readonly key: string; readonly byteLength: number },
  use: (path: string) => Promise<T>,
): Promise<T> {
  const local = store.localPath(object.key);
  if (local !== undefined) return use(local);
  const directory = await mkdtemp(join(tmpdir(), 'weir-object-'));
  try {
    const path = join(directory, 'segment.mkv');
    const file = await open(path, 'wx');
    try {
      for (let at = 0; at < object.byteLength; ) {
        const piece = await store.getRange(object.key, at, Math.min(object.byteLength - at, limits.flushBytes));
        if (piece.byteLength === 0) break;
        await file.write(piece);
        at += piece.byteLength;
      }
    } finally {
      await file.close();
    }
    return await use(path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
