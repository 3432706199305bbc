/**
 * Makes room in the preferred journal directory while the store is slower than the cameras, or away: finished files that are
 * stored nowhere move to spare directories on other disks. Copy durable -> its name -> the first file goes, so that a crash
 * leaves one whole file or two.
 */

import { constants } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, toAppError } from '../base/errors.ts';
import { syncDirectory } from '../base/files.ts';
import type { Log } from '../base/log.ts';
import { limits } from '../model/limits.ts';
import type { JournalRoot } from '../model/paths.ts';
import { type FinishedFile, listFinished, removeFile, type Space, spaceOf, statFile } from './finished-files.ts';
import { reserveBytesOf } from './quota-planner.ts';

/** Below the spare's root: copies that are not whole yet. */
const movingDirectory = 'moving';
/** A disk that refuses so many files in one step is left alone until the next. */
const failuresMax = 3;
/** One step moves no more, so that other work has its turn. */
const bytesAtOnceMax = 4 * limits.segmentBytes;

export class JournalRelief {
  readonly #log: Log;
  readonly #roots: readonly JournalRoot[];
  readonly #reserveBytes: number | undefined;

  /** @param options.roots  most preferred first. @param options.diskReserveBytes  room that disks keep, unless by their size */
  constructor(
    dependencies: { readonly log: Log },
    options: {
      readonly roots: readonly JournalRoot[];
      readonly diskReserveBytes: number | undefined;
    },
  ) {
    this.#log = dependencies.log;
    this.#roots = options.roots;
    this.#reserveBytes = options.diskReserveBytes;
  }

  /**
   * Moves the newest finished files (the oldest are next to be stored) until about `bytes` are freed. A disk that takes none, or a
   * file that cannot be read, keeps nothing from the others, nor from room that is made otherwise.
   *
   * @param journal  room of the preferred directory's disk
   * @returns        bytes that were moved: 0 when no other disk has room
   */
  async move(bytes: number, journal: Space): Promise<number> {
    const [preferred, ...spares] = this.#roots;
    if (preferred === undefined || spares.length === 0) return 0;
    const newestFirst = (await listFinished(preferred.finished)).sort((a, b) => (a.name < b.name ? 1 : -1));
    let moved = 0;
    for (const spare of spares) {
      let roomBytes = await this.#roomOf(spare, journal);
      for (let failures = 0; moved < Math.min(bytes, bytesAtOnceMax) && failures < failuresMax; ) {
        const [file] = newestFirst;
        if (file === undefined) return moved;
        const byteLength = (await statFile(file.path))?.byteLength ?? 0;
        if (byteLength > roomBytes) break;
        newestFirst.shift();
        const isMoved = await moveTo(spare, file).catch((error: unknown) => {
          failures++;
          this.#log.counted('file cannot be moved to a spare journal directory', 1, {
            ...{ path: file.path, spare: spare.root, error: toAppError(error).message },
          });
          return false;
        });
        if (!isMoved) continue;
        roomBytes -= byteLength;
        moved += byteLength;
      }
    }
    if (moved > 0) this.#log.counted('bytes moved to spare journal directories', moved);
    return moved;
  }

  async #roomOf(spare: JournalRoot, journal: Space): Promise<number> {
    const space = await spaceOf(spare.root).catch(() => undefined);
    if (space === undefined || space.device === journal.device) return 0;
    const { totalBytes, freeBytes } = space;
    return freeBytes - (this.#reserveBytes ?? reserveBytesOf({ totalBytes, openFiles: 0 }));
  }
}

/** False when the file was gone before it could be moved: it was stored or removed meanwhile. */
async function moveTo(spare: JournalRoot, file: FinishedFile): Promise<boolean> {
  const moving = join(spare.root, movingDirectory);
  const copy = join(moving, file.name);
  const target = join(spare.finished, file.streamId, basename(file.path));
  // What an earlier move left there when it was interrupted is worth nothing.
  await rm(moving, { recursive: true, force: true });
  await mkdir(moving, { recursive: true });
  await mkdir(dirname(target), { recursive: true });
  try {
    await copyFile(file.path, copy, constants.COPYFILE_FICLONE);
  } catch (error) {
    if ((await statFile(file.path)) === undefined) return false;
    throw error;
  }
  const written = await open(copy, 'r+');
  try {
    await written.datasync();
  } finally {
    await written.close();
  }
  await rename(copy, target);
  await syncDirectory(dirname(target));
  await syncDirectory(spare.finished);
  try {
    await unlink(file.path);
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    // It was stored or removed while it was copied: a copy that stays would be footage that nobody wants any more.
    await removeFile(target);
    return false;
  }
}
