/** What lies under `finished` of the journal's directories: names and places, nothing of their content. */

import { mkdir, rename, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, toAppError } from '../base/errors.ts';
import { syncDirectory } from '../base/files.ts';
import { type JournalFile, listStreams } from '../journal/index.ts';

/** `directory` is `finished` of its journal root. */
export type FinishedFile = JournalFile & { readonly directory: string };

/** Room of a file system, bytes, and its device number. */
export type Space = { readonly freeBytes: number; readonly totalBytes: number; readonly device: number };

/** As it was at a moment of the monotonic clock, or a little later: what was deleted since may not be in it. */
export type MeasuredSpace = Space & { readonly measuredMs: number };

/** Room of the object store, or of one of several. */
export type StoreRoom = MeasuredSpace & {
  /** Of several, its name. */
  readonly store: string | undefined;
  /** Nothing moves on from here to another store. */
  readonly isLast: boolean;
};

const segmentSuffix = '.mkv';

/** All finished segment files, oldest name of each stream first; none while the journal is not there. */
export async function listFinished(directory: string): Promise<FinishedFile[]> {
  const files = await listStreams(directory);
  return files.filter(({ name }) => name.endsWith(segmentSuffix)).map((file) => ({ ...file, directory }));
}

/** Where a finished file lies, or would lie if it were in the first of the directories. */
export async function findFinished(
  directories: readonly string[],
  file: { readonly streamId: string; readonly name: string },
): Promise<string> {
  const [first = '', ...others] = directories.map((directory) => join(directory, file.streamId, file.name));
  if (others.length === 0 || (await statFile(first)) !== undefined) return first;
  for (const path of others) if ((await statFile(path)) !== undefined) return path;
  return first;
}

/** Removes a file; one that is gone already is no error. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw toAppError(error);
  }
}

/** Moves a file into another directory of the same file system, durably. */
export async function moveFile(path: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await rename(path, target);
  await syncDirectory(dirname(target));
}

/** Length and time of the last change, or undefined when the file is gone. */
export async function statFile(path: string): Promise<{ byteLength: number; changedMs: number } | undefined> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { byteLength: size, changedMs: mtimeMs };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw toAppError(error);
  }
}

/** Room of the file system that a directory lies on. */
export async function spaceOf(directory: string): Promise<Space> {
  try {
    const [room, { dev }] = await Promise.all([statfs(directory), stat(directory)]);
    return { freeBytes: room.bavail * room.bsize, totalBytes: room.blocks * room.bsize, device: dev };
  } catch (error) {
    throw toAppError(error);
  }
}
