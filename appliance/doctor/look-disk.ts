/** Looks at one place on a disk: writes 64 KiB there, has them made safe and removes them, which is all that it changes. */

import { randomBytes } from 'node:crypto';
import { open, readFile, realpath, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../storage/base/clock.ts';
import { errnoOf } from '../../storage/base/errors.ts';
import type { DiskFacts, PlaceName } from './judge-disks.ts';

const probeBytes = 64 * 1024;

/** @param options.places  what Weir keeps there */
export async function lookAtDisk(
  clock: Clock,
  options: { readonly path: string; readonly places: readonly PlaceName[] },
): Promise<DiskFacts> {
  const { path, places } = options;
  const nearest = await nearestDirectory(path);
  const room = await statfs(nearest);
  const { dev } = await stat(nearest);
  const writing = await writeAt(clock, nearest);
  return {
    path,
    places,
    isThere: nearest === path,
    writeError: 'errno' in writing ? writing : undefined,
    syncMs: 'syncMs' in writing ? writing.syncMs : undefined,
    freeBytes: room.bavail * room.bsize,
    totalBytes: room.blocks * room.bsize,
    freeInodes: room.ffree,
    totalInodes: room.files,
    kind: kindOf(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''), await realpath(nearest)),
    device: dev,
  };
}

/** The kind of the file system that a path is on, by the last and longest mount point above it. */
export function kindOf(mountinfo: string, path: string): string {
  let kind = 'unknown';
  let length = -1;
  for (const line of mountinfo.split('\n')) {
    // 36 35 98:0 /root /mount/point options - ext4 /dev/sda1 options
    const [facts = '', rest = ''] = line.split(' - ');
    const point = (facts.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 8)),
    );
    const isAbove = point !== '' && (point === '/' || path === point || path.startsWith(`${point}/`));
    if (isAbove && point.length >= length) {
      length = point.length;
      kind = rest.split(' ')[0] ?? kind;
    }
  }
  return kind;
}

async function nearestDirectory(path: string): Promise<string> {
  try {
    return (await stat(path)).isDirectory() ? path : await nearestDirectory(dirname(path));
  } catch (error) {
    if (dirname(path) === path || !['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) throw error;
    return nearestDirectory(dirname(path));
  }
}

async function writeAt(
  clock: Clock,
  directory: string,
): Promise<{ readonly syncMs: number } | { readonly errno: string; readonly message: string }> {
  const path = join(directory, `.weir-doctor-${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      const beganMs = clock.monotonicMs();
      await file.write(new Uint8Array(probeBytes));
      await file.sync();
      return { syncMs: clock.monotonicMs() - beganMs };
    } finally {
      await file.close();
      await unlink(path);
    }
  } catch (error) {
    return { errno: errnoOf(error) ?? 'EIO', message: error instanceof Error ? error.message : String(error) };
  }
}
