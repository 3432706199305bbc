/** Which files lie in the journal's directories, by their names alone. What is not there has no entries. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, toAppError } from '../base/errors.ts';

export type JournalFile = { readonly streamId: string; readonly name: string; readonly path: string };

/** Behind the name of a file that its writer gave up: the keeper may recover it although the writer's process lives. */
export const abandonedSuffix = '.abandoned';

const fileForm = /^(\d{12,13})-[0-9a-f]{32}-v1\.mkv(\.abandoned)?$/;

/** What the name of a segment file says; undefined for other files. */
export function parseFileName(
  name: string,
): { readonly firstCounter: number; readonly isAbandoned: boolean } | undefined {
  const match = fileForm.exec(name);
  return match === null ? undefined : { firstCounter: Number(match[1]), isAbandoned: match[2] !== undefined };
}

/** All files of a directory of streams (`open/<epoch>`, `finished`), whatever their names, by stream and name. */
export async function listStreams(directory: string): Promise<JournalFile[]> {
  const files: JournalFile[] = [];
  for (const streamId of (await namesIn(directory)).sort()) files.push(...(await listStream(directory, streamId)));
  return files;
}

/** As `listStreams`, of one stream. */
export async function listStream(directory: string, streamId: string): Promise<JournalFile[]> {
  const within = join(directory, streamId);
  return (await namesIn(within)).sort().map((name) => ({ streamId, name, path: join(within, name) }));
}

/** All files below `open`, of all epochs and all streams or of one. */
export async function listOpen(journalOpen: string, streamId?: string): Promise<JournalFile[]> {
  const files: JournalFile[] = [];
  for (const epoch of await namesIn(journalOpen)) {
    const directory = join(journalOpen, epoch);
    files.push(...(streamId === undefined ? await listStreams(directory) : await listStream(directory, streamId)));
  }
  return files;
}

/** Entries of a directory; none when it is not there, or is a file. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw toAppError(error);
  }
}
