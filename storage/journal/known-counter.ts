/** What the names of the journal's files tell about a stream's numbers, for when their reservation is lost. */

import { type JournalPaths, journalRoots } from '../model/paths.ts';
import { listOpen, listStream, parseFileName } from './journal-listing.ts';

/**
 * The highest first counter of a stream's segment files, open and finished; 0 when there are none. Fragments of that file have
 * higher ones: `NumberAllocator` adds a segment's worth.
 */
export async function highestJournalCounter(paths: JournalPaths, streamId: string): Promise<number> {
  let highest = 0;
  for (const { open, finished } of journalRoots(paths)) {
    const files = [...(await listOpen(open, streamId)), ...(await listStream(finished, streamId))];
    for (const { name } of files) highest = Math.max(highest, parseFileName(name)?.firstCounter ?? 0);
  }
  return highest;
}
