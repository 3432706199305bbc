/** Judges the places that Weir writes to. Facts in, verdicts out. */

import { type Finding, verdictsOf } from './finding.ts';
import { gigabytes } from './judge-machine.ts';

export type PlaceName = 'data' | 'journal' | 'spare journal' | 'objects';

export type DiskFacts = {
  readonly path: string;
  readonly places: readonly PlaceName[];
  /** False: it is to be made, and all else is told of the nearest directory above it. */
  readonly isThere: boolean;
  /** Why nothing can be written; undefined when it can. */
  readonly writeError: { readonly errno: string; readonly message: string } | undefined;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** 0 of both: a file system without a table of them. */
  readonly freeInodes: number;
  readonly totalInodes: number;
  /** As the kernel names it: 'ext4', 'nfs4'. */
  readonly kind: string;
  /** The file system's number: two places with the same one share its room. */
  readonly device: number;
  /** How long it took to write 64 KiB and have them safe; undefined when it could not be written. */
  readonly syncMs: number | undefined;
};

const networkKinds = new Set([
  'nfs',
  'nfs4',
  'cifs',
  'smb3',
  'smbfs',
  'fuse.sshfs',
  'ceph',
  'fuse.glusterfs',
  '9p',
  'afs',
]);
const memoryKinds = new Set(['tmpfs', 'ramfs']);
/** What the alarm for a filling data disk begins at, and a segment of each of forty cameras. */
const freeBytesMin = 1024 ** 3;
const freeInodesShareMin = 0.02;
/** The journal is synced every two seconds: beyond it recording falls behind. A spinning disk under load takes 100 ms. */
const syncMsWarning = 500;
const syncMsFault = 2_000;

export function judgeDisk(facts: DiskFacts): Finding[] {
  const { path, places, kind, freeBytes, totalBytes, syncMs } = facts;
  const verdicts = verdictsOf('disk', path);
  const isJournal = places.includes('journal');
  if (facts.writeError !== undefined) return judgeRefusal(facts, facts.writeError);
  const found: Finding[] = [];
  if (freeBytes < Math.min(freeBytesMin, totalBytes * 0.05)) {
    const code = isJournal
      ? 'journal-disk-filling'
      : places.includes('data')
        ? 'data-disk-filling'
        : 'store-disk-filling';
    const room = `${gigabytes(freeBytes)} of ${gigabytes(totalBytes)} are free`;
    found.push(...verdicts.warning(code, room, 'make room: see what else lies on this disk, or keep less'));
  }
  if (facts.totalInodes > 0 && facts.freeInodes < facts.totalInodes * freeInodesShareMin) {
    const text = `${facts.freeInodes} of ${facts.totalInodes} inodes are free: no files can be made although there is room`;
    found.push(
      ...verdicts.warning('inodes-filling', text, 'remove small files of other programs from this file system'),
    );
  }
  if (networkKinds.has(kind) && (isJournal || places.includes('data'))) {
    const what = isJournal ? 'the journal' : 'the databases';
    found.push(
      ...verdicts.fault(
        'network-disk',
        `${what} on a network file system (${kind}): its locks and syncs do not hold what they promise, and it goes away with the network`,
        `move ${what} to a disk of this machine (${isJournal ? 'journal.directory' : 'dataDirectory'}); objects may stay on the network`,
      ),
    );
  } else if (networkKinds.has(kind)) {
    const text = `a network file system (${kind}): recordings wait in the journal while it is away`;
    found.push(
      ...verdicts.warning('network-disk', text, 'nothing, if that is meant; an S3 store tells more when it fails'),
    );
  }
  if (memoryKinds.has(kind) && !places.includes('spare journal')) {
    const text = `lies in memory (${kind}): all of it is gone after a restart of the machine`;
    found.push(...verdicts.warning('disk-errors', text, 'name a directory on a disk, unless this is a trial'));
  }
  if (syncMs !== undefined && isJournal && syncMs > syncMsWarning) {
    const text = `64 KiB took ${Math.round(syncMs)} ms to be safe`;
    const next =
      'look for other programs that write to it and for errors of the disk (dmesg, smartctl -a); a spinning disk wants journal.syncPeriodMs 5000';
    found.push(...(syncMs > syncMsFault ? verdicts.fault : verdicts.warning)('disk-slow', text, next));
  }
  const sync = syncMs === undefined ? '' : `, safe after ${syncMs.toFixed(syncMs < 10 ? 1 : 0)} ms`;
  const where = facts.isThere ? '' : ', is made at the first start';
  return found.length > 0
    ? found
    : verdicts.ok(
        `${places.join(', ')}: ${kind}, ${gigabytes(freeBytes)} of ${gigabytes(totalBytes)} free${sync}${where}`,
      );
}

/** Of a disk that could not be looked at: a dead mount answers nobody. */
export function judgeStuckDisk(
  path: string,
  seconds: number,
  error: { readonly code: string; readonly message: string },
): Finding[] {
  const isStuck = error.code === 'deadline_exceeded';
  return verdictsOf('disk', path).fault(
    'disk-errors',
    isStuck
      ? `does not answer within ${seconds} s: everything that touches it hangs`
      : `cannot be looked at: ${error.message}`,
    'look at dmesg and mount; a dead network mount is unmounted by umount -f -l',
  );
}

/** Whether journal and objects share a file system, in words: then no byte is written twice, and one full disk stops both. */
export function judgeSharing(disks: readonly DiskFacts[]): Finding[] {
  const journal = disks.find(({ places }) => places.includes('journal'));
  const objects = disks.find(({ places }) => places.includes('objects'));
  if (journal === undefined || objects === undefined) return [];
  const isShared = journal.device === objects.device;
  const spares = disks.filter(({ places }) => places.includes('spare journal'));
  const same = spares.filter(({ device }) => device === journal.device);
  return [
    ...verdictsOf('disk', 'journal and objects').ok(
      isShared ? 'share a file system: no byte is written twice' : 'lie on different file systems: segments are copied',
    ),
    ...same.flatMap(({ path }) =>
      verdictsOf('disk', path).warning(
        'journal-away',
        'a spare journal on the file system of the journal itself: it fails together with it',
        'put it on another disk (journal.spareDirectories), and see that that disk is mounted',
      ),
    ),
  ];
}

function judgeRefusal(
  { path, places, freeBytes }: DiskFacts,
  { errno, message }: { readonly errno: string; readonly message: string },
): Finding[] {
  const verdicts = verdictsOf('disk', path);
  const what = places.join(', ');
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT': {
      const code = places.includes('journal')
        ? 'journal-disk-filling'
        : places.includes('data')
          ? 'data-disk-filling'
          : 'store-disk-filling';
      const text = `${what}: no room is left (${gigabytes(freeBytes)} free)`;
      return verdicts.fault(
        code,
        text,
        'make room on it: remove what other programs keep there, or keep recordings for less long',
      );
    }
    case 'EROFS':
      return verdicts.fault(
        'disk-errors',
        `${what}: the file system is read-only`,
        'Linux makes a disk read-only after errors: look at dmesg; or it is mounted so: mount -o remount,rw',
      );
    case 'EACCES':
    case 'EPERM':
      return verdicts.fault(
        'disk-errors',
        `${what}: may not be written to (${errno})`,
        'give the user that runs Weir the right to it (chown)',
      );
    default:
      return verdicts.fault(
        'disk-errors',
        `${what}: ${message}`,
        'look at dmesg and smartctl -a, and whether it is mounted',
      );
  }
}
