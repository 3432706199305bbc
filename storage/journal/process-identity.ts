/**
 * Which process owns something, so that another can tell later whether it is certainly gone. A process id alone is reused
 * within minutes; with its start time, the boot and the name space of process ids it is unique on one machine.
 */

import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { errnoOf } from '../base/errors.ts';

export type ProcessIdentity = {
  readonly pid: number;
  /** Clock ticks after boot, from /proc/<pid>/stat. */
  readonly startTicks: string;
  readonly bootId: string;
  /** Process id name space (`pid:[4026531836]`): a container's process 7 is not the host's. */
  readonly nameSpace: string;
  readonly hostName: string;
};

export async function ownIdentity(): Promise<ProcessIdentity> {
  const stat = await processStat(process.pid);
  return {
    pid: process.pid,
    startTicks: stat?.startTicks ?? '',
    bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    nameSpace: await readlink('/proc/self/ns/pid'),
    hostName: hostname(),
  };
}

/** `unknown`: its processes cannot be seen from here (another container, another machine). */
export async function processState(identity: ProcessIdentity): Promise<'alive' | 'gone' | 'unknown'> {
  const own = await ownIdentity();
  if (identity.hostName !== own.hostName) return 'unknown';
  if (identity.bootId !== own.bootId) return 'gone';
  if (identity.nameSpace !== own.nameSpace) return 'unknown';
  const stat = await processStat(identity.pid);
  if (stat === undefined || stat.startTicks !== identity.startTicks) return 'gone';
  // A zombie has given back its files and only waits for its parent.
  return stat.state === 'Z' || stat.state === 'X' ? 'gone' : 'alive';
}

export function isSameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return (
    a.pid === b.pid &&
    a.startTicks === b.startTicks &&
    a.bootId === b.bootId &&
    a.nameSpace === b.nameSpace &&
    a.hostName === b.hostName
  );
}

/** Reads an identity from a file's JSON; undefined when it is none. */
export function parseIdentity(value: unknown): ProcessIdentity | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid, startTicks, bootId, nameSpace, hostName } = value as Partial<Record<keyof ProcessIdentity, unknown>>;
  if (typeof pid !== 'number' || typeof startTicks !== 'string' || typeof bootId !== 'string') return undefined;
  if (typeof nameSpace !== 'string' || typeof hostName !== 'string') return undefined;
  return { pid, startTicks, bootId, nameSpace, hostName };
}

async function processStat(pid: number): Promise<{ state: string; startTicks: string } | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The command name is in parentheses and may itself contain any character: fields are counted behind the last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ESRCH') return undefined;
    throw error;
  }
}
