/** What the names of the journal's files tell about a stream's numbers, for when their reservation is lost. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { type JournalPaths, journalRoots } from '../model/paths.ts';

/**
 * The highest first counter of a stream's segment files, open and finished; 0 when there are none. Fragments of that file have
 * higher ones: `NumberAllocator` adds a segment's worth.
 */
export async function highestJournalCounter(paths: JournalPaths, streamId: string): Promise<number> {
  let highest = 0;
  for (const { open, finished } of journalRoots(paths)) {
    const epochs = (await namesIn(open)).map((epoch) => join(open, epoch, streamId));
    for (const directory of [...epochs, join(finished, streamId)]) {
      for (const name of await namesIn(directory)) highest = Math.max(highest, counterOf(name));
    }
  }
  return highest;
}

function counterOf(name: string): number {
  const digits = /^(\d{12,13})-[0-9a-f]{32}-v\d/.exec(name)?.[1];
  return digits === undefined ? 0 : Number(digits);
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return [];
    throw error;
  }
}
