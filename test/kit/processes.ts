/** What processes cost, read from /proc: CPU time, memory shared fairly (PSS), bytes written; and what a disk did. */

import { readdirSync, readFileSync, statSync } from 'node:fs';

/** Linux counts process time in ticks of 10 ms. */
const tickMs = 10;

export type Cost = { readonly cpuMs: number; readonly pssBytes: number };

/** All descendants of a process and itself. */
export function processTree(rootPid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree: number[] = [];
  const queue = [rootPid];
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    tree.push(pid);
    queue.push(...(children.get(pid) ?? []));
  }
  return tree;
}

/** Program and arguments of a process; empty when it is gone. */
export function commandLineOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

/** CPU time used so far by a tree, children that ended included, and its memory now. */
export function costOfTree(rootPid: number): Cost {
  let cpuMs = 0;
  let pssBytes = 0;
  for (const pid of processTree(rootPid)) {
    const fields = statFields(pid);
    if (fields === undefined) continue;
    // utime, stime, and those of children that were waited for.
    for (const index of [11, 12, 13, 14]) cpuMs += Number(fields[index] ?? 0) * tickMs;
    pssBytes += pssOf(pid);
  }
  return { cpuMs, pssBytes };
}

/** Writes and flushes a disk has completed, with the bytes written, since boot. */
export type DiskCounters = { readonly writes: number; readonly flushes: number; readonly bytesWritten: number };

/** Counters of the disk on which a path lies; zeros for file systems without a disk (tmpfs, overlay). */
export function diskCounters(path: string): DiskCounters {
  const device = statSync(path).dev;
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  for (const line of readFileSync('/proc/diskstats', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (Number(fields[0]) !== major || Number(fields[1]) !== minor) continue;
    return { writes: Number(fields[7]), bytesWritten: Number(fields[9]) * 512, flushes: Number(fields[18] ?? 0) };
  }
  return { writes: 0, flushes: 0, bytesWritten: 0 };
}

function parentOf(pid: number): number | undefined {
  const fields = statFields(pid);
  return fields === undefined ? undefined : Number(fields[1]);
}

/** Fields of /proc/<pid>/stat after the command's name, which may hold blanks: the first is the state. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function pssOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
