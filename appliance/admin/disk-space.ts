/** How full the file systems are that things lie on. */

import { statfs } from 'node:fs/promises';

export type DiskSpace = {
  /** What lies there; several where they share a file system. */
  readonly places: string[];
  readonly path: string;
  readonly bytesTotal: number;
  /** For us: reserved blocks of root are not counted. */
  readonly bytesFree: number;
};

/** One line for each file system; what cannot be asked (not made yet, a dead mount) is left out. */
export async function diskSpace(places: Readonly<Record<string, string>>): Promise<DiskSpace[]> {
  const found: DiskSpace[] = [];
  for (const [place, path] of Object.entries(places)) {
    const facts = await statfs(path).catch(() => undefined);
    if (facts === undefined) continue;
    const bytesTotal = facts.blocks * facts.bsize;
    const bytesFree = facts.bavail * facts.bsize;
    // No name of the file system is told by statfs: the same size and free space to the block is the same one.
    const same = found.find((disk) => disk.bytesTotal === bytesTotal && disk.bytesFree === bytesFree);
    if (same === undefined) found.push({ places: [place], path, bytesTotal, bytesFree });
    else same.places.push(place);
  }
  return found;
}
