/** How full the file systems are that things lie on. */

import { stat, statfs } from 'node:fs/promises';

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
  const byDevice = new Map<number, DiskSpace>();
  for (const [place, path] of Object.entries(places)) {
    const [facts, device] = await Promise.all([
      statfs(path).catch(() => undefined),
      stat(path).then(
        ({ dev }) => dev,
        () => undefined,
      ),
    ]);
    if (facts === undefined || device === undefined) continue;
    // By its device: what is free changes between one question and the next.
    const same = byDevice.get(device);
    if (same !== undefined) {
      same.places.push(place);
      continue;
    }
    const bytesTotal = facts.blocks * facts.bsize;
    const disk = { places: [place], path, bytesTotal, bytesFree: facts.bavail * facts.bsize };
    byDevice.set(device, disk);
    found.push(disk);
  }
  return found;
}
